"""Partition tables: GPT and MBR, with sectors of 512 and of 4096 bytes.

GPT after the UEFI Specification 2.10, section 5 ("GUID Partition Table (GPT) Disk Layout"): the header is in sector 1,
its `MyLBA` says so, header and entries carry a CRC-32.  MBR as in section 5.2.1 there; logical partitions are a chain
of such sectors in an extended partition.  A table that contradicts itself is refused: nobody knows which half is right.
"""

from __future__ import annotations

from struct import Struct
from typing import TYPE_CHECKING, NamedTuple
from uuid import UUID
from zlib import crc32

from polpkg.errors import TargetError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from polpkg.targets.image.blocks import Blocks

SECTOR_SIZES = (512, 4096)

_GPT_SIGNATURE = b"EFI PART"
_GPT_HEADER = Struct("<8sIII4xQQQQ16sQIII")
_GPT_ENTRY = Struct("<16s16sQQQ72s")
_MAX_ENTRIES = 4096
_MBR_SIGNATURE = b"\x55\xaa"
_MBR_ENTRY = Struct("<B3xB3xII")
_MBR_TABLE = 446
_MAX_LOGICAL = 128
_EXTENDED = frozenset((0x05, 0x0F, 0x85))
_PROTECTIVE = 0xEE


class Partition(NamedTuple):
    """A partition: its number, its place in bytes, its type (a GUID or two hex digits), PARTUUID and PARTLABEL."""

    number: int
    start: int
    size: int
    type: str
    uuid: str
    label: str = ""


class _Mbr(NamedTuple):
    disk: int
    entries: tuple[tuple[int, int, int, int], ...]
    """Number, type, first sector, sectors; empty ones left out."""


def read_partitions(disk: Blocks) -> tuple[Partition, ...] | None:
    """The partitions of `disk` in the order of their numbers; None when it has no partition table.

    Raises TargetError `damaged-partition-table`.
    """
    mbr = _read_mbr(disk, 0)
    gpts = [size for size in SECTOR_SIZES if _has_gpt(disk, size)]
    is_protective = mbr is not None and any(kind == _PROTECTIVE for _, kind, _, _ in mbr.entries)
    if gpts and (mbr is None or is_protective):
        return _checked(disk, _read_gpt(disk, gpts))
    if is_protective:
        raise _damaged("its GPT is missing", hint="`sgdisk --verify FILE` tells more, and `sgdisk -e` can mend it")
    if mbr is None:
        return None
    found = [_mbr_partitions(disk, mbr, size) for size in SECTOR_SIZES]
    fitting = [each for each in found if each is not None]
    if not fitting:
        raise _damaged("its MBR names sectors that the disk does not have")
    return _checked(disk, _likelier(disk, fitting))


def _damaged(reason: str, *, hint: str = "`sfdisk --verify FILE` tells more") -> TargetError:
    return TargetError("damaged-partition-table", f"the partition table is damaged: {reason}", hint=hint)


def _checked(disk: Blocks, partitions: Sequence[Partition]) -> tuple[Partition, ...]:
    """The partitions, which lie on the disk and beside each other."""
    end = 0
    for partition in sorted(partitions, key=lambda each: each.start):
        if partition.start < end:
            raise _damaged(f"partition {partition.number} overlaps another")
        end = partition.start + partition.size
        if end > disk.size:
            raise _damaged(f"partition {partition.number} ends at byte {end:,}, the disk at {disk.size:,}")
    return tuple(partitions)


def _has_gpt(disk: Blocks, sector: int) -> bool:
    return disk.size >= 3 * sector and disk.read(sector, len(_GPT_SIGNATURE)) == _GPT_SIGNATURE


def _read_gpt(disk: Blocks, sectors: Sequence[int]) -> list[Partition]:
    """The partitions of the one good table; a stale header of the other sector size does not disturb."""
    good: list[list[Partition]] = []
    problem: TargetError | None = None
    for sector in sectors:
        try:
            good.append(_gpt_partitions(disk, sector))
        except TargetError as error:
            problem = error
    if len(good) == 1:
        return good[0]
    if problem is not None:
        raise problem
    raise _damaged("there are two, for sectors of 512 and of 4096 bytes")


