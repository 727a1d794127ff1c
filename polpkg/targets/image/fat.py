"""FAT12, FAT16 and FAT32 with long names, read only.

After Microsoft's "FAT: General Overview of On-Disk Format" 1.03, but for one thing: without a 16-bit size of the table
it is FAT32 however few clusters it has, as Linux takes it (fs/fat/inode.c).  A number is the place of the directory
entry on the partition, in bytes; the root, which has none, is 0.
"""

from __future__ import annotations

from struct import unpack_from
from typing import TYPE_CHECKING, NamedTuple

from polpkg.errors import TargetError
from polpkg.targets.image.file_system import Node, NodeKind
from polpkg.targets.tree import MAX_FILE_SIZE

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from polpkg.targets.image.blocks import Blocks

_ROOT = 0
_ENTRY = 32
_LONG = 0x0F
_VOLUME = 0x08
_DIRECTORY = 0x10
_DELETED = 0xE5
_MAX_DIRECTORY = 2 << 20
"""A directory has at most 65,536 entries."""

_FAT16_CLUSTERS = 4085
_FAT32_CLUSTERS = 65525
_END = {12: 0xFF8, 16: 0xFFF8, 32: 0x0FFFFFF8}
_MODE = 0o755


class _Entry(NamedTuple):
    attributes: int
    cluster: int
    size: int


