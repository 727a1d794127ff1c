"""Making the staged changes in a copy of an image, file system by file system, and seeing that they are there."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from polpkg.errors import TargetError
from polpkg.targets.image.disk import file_of
from polpkg.targets.image.ext import ExtFileSystem
from polpkg.targets.image.ext_writer import change_ext, check_ext, replay_journal
from polpkg.targets.image.fat import FatFileSystem
from polpkg.targets.image.fat_writer import change_fat, check_fat, mend_fat
from polpkg.targets.image.file_system import NodeKind
from polpkg.targets.image.signatures import EXT
from polpkg.targets.image.staged import existing, find_place
from polpkg.targets.image.volumes import window

if TYPE_CHECKING:
    from collections.abc import Sequence

    from polpkg.targets.image.blocks import Blocks
    from polpkg.targets.image.disk import Disk
    from polpkg.targets.image.operations import Operation
    from polpkg.targets.image.staged import Entry
    from polpkg.targets.image.volumes import Volume


class VolumeChange(NamedTuple):
    """What is to be done to one volume."""

    volume: Volume
    operations: tuple[Operation, ...]


def write_changes(copy: Disk, changes: Sequence[VolumeChange], *, timestamp: int) -> None:
    """Make `changes` in a copy of the image that nobody else has; new files are as old as `timestamp`, in seconds.

    Raises TargetError and OSError; the copy is of no use then.
    """
    told = [_write(copy, change, timestamp) for change in changes]
    copy.blocks.flush()
    for change, words in zip(changes, told, strict=True):
        wrong = _find_wrong(_bytes_of(copy, change), change)
        if wrong:
            raise TargetError(
                "write-failed", f"{wrong} on {change.volume.name} does not read as it was written: {words}"
            )


def _bytes_of(copy: Disk, change: VolumeChange) -> Blocks:
    return window(copy.blocks, change.volume.partition)


def _write(copy: Disk, change: VolumeChange, timestamp: int) -> str:
    """Make one change; what the programs had to say.

    In place where that can be: e2fsck 1.47 forgets `?offset=` when it opens a file system again after a replay.
    """
    partition, name = change.volume.partition, change.volume.name
    if copy.is_raw and change.volume.kind == EXT and ExtFileSystem(_bytes_of(copy, change), name).is_clean:
        work = _Work(f"{file_of(copy.file)}?offset={partition.start}", name, timestamp, copy.descriptor)
        return work.change_clean_ext(change.operations)
    part = copy.extract(partition.start, partition.size)
    work = _Work(file_of(part), name, timestamp, part.descriptor)
    told = work.change_ext(change.operations) if change.volume.kind == EXT else work.change_fat(change.operations)
    copy.put_back(part, partition.start)
    part.close()
    return told


class _Work(NamedTuple):
    """A file system where programs find it: in `place`, through a descriptor that they inherit."""

    place: str
    name: str
    timestamp: int
    descriptor: int

    def change_ext(self, operations: Sequence[Operation]) -> str:
        replay_journal(self.place, self.name, timestamp=self.timestamp, descriptors=(self.descriptor,))
        return self.change_clean_ext(operations)

    def change_clean_ext(self, operations: Sequence[Operation]) -> str:
        told = change_ext(self.place, operations, timestamp=self.timestamp, descriptors=(self.descriptor,))
        check_ext(self.place, self.name, timestamp=self.timestamp, descriptors=(self.descriptor,))
        return told

    def change_fat(self, operations: Sequence[Operation]) -> str:
        mend_fat(self.place, self.name, descriptors=(self.descriptor,))
        told = change_fat(self.place, operations, timestamp=self.timestamp, descriptors=(self.descriptor,))
        check_fat(self.place, self.name, descriptors=(self.descriptor,))
        return told


def _find_wrong(blocks: Blocks, change: VolumeChange) -> str:
    """The path of the first thing that does not read as it was written; empty when all does."""
    name = change.volume.name
    file_system = ExtFileSystem(blocks, name) if change.volume.kind == EXT else FatFileSystem(blocks, name)
    root = existing(file_system, file_system.root)
    made = {root.fold(each.path) for each in change.operations if not each.is_removed}
    for operation in change.operations:
        if operation.is_removed and root.fold(operation.path) in made:
            continue
        try:
            entry = find_place(root, operation.path, follow=False).entry
        except OSError:
            entry = None
        if not (entry is None if operation.is_removed else _is_as_written(entry, operation)):
            return operation.path
    return ""


def _is_as_written(entry: Entry | None, operation: Operation) -> bool:
    if entry is None or entry.kind is not operation.kind:
        return False
    if entry.file_system.is_case_sensitive and entry.mode != operation.mode:  # FAT has no modes
        return False
    return entry.kind is NodeKind.DIRECTORY or entry.read() == operation.content