def _gpt_partitions(disk: Blocks, sector: int) -> list[Partition]:
    raw = disk.read(sector, sector)
    _, revision, size, checksum, my_lba, _, first, last, _, table, count, entry_size, entries_checksum = (
        _GPT_HEADER.unpack_from(raw)
    )
    hint = "`sgdisk --verify FILE` tells more"
    if revision >> 16 != 1 or not _GPT_HEADER.size <= size <= sector or my_lba != 1:
        raise _damaged("the header of its GPT is none", hint=hint)
    if crc32(raw[:16] + bytes(4) + raw[20:size]) != checksum:
        raise _damaged("the checksum of its GPT header is wrong", hint=hint)
    if entry_size < _GPT_ENTRY.size or entry_size > sector or entry_size % 8 or not 0 < count <= _MAX_ENTRIES:
        raise _damaged(f"its GPT has {count} entries of {entry_size} bytes", hint=hint)
    if (table * sector) + count * entry_size > disk.size:
        raise _damaged("the entries of its GPT are beyond the end of the disk", hint=hint)
    entries = disk.read(table * sector, count * entry_size)
    if crc32(entries) != entries_checksum:
        raise _damaged("the checksum of its GPT entries is wrong", hint=hint)
    found = [_gpt_entry(entries, n * entry_size, n + 1, sector, (first, last)) for n in range(count)]
    return [each for each in found if each is not None]


def _gpt_entry(entries: bytes, offset: int, number: int, sector: int, usable: tuple[int, int]) -> Partition | None:
    kind, unique, first, last, _, name = _GPT_ENTRY.unpack_from(entries, offset)
    if kind == bytes(16):
        return None
    if not usable[0] <= first <= last <= usable[1]:
        raise _damaged(
            f"partition {number} has the sectors {first:,} to {last:,}", hint="`sgdisk --verify FILE` tells more"
        )
    label = name.decode("utf-16-le", "replace").partition("\0")[0]
    return Partition(
        number, first * sector, (last - first + 1) * sector, str(UUID(bytes_le=kind)), str(UUID(bytes_le=unique)), label
    )


def _read_mbr(disk: Blocks, offset: int) -> _Mbr | None:
    if offset + 512 > disk.size:
        return None
    raw = disk.read(offset, 512)
    if raw[510:] != _MBR_SIGNATURE:
        return None
    entries: list[tuple[int, int, int, int]] = []
    for position in range(4):
        flag, kind, start, count = _MBR_ENTRY.unpack_from(raw, _MBR_TABLE + 16 * position)
        if flag & 0x7F:  # code, no table
            return None
        if kind and count:
            entries.append((position + 1, kind, start, count))
    return _Mbr(int.from_bytes(raw[440:444], "little"), tuple(entries))


def _mbr_partitions(disk: Blocks, mbr: _Mbr, sector: int) -> list[Partition] | None:
    """The partitions if sectors have this size; None when they would not fit on the disk."""
    found: list[Partition] = []
    for number, kind, start, count in mbr.entries:
        if not start or (start + count) * sector > disk.size:
            return None
        if kind in _EXTENDED:
            logical = _logical(disk, start, count, sector)
            if logical is None:
                return None
            found += [_mbr_partition(mbr, 5 + n, *each, sector) for n, each in enumerate(logical)]
        else:
            found.append(_mbr_partition(mbr, number, kind, start, count, sector))
    return sorted(found)


def _mbr_partition(mbr: _Mbr, number: int, kind: int, start: int, count: int, sector: int) -> Partition:
    return Partition(number, start * sector, count * sector, f"{kind:02x}", f"{mbr.disk:08x}-{number:02x}")


def _logical(disk: Blocks, extended: int, count: int, sector: int) -> list[tuple[int, int, int]] | None:
    """Type, first sector and sectors of the logical partitions; None when there is no chain of them."""
    found: list[tuple[int, int, int]] = []
    place = extended
    for _ in range(_MAX_LOGICAL):
        mbr = _read_mbr(disk, place * sector)
        if mbr is None:
            return None
        following = 0
        for _, kind, start, sectors in mbr.entries:
            if kind in _EXTENDED:
                following = extended + start
            else:
                found.append((kind, place + start, sectors))
        if not following:
            return found
        if not place < following < extended + count:
            raise _damaged("the chain of its logical partitions leads out of the extended one")
        place = following
    raise _damaged(f"it has more than {_MAX_LOGICAL} logical partitions")


def _likelier(disk: Blocks, found: Sequence[list[Partition]]) -> list[Partition]:
    """Of two readings of one MBR, which does not say how large its sectors are, the one where more is recognised.

    Where nothing is, 512 bytes are meant.
    """
    scores = [sum(_recognised(disk, each)) for each in found]
    if len(set(scores)) < len(scores) and any(scores):
        raise _damaged("its MBR makes sense with sectors of 512 and of 4096 bytes")
    return found[scores.index(max(scores))]


def _recognised(disk: Blocks, partitions: Sequence[Partition]) -> Iterator[bool]:
    from polpkg.targets.image.blocks import Window
    from polpkg.targets.image.signatures import identify

    for each in partitions:
        yield each.start + each.size <= disk.size and bool(identify(Window(disk, each.start, each.size)))
