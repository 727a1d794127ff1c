"""Hypervisor files as bytes in memory: unpacks the containers that Xen comes in.

`xen.gz` (gzip of a multiboot ELF32), `xen` (ELF32), `xen-syms` (ELF64), `xen.efi` and unified EFI (PE32+), and the
`Image` of arm64.  What comes out is laid out as when loaded, so that two addresses in it are as far apart as they are
in the running hypervisor.  Layouts: the System V ABI (ELF), Microsoft's PE format, Linux' arm64/booting.rst.

The files are untrusted: sizes are bounded, and whatever is wrong with them is a `TargetError`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from struct import Struct
from typing import TYPE_CHECKING, NamedTuple

from polpkg.errors import TargetError

if TYPE_CHECKING:
    from collections.abc import Iterable

MAX_SIZE = 64 << 20
"""The most that is read of a file, unpacked from it, or laid out: a hypervisor is 2 to 3 MB, 30 with debug sections."""

PAGE = 4096

_COMPRESSED = {
    b"\x28\xb5\x2f\xfd": "zstd",
    b"\xfd7zXZ\x00": "xz",
    b"BZh": "bzip2",
    b"\x5d\x00\x00": "lzma",
    b"\x89LZO": "lzo",
    b"\x04\x22\x4d\x18": "lz4",
    b"\x02\x21\x4c\x18": "lz4",
}
_ARCHITECTURES = {62: "x86-64", 3: "x86-64", 183: "arm64", 0x8664: "x86-64", 0xAA64: "arm64"}
_ELF_LOAD = 1
_PE_DISCARDABLE = 0x02000000
_PE_PAYLOADS = {b".config", b".kernel", b".ramdisk", b".xsm", b".ucode", b".pad", b".reloc"}
"""Sections of a (unified) EFI file that are not the hypervisor's own code and data (docs/misc/efi.pandoc of Xen)."""

_ELF_HEADERS = {1: Struct("<18xH8xI10xHH"), 2: Struct("<18xH12xQ14xHH")}  # machine, phoff, phentsize, phnum
_ELF32_SEGMENT = Struct("<IIIIIIII")  # type, offset, vaddr, paddr, filesz, memsz, flags, align
_ELF64_SEGMENT = Struct("<IIQQQQQQ")  # type, flags, offset, vaddr, paddr, filesz, memsz, align
_PE_HEADER = Struct("<4sHH12xH2x")  # signature, machine, sections, size of the optional header
_PE_SECTION = Struct("<8sIIII12xI")  # name, size in memory, address, size in the file, offset, flags


@dataclass(frozen=True, slots=True)
class Image:
    """A hypervisor as it lies in memory, starting on a page.

    `containers`: what it was unpacked from, outermost first: ("gz", "elf32").  `architecture`: "x86-64" or "arm64".
    """

    data: bytes = field(repr=False)
    containers: tuple[str, ...]
    architecture: str


class _Piece(NamedTuple):
    """A run of bytes of a file and the address that it is loaded at."""

    address: int
    offset: int
    size: int


def unpack_image(data: bytes, name: str) -> Image:
    """The image in the hypervisor file `data`; `name` is for messages.

    Raises TargetError `not-a-hypervisor`, `damaged-hypervisor` or `unsupported-compression`.
    """
    if not data.startswith(b"\x1f\x8b"):
        return _unpack(data, name, ())
    return _unpack(_gunzip(data, name), name, ("gz",))


def _unpack(data: bytes, name: str, outer: tuple[str, ...]) -> Image:
    if data[56:60] == b"ARM\x64":
        return Image(data, (*outer, "image"), "arm64")
    if data.startswith(b"\x7fELF"):
        return _unpack_elf(data, name, outer)
    if data.startswith(b"MZ"):
        return _unpack_pe(data, name, outer)
    for magic, compression in _COMPRESSED.items():
        if data.startswith(magic):
            raise TargetError(
                "unsupported-compression",
                f"{name} is compressed with {compression}, and only gzip can be read",
                hint="give an uncompressed copy of the hypervisor file",
            )
    raise _foreign(name)


