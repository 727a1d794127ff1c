"""Which format the file of an image has, and whether polpkg can use it.

After QEMU's docs/interop/qcow2.txt ("Header") and the marks of the other formats.
"""

from __future__ import annotations

from struct import unpack_from
from typing import TYPE_CHECKING

from polpkg.errors import TargetError

if TYPE_CHECKING:
    from polpkg.targets.image.blocks import Blocks

_MAGIC = b"QFI\xfb"
_OTHERS = (
    ("VMDK", b"KDMV"),
    ("VMDK", b"# Disk DescriptorFile"),
    ("VHD", b"conectix"),
    ("VHDX", b"vhdxfile"),
    ("QED", b"QED\0"),
    ("gzip", b"\x1f\x8b\x08"),
    ("xz", b"\xfd7zXZ\0"),
    ("zstd", b"\x28\xb5\x2f\xfd"),
    ("bzip2", b"BZh"),
    ("an archive of Zip", b"PK\x03\x04"),
)
_DIRTY, _CORRUPT, _EXTERNAL = 1, 2, 4
_KNOWN = 0x1F


def is_qcow2(file: Blocks, name: str) -> bool:
    """Whether `file` is a qcow2 image; False for a raw one.

    Raises TargetError `unsupported-image` when it is another format, or a qcow2 that is not to be changed in place.
    """
    head = file.read(0, min(file.size, 112))
    for kind, mark in _OTHERS:
        if head.startswith(mark):
            raise _unsupported(name, f"is {kind}", "`qemu-img convert -O qcow2` or unpacking makes one of it")
    if not head.startswith(_MAGIC):
        return False
    if len(head) < 72:
        raise _unsupported(name, "is a damaged qcow2", "`qemu-img check` tells more")
    version, backing = unpack_from(">IQ", head, 4)
    encryption = unpack_from(">I", head, 32)[0]
    features = unpack_from(">Q", head, 72)[0] if version >= 3 and len(head) >= 80 else 0
    if version not in {2, 3} or features & ~_KNOWN:
        raise _unsupported(name, f"is a qcow2 of version {version} with features {features:#x}", "use a newer polpkg")
    if encryption:
        raise _unsupported(name, "is encrypted", "`qemu-img convert` makes one that is not")
    if backing:
        raise _unsupported(name, "has a backing file", "`qemu-img convert -O qcow2` makes one image of both")
    if features & _EXTERNAL:
        raise _unsupported(name, "keeps its data in another file", "`qemu-img convert -O qcow2` makes one file of both")
    if features & (_DIRTY | _CORRUPT):
        raise _unsupported(name, "was not closed properly", "`qemu-img check -r all` mends it")
    return True


def _unsupported(name: str, reason: str, hint: str) -> TargetError:
    return TargetError("unsupported-image", f"{name} {reason}", hint=f"polpkg takes raw and qcow2: {hint}")
