"""ext2, ext3 and ext4, read only.

After the kernel's Documentation/filesystems/ext4 ("ondisk"): superblock, group descriptors, inodes, extents and block
maps, linear directories (an indexed one reads as a linear one).  A file system that uses what is not known here is
refused, as the kernel does; one whose journal has not been replayed is `needs_recovery`: what it says is not to be
believed then.
"""

from __future__ import annotations

import os
from stat import S_IMODE, S_ISDIR, S_ISLNK, S_ISREG
from struct import Struct, unpack_from
from typing import TYPE_CHECKING, NamedTuple

from polpkg.errors import TargetError
from polpkg.targets.image.file_system import Node, NodeKind
from polpkg.targets.tree import MAX_FILE_SIZE

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from polpkg.targets.image.blocks import Blocks

_ROOT_INODE = 2
_SUPERBLOCK = 1024
_RECOVER = 0x4
_META_BG = 0x10
_64BIT = 0x80

_READABLE = {
    0x2: "filetype",
    _RECOVER: "needs_recovery",
    _META_BG: "meta_bg",
    0x40: "extent",
    _64BIT: "64bit",
    0x200: "flex_bg",
    0x400: "ea_inode",
    0x2000: "metadata_csum_seed",
    0x4000: "large_dir",
}
_NAMED = {
    0x1: "compression",
    0x8: "journal_dev",
    0x100: "mmp",
    0x1000: "dirdata",
    0x8000: "inline_data",
    0x10000: "encrypt",
    0x20000: "casefold",
}
_READ_ONLY = {0x100: "quota", 0x200: "bigalloc", 0x1000: "read-only", 0x2000: "project", 0x4000: "shared_blocks"}
_WRITABLE = 0x1 | 0x2 | 0x8 | 0x10 | 0x20 | 0x40 | 0x400 | 0x8000 | 0x10000
"""sparse_super, large_file, huge_file, gdt_csum, dir_nlink, extra_isize, metadata_csum, verity, orphan_present."""

_EXTENTS = 0x80000
_JOURNAL_MAGIC = 0xC03B3998
_EXTENT_MAGIC = 0xF30A
_MAX_DEPTH = 5
_EXTENT = Struct("<IHHI")
_INDEX = Struct("<IIH")
_MAX_RUNS = MAX_FILE_SIZE // 1024
_UNWRITTEN = 32768
_FAST_LINK = 60
_MAX_DIRECTORY = 64 << 20


class _Inode(NamedTuple):
    mode: int
    size: int
    flags: int
    block: bytes


class _Run(NamedTuple):
    """Blocks of a file that lie side by side; `physical` 0 where nothing was written."""

    logical: int
    physical: int
    length: int