class FatFileSystem:
    """Implements `FileSystem`."""

    def __init__(self, blocks: Blocks, name: str) -> None:
        """The file system on `blocks`; `name` is for errors."""
        self._blocks = blocks
        self._name = name
        raw = blocks.read(0, 90)
        sector, per_cluster, reserved, copies, root_entries, total = unpack_from("<HBHBHH", raw, 11)
        total = total or int.from_bytes(raw[32:36], "little")
        is_wide = raw[22:24] == b"\0\0"
        per_fat = int.from_bytes(raw[36:40] if is_wide else raw[22:24], "little")
        root_sectors = -(-root_entries * _ENTRY // sector)
        self._cluster = sector * per_cluster
        self._root_place = (reserved + copies * per_fat) * sector
        self._root_size = root_entries * _ENTRY
        self._data = self._root_place + root_sectors * sector
        self._clusters = (total * sector - self._data) // self._cluster
        if total * sector > blocks.size or self._clusters <= 0:
            raise self._damaged("it is larger than its partition")
        self._bits = 32 if is_wide else 12 if self._clusters < _FAT16_CLUSTERS else 16
        self._root_cluster = int.from_bytes(raw[44:48], "little") if self._bits == 32 else 0
        self._table = blocks.read(reserved * sector, per_fat * sector)
        if (self._clusters + 2) * self._bits > len(self._table) * 8:
            raise self._damaged("its table is too short")
        self._entries: dict[int, _Entry] = {0: _Entry(_DIRECTORY, self._root_cluster, 0)}
        self._names: dict[int, dict[str, int]] = {}

    @property
    def root(self) -> int:
        """See `FileSystem.root`."""
        return _ROOT

    def check_changeable(self) -> None:
        """Raises TargetError `unsupported-file-system` when it is a FAT32 that mtools takes for FAT16."""
        if self._bits == 32 and self._clusters < _FAT32_CLUSTERS:
            raise TargetError(
                "unsupported-file-system",
                f"{self._name} is FAT32 with only {self._clusters:,} clusters, which mtools cannot change",
                hint=f"make it with {_FAT32_CLUSTERS:,} clusters or more (`mkfs.vfat -s 1`), or without `-F 32`",
            )

    @property
    def is_case_sensitive(self) -> bool:
        """See `FileSystem.is_case_sensitive`."""
        return False

    @property
    def free(self) -> int:
        """See `FileSystem.free`."""
        return sum(self._next(n) == 0 for n in range(2, self._clusters + 2)) * self._cluster

    def node(self, number: int) -> Node:
        """See `FileSystem.node`."""
        entry = self._entries[number]
        kind = NodeKind.DIRECTORY if entry.attributes & _DIRECTORY else NodeKind.FILE
        return Node(kind, entry.size, _MODE)

    def names(self, directory: int) -> Mapping[str, int]:
        """See `FileSystem.names`."""
        if directory not in self._names:
            self._names[directory] = dict(self._read_names(directory))
        return self._names[directory]

    def content(self, file: int) -> bytes:
        """See `FileSystem.content`."""
        entry = self._entries[file]
        if entry.size > MAX_FILE_SIZE:
            raise TargetError("not-a-file", f"a file of {self._name} is larger than {MAX_FILE_SIZE >> 20} MiB")
        count = -(-entry.size // self._cluster)
        parts = [self._blocks.read(place, self._cluster) for place in self._places(entry.cluster, count)]
        if len(parts) < count:
            raise self._damaged("a file is shorter than its directory says")
        return b"".join(parts)[: entry.size]

    def link_text(self, link: int) -> str:
        """FAT has no links."""
        raise self._damaged(f"entry {link} is no link")

    def _damaged(self, reason: str) -> TargetError:
        return TargetError(
            "damaged-image", f"the file system of {self._name} is damaged: {reason}", hint="`fsck.fat -n` tells more"
        )

    def _next(self, cluster: int) -> int:
        if self._bits == 12:
            pair = int.from_bytes(self._table[cluster * 3 // 2 : cluster * 3 // 2 + 2], "little")
            return pair >> 4 if cluster & 1 else pair & 0xFFF
        width = self._bits // 8
        return int.from_bytes(self._table[cluster * width : (cluster + 1) * width], "little") & 0x0FFFFFFF

    def _places(self, cluster: int, limit: int) -> Iterator[int]:
        """Where the clusters of a chain are, `limit` at most."""
        for _ in range(limit):
            if cluster >= _END[self._bits]:
                return
            if not 2 <= cluster < self._clusters + 2:
                raise self._damaged(f"there is no cluster {cluster:,}")
            yield self._data + (cluster - 2) * self._cluster
            cluster = self._next(cluster)

    def _pieces(self, directory: int) -> Iterator[tuple[int, bytes]]:
        """The pieces of a directory, each with its place."""
        cluster = self._entries[directory].cluster
        if directory == self.root and self._bits != 32:
            yield self._root_place, self._blocks.read(self._root_place, self._root_size)
            return
        for place in self._places(cluster, _MAX_DIRECTORY // self._cluster + 1):
            yield place, self._blocks.read(place, self._cluster)

    def _read_names(self, directory: int) -> Iterator[tuple[str, int]]:
        long: list[bytes] = []
        for place, raw in self._pieces(directory):
            for at in range(0, len(raw) - _ENTRY + 1, _ENTRY):
                entry = raw[at : at + _ENTRY]
                if entry[0] == 0:
                    return
                if entry[0] == _DELETED:
                    long = []
                elif entry[11] & 0x3F == _LONG:
                    long = [entry] if entry[0] & 0x40 else [*long, entry]
                else:
                    name = _long_name(long, entry[:11]) or _short_name(entry)
                    long = []
                    if not entry[11] & _VOLUME and name not in {".", ".."}:
                        yield name, self._note(place + at, entry)

    def _note(self, number: int, raw: bytes) -> int:
        high, low = unpack_from("<H", raw, 20)[0], unpack_from("<H", raw, 26)[0]
        cluster = low | (high << 16 if self._bits == 32 else 0)
        self._entries[number] = _Entry(raw[11], cluster, int.from_bytes(raw[28:32], "little"))
        return number


def _long_name(parts: list[bytes], short: bytes) -> str:
    """The name that the entries before a short one spell, last part first; empty when they are not of this one."""
    total = 0
    for byte in short:
        total = ((total >> 1) | (total & 1) << 7) + byte & 0xFF
    numbers = [part[0] & 0x3F for part in parts]
    if numbers != list(range(len(parts), 0, -1)) or any(part[13] != total for part in parts):
        return ""
    raw = b"".join(part[1:11] + part[14:26] + part[28:32] for part in reversed(parts))
    return raw.decode("utf-16-le", "replace").partition("\0")[0]


def _short_name(entry: bytes) -> str:
    first = b"\xe5" if entry[0] == 0x05 else entry[:1]
    base, extension = ((first + entry[1:8]).decode("cp437").rstrip(), entry[8:11].decode("cp437").rstrip())
    base = base.lower() if entry[12] & 0x08 else base
    extension = extension.lower() if entry[12] & 0x10 else extension
    return f"{base}.{extension}" if extension else base
