"""Unpacks a Linux kernel once, so that every guest of an emulated machine need not do it slowly.

Layout: Documentation/arch/x86/boot.rst of Linux (setup_sects, payload_offset, payload_length).
"""

from __future__ import annotations

import gzip
import lzma
from struct import Struct

from polpkg.errors import TargetError

_BOOT_MARK = (0x202, b"HdrS")
_SECTORS = 0x1F1
_PAYLOAD = (0x248, Struct("<II"))  # where it begins after the real-mode code, and its length
_SECTOR = 512
_SIZE = 4  # the payload ends with its unpacked size


def unpack_kernel(image: bytes, name: str) -> bytes:
    """The ELF file inside a bzImage; an image packed in a way that Python cannot read is returned as it is.

    Xen unpacks what is left packed.  Raises TargetError `no-kernel` when `image` is no bzImage, or a damaged one.
    """
    at, mark = _BOOT_MARK
    if image[at : at + len(mark)] != mark:
        raise TargetError("no-kernel", f"{name} is no Linux kernel for x86")
    at, layout = _PAYLOAD
    offset, length = layout.unpack_from(image, at)
    start = (image[_SECTORS] + 1) * _SECTOR + offset
    payload = image[start : start + length - _SIZE]
    try:
        if payload.startswith(b"\xfd7zXZ\0"):
            return lzma.decompress(payload)
        return gzip.decompress(payload) if payload.startswith(b"\x1f\x8b") else image
    except (lzma.LZMAError, EOFError, OSError) as error:
        raise TargetError("no-kernel", f"{name} is damaged: {error}") from error
