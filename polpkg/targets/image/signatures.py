"""What is on a partition, by the marks that each format has at a fixed place.

The places are those of the formats' own descriptions: ext in the kernel's Documentation/filesystems/ext4, FAT in
Microsoft's "FAT: General Overview of On-Disk Format", btrfs, XFS, LUKS and LVM2 in theirs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple
from uuid import UUID

if TYPE_CHECKING:
    from polpkg.targets.image.blocks import Blocks

EXT = "ext"
FAT = "FAT"

_MARKS = (
    ("btrfs", 0x10040, b"_BHRfS_M"),
    ("XFS", 0, b"XFSB"),
    ("LUKS", 0, b"LUKS\xba\xbe"),
    ("LVM", 512, b"LABELONE"),
    ("LVM", 0, b"LABELONE"),
    ("MD RAID", 4096, b"\xfc\x4e\x2b\xa9"),
    ("F2FS", 1024, b"\x10\x20\xf5\xf2"),
    ("EROFS", 1024, b"\xe2\xe1\xf5\xe0"),
    ("squashfs", 0, b"hsqs"),
    ("ISO 9660", 0x8001, b"CD001"),
    ("swap", 4086, b"SWAPSPACE2"),
)

_HEAD = 2048


class Signature(NamedTuple):
    """What is on a partition: `EXT`, `FAT` or the name of something else; its UUID and label as /etc/fstab has them."""

    kind: str
    uuid: str = ""
    label: str = ""


def identify(blocks: Blocks) -> Signature | None:
    """What is on `blocks`; None when that is not known."""
    if blocks.size < _HEAD:
        return None
    head = blocks.read(0, _HEAD)
    for kind, offset, mark in _MARKS:
        if offset + len(mark) <= blocks.size and blocks.read(offset, len(mark)) == mark:
            return Signature(kind)
    if head[1080:1082] == b"\x53\xef":
        return Signature(EXT, str(UUID(bytes=head[1128:1144])), _text(head[1144:1160]))
    return _fat(head)


def _text(raw: bytes) -> str:
    return raw.partition(b"\0")[0].decode("utf-8", "replace")


def _fat(head: bytes) -> Signature | None:
    """FAT has no mark of its own, only a geometry: one that makes sense, as no other boot sector has at this place."""
    sector = int.from_bytes(head[11:13], "little")
    cluster = head[13]
    if (
        head[0] not in {0xEB, 0xE9}
        or sector not in {512, 1024, 2048, 4096}
        or cluster not in {1 << n for n in range(8)}
    ):
        return None
    if head[16] not in {1, 2} or head[21] < 0xF0 or head[14:16] == b"\0\0":
        return None
    at = 67 if head[22:24] == b"\0\0" else 39
    serial = int.from_bytes(head[at : at + 4], "little")
    label = head[at + 4 : at + 15].decode("cp437").rstrip()
    return Signature(FAT, f"{serial >> 16:04X}-{serial & 0xFFFF:04X}", "" if label == "NO NAME" else label)