def _gunzip(data: bytes, name: str) -> bytes:
    import zlib

    stream = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
    try:
        unpacked = stream.decompress(data, MAX_SIZE)
    except zlib.error as error:
        raise _damaged(name, f"gzip: {error}") from None
    if not stream.eof:
        raise _damaged(name, "too large when unpacked" if stream.unconsumed_tail else "the gzip data end too early")
    return unpacked


def _unpack_elf(data: bytes, name: str, outer: tuple[str, ...]) -> Image:
    width = data[4] if len(data) > 5 and data[5] == 1 else 0
    if width not in _ELF_HEADERS or len(data) < _ELF_HEADERS[width].size:
        raise _foreign(name)
    machine, table, entry, count = _ELF_HEADERS[width].unpack_from(data)
    segment = _ELF32_SEGMENT if width == 1 else _ELF64_SEGMENT
    if machine not in _ARCHITECTURES or entry != segment.size:
        raise _foreign(name)
    if table + count * entry > len(data):
        raise _damaged(name, "the program headers are cut off")
    headers = segment.iter_unpack(data[table : table + count * entry])
    if width == 1:
        pieces = [_Piece(h[2], h[1], h[4]) for h in headers if h[0] == _ELF_LOAD]
    else:
        pieces = [_Piece(h[3], h[2], h[5]) for h in headers if h[0] == _ELF_LOAD]
    return Image(_lay_out(data, pieces, name), (*outer, f"elf{32 * width}"), _ARCHITECTURES[machine])


def _unpack_pe(data: bytes, name: str, outer: tuple[str, ...]) -> Image:
    start = int.from_bytes(data[60:64], "little")
    if len(data) < start + _PE_HEADER.size:
        raise _foreign(name)
    signature, machine, count, optional_size = _PE_HEADER.unpack_from(data, start)
    if signature != b"PE\0\0" or machine not in _ARCHITECTURES:
        raise _foreign(name)
    table = start + _PE_HEADER.size + optional_size
    if table + count * _PE_SECTION.size > len(data):
        raise _damaged(name, "the section headers are cut off")
    pieces: list[_Piece] = []
    for label, size, address, stored, offset, flags in _PE_SECTION.iter_unpack(
        data[table : table + count * _PE_SECTION.size]
    ):
        if stored and not flags & _PE_DISCARDABLE and label.rstrip(b"\0") not in _PE_PAYLOADS:
            pieces.append(_Piece(address, offset, min(size, stored)))
    return Image(_lay_out(data, pieces, name), (*outer, "pe"), _ARCHITECTURES[machine])


def _lay_out(data: bytes, pieces: Iterable[_Piece], name: str) -> bytes:
    """The pieces of `data` at their addresses, from the page of the lowest one."""
    loaded = [piece for piece in pieces if piece.size]
    if not loaded:
        raise _foreign(name)
    if sum(piece.size for piece in loaded) > MAX_SIZE or any(p.offset + p.size > len(data) for p in loaded):
        raise _damaged(name, "a part of it lies beyond its end")
    base = min(piece.address for piece in loaded) // PAGE * PAGE
    end = max(piece.address + piece.size for piece in loaded)
    if end - base > MAX_SIZE:
        raise _damaged(name, "its parts lie too far apart")
    memory = bytearray(end - base)
    for address, offset, size in loaded:
        memory[address - base : address - base + size] = data[offset : offset + size]
    return bytes(memory)


def _foreign(name: str) -> TargetError:
    return TargetError(
        "not-a-hypervisor",
        f"{name} is not a Xen hypervisor",
        hint="files such as /boot/xen-4.17-amd64.gz, xen-syms, xen.efi and an arm64 Image are understood",
    )


def _damaged(name: str, reason: str) -> TargetError:
    return TargetError("damaged-hypervisor", f"{name} is damaged: {reason}")