class ExtFileSystem:
    """Implements `FileSystem`; a number is that of an inode."""

    def __init__(self, blocks: Blocks, name: str) -> None:
        """The file system on `blocks`; `name` is for errors.  Raises TargetError `unsupported-file-system`."""
        self._blocks = blocks
        self._name = name
        raw = blocks.read(_SUPERBLOCK, 1024)
        count, reserved, free, _, first, log_size = unpack_from("<IIIIII", raw, 4)
        self._inodes = int.from_bytes(raw[:4], "little")
        self._per_group = int.from_bytes(raw[40:44], "little")
        revision = int.from_bytes(raw[76:80], "little")
        self._inode_size = int.from_bytes(raw[88:90], "little") if revision else 128
        _, self._incompat, self._ro_compat = unpack_from("<III", raw, 92) if revision else (0, 0, 0)
        is_wide = bool(self._incompat & _64BIT)
        self._descriptor_size = int.from_bytes(raw[254:256], "little") if is_wide else 32
        self._count = count + (int.from_bytes(raw[336:340], "little") << 32 if is_wide else 0)
        self._first = first
        self._is_unmounted = raw[58] & 1 == 1
        self._first_meta = int.from_bytes(raw[260:264], "little")
        self._size = 1024 << min(log_size, 7)
        free += int.from_bytes(raw[344:348], "little") << 32 if is_wide else 0
        self._free = max(free - reserved, 0) * self._size
        self._tables: dict[int, int] = {}
        self._names: dict[int, dict[str, int]] = {}
        self._check(log_size)

    def _check(self, log_size: int) -> None:
        unknown = self._incompat & ~sum(_READABLE)
        if unknown:
            raise self._unsupported(unknown, _NAMED)
        if log_size > 6 or self._count * self._size > self._blocks.size:
            raise self._damaged(f"it has {self._count:,} blocks of {self._size:,} bytes, more than its partition")
        sizes = (self._inode_size >= 128, self._inode_size <= self._size, 32 <= self._descriptor_size <= self._size)
        if not self._per_group or not all(sizes):
            raise self._damaged("its superblock makes no sense")

    @property
    def root(self) -> int:
        """See `FileSystem.root`."""
        return _ROOT_INODE

    @property
    def is_case_sensitive(self) -> bool:
        """See `FileSystem.is_case_sensitive`."""
        return True

    @property
    def free(self) -> int:
        """See `FileSystem.free`; what is set aside for root does not count."""
        return self._free

    @property
    def needs_recovery(self) -> bool:
        """Whether its journal has to be replayed first."""
        return bool(self._incompat & _RECOVER)

    @property
    def is_clean(self) -> bool:
        """Whether it was unmounted as it should be, and nothing wrong was seen then."""
        return self._is_unmounted and not self.needs_recovery

    def check_journal(self) -> None:
        """Raises TargetError `damaged-image` when the journal is none, which e2fsck would throw away and start anew.

        The journal's superblock is that of the kernel's Documentation/filesystems/ext4, "Journal (jbd2)".
        """
        number = int.from_bytes(self._blocks.read(_SUPERBLOCK + 224, 4), "little")
        if not number:
            raise self._damaged("its journal, which has to be replayed, is on another device")
        run = next(self._runs(self._inode(number)), _Run(0, 0, 0))
        magic, kind, _, _, length, first, _, start = unpack_from(">8I", self._block(run.physical))
        if magic != _JOURNAL_MAGIC or kind not in {3, 4} or not (start == 0 or first <= start < length):
            raise self._damaged("its journal, which has to be replayed, is no journal")

    def check_changeable(self) -> None:
        """Raises TargetError `unsupported-file-system` when it uses what would not be kept right by a change."""
        unknown = self._ro_compat & ~_WRITABLE
        if unknown:
            raise self._unsupported(unknown, _READ_ONLY)

    def node(self, number: int) -> Node:
        """See `FileSystem.node`."""
        inode = self._inode(number)
        if S_ISREG(inode.mode):
            kind = NodeKind.FILE
        elif S_ISDIR(inode.mode):
            kind = NodeKind.DIRECTORY
        else:
            kind = NodeKind.LINK if S_ISLNK(inode.mode) else NodeKind.OTHER
        return Node(kind, inode.size, S_IMODE(inode.mode))

    def names(self, directory: int) -> Mapping[str, int]:
        """See `FileSystem.names`."""
        if directory not in self._names:
            self._names[directory] = dict(self._entries(self._read(self._inode(directory), _MAX_DIRECTORY)))
        return self._names[directory]

    def content(self, file: int) -> bytes:
        """See `FileSystem.content`."""
        return self._read(self._inode(file), MAX_FILE_SIZE)

    def link_text(self, link: int) -> str:
        """See `FileSystem.link_text`."""
        inode = self._inode(link)
        is_fast = inode.size < _FAST_LINK and not inode.flags & _EXTENTS
        return os.fsdecode(inode.block[: inode.size] if is_fast else self._read(inode, self._size))

    def _damaged(self, reason: str) -> TargetError:
        return TargetError(
            "damaged-image", f"the file system of {self._name} is damaged: {reason}", hint="`e2fsck -fn` tells more"
        )

    def _unsupported(self, features: int, named: Mapping[int, str]) -> TargetError:
        names = [named.get(1 << n, f"feature {1 << n:#x}") for n in range(32) if features >> n & 1]
        return TargetError(
            "unsupported-file-system",
            f"the file system of {self._name} uses {', '.join(names)}, which polpkg does not know",
            hint="mount it, and use --root on where it is mounted",
        )

    def _inode(self, number: int) -> _Inode:
        if not 0 < number <= self._inodes:
            raise self._damaged(f"there is no inode {number}")
        group, position = divmod(number - 1, self._per_group)
        raw = self._blocks.read(self._table(group) * self._size + position * self._inode_size, 128)
        mode, _, size = unpack_from("<HHI", raw)
        flags = int.from_bytes(raw[32:36], "little")
        if S_ISREG(mode) or S_ISDIR(mode):
            size += int.from_bytes(raw[108:112], "little") << 32
        return _Inode(mode, size, flags, raw[40:100])

    def _table(self, group: int) -> int:
        """The block where the inodes of a group begin."""
        if group not in self._tables:
            size = self._descriptor_size
            raw = self._blocks.read(self._descriptor_place(group), size)
            low = int.from_bytes(raw[8:12], "little")
            self._tables[group] = low + (int.from_bytes(raw[40:44], "little") << 32 if size >= 64 else 0)
        return self._tables[group]

    def _descriptor_place(self, group: int) -> int:
        block, position = divmod(group, self._size // self._descriptor_size)
        if not self._incompat & _META_BG or block < self._first_meta:
            return (_SUPERBLOCK // self._size + 1 + block) * self._size + position * self._descriptor_size
        first_group = block * (self._size // self._descriptor_size)
        begin = self._first + first_group * self._blocks_per_group()
        has_super = int(first_group in {0, 1} or any(_is_power(first_group, base) for base in (3, 5, 7)))
        has_super += not block and not self._first and self._size == _SUPERBLOCK  # bigalloc counts from block 0
        return (begin + has_super) * self._size + position * self._descriptor_size

    def _blocks_per_group(self) -> int:
        return int.from_bytes(self._blocks.read(_SUPERBLOCK + 32, 4), "little")

    def _read(self, inode: _Inode, limit: int) -> bytes:
        if inode.size > limit:
            raise TargetError("not-a-file", f"a file of {self._name} is larger than {limit >> 20} MiB")
        content = bytearray(inode.size)
        for run in self._some_runs(inode):
            begin = run.logical * self._size
            length = min(run.length * self._size, inode.size - begin)
            if run.physical and length > 0:
                if run.physical + run.length > self._count:
                    raise self._damaged(f"a file has the block {run.physical + run.length - 1:,}")
                content[begin : begin + length] = self._blocks.read(run.physical * self._size, length)
        return bytes(content)

    def _some_runs(self, inode: _Inode) -> Iterator[_Run]:
        """The runs of a file, as many as one can have that is read: a hostile tree has leaves without end."""
        for count, run in enumerate(self._runs(inode)):
            if count > _MAX_RUNS:
                raise self._damaged("a file has more extents than blocks")
            yield run

    def _runs(self, inode: _Inode) -> Iterator[_Run]:
        if inode.flags & _EXTENTS:
            return self._extents(inode.block, _MAX_DEPTH)
        return self._mapped(inode)

    def _extents(self, raw: bytes, depth: int) -> Iterator[_Run]:
        magic, entries, _, level = unpack_from("<HHHH", raw)
        is_root = depth == _MAX_DEPTH
        if magic != _EXTENT_MAGIC or 12 * (entries + 1) > len(raw) or level > depth:
            raise self._damaged("a file has extents that are none")
        if not is_root and (level != depth or not entries):
            raise self._damaged("a file has a tree of extents that is none")
        for n in range(1, entries + 1):
            if level:
                _, low, high = _INDEX.unpack_from(raw, 12 * n)
                yield from self._extents(self._block(low | high << 32), level - 1)
            else:
                logical, count, high, low = _EXTENT.unpack_from(raw, 12 * n)
                if count > _UNWRITTEN:
                    yield _Run(logical, 0, count - _UNWRITTEN)
                else:
                    yield _Run(logical, low | high << 32, count)

    def _block(self, number: int) -> bytes:
        if not 0 < number < self._count:
            raise self._damaged(f"there is no block {number:,}")
        return self._blocks.read(number * self._size, self._size)

    def _mapped(self, inode: _Inode) -> Iterator[_Run]:
        """Twelve blocks, then those that one, two and three levels of blocks name."""
        wanted = -(-inode.size // self._size)
        pointers = unpack_from("<15I", inode.block)
        logical = 0
        for number in pointers[:12]:
            yield _Run(logical, number, 1)
            logical += 1
        per_block = self._size // 4
        for level, number in enumerate(pointers[12:]):
            if logical < wanted:
                yield from self._indirect(number, level, logical, wanted)
            logical += per_block ** (level + 1)

    def _indirect(self, number: int, level: int, logical: int, wanted: int) -> Iterator[_Run]:
        if not number:
            return
        step = (self._size // 4) ** level
        for pointer in unpack_from(f"<{self._size // 4}I", self._block(number)):
            if logical >= wanted:
                return
            if level:
                yield from self._indirect(pointer, level - 1, logical, wanted)
            else:
                yield _Run(logical, pointer, 1)
            logical += step

    def _entries(self, raw: bytes) -> Iterator[tuple[str, int]]:
        for begin in range(0, len(raw), self._size):
            place, end = begin, min(begin + self._size, len(raw))
            while place + 8 <= end:
                number, length, name_length = unpack_from("<IHB", raw, place)
                length = self._size if length in {0, 65535} and self._size == 65536 else length
                if length < 8 or length % 4 or place + length > end or name_length + 8 > length:
                    raise self._damaged("a directory has an entry that is none")
                name = raw[place + 8 : place + 8 + name_length]
                if number and name not in {b".", b".."}:
                    yield os.fsdecode(name), number
                place += length


def _is_power(number: int, base: int) -> bool:
    while number > 1 and number % base == 0:
        number //= base
    return number == 1
