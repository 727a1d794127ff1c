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
    from polpkg.targets.image.volumes import Volume


class VolumeChange(NamedTuple):
    """What is to be done to one volume."""

    volume: Volume
    operations: tuple[Operation, ...]


def write_changes(copy: Disk, changes: Sequence[VolumeChange], *, timestamp: int) -> None:
    """Make `changes` in a copy of the image that nobody else has; new files are as old as `timestamp`, in seconds.

    Raises TargetError and OSError; the copy is of no use then.
    """
    # In place where that can be: e2fsck 1.47 forgets `?offset=` when it opens a file system again after a replay.
    for change in changes:
        partition = change.volume.partition
        name = change.volume.name
        if copy.is_raw and change.volume.kind == EXT and ExtFileSystem(_bytes_of(copy, change), name).is_clean:
            place = f"{file_of(copy.file)}?offset={partition.start}"
            _change_clean_ext(place, name, change.operations, timestamp, (copy.descriptor,))
        else:
            part = copy.extract(partition.start, partition.size)
            write = _write_ext if change.volume.kind == EXT else _write_fat
            write(file_of(part), name, change.operations, timestamp, (part.descriptor,))
            copy.put_back(part, partition.start)
            part.close()
    copy.blocks.flush()
    for change in changes:
        _read_back(_bytes_of(copy, change), change)


def _bytes_of(copy: Disk, change: VolumeChange) -> Blocks:
    return window(copy.blocks, change.volume.partition)


def _write_ext(
    place: str, name: str, operations: Sequence[Operation], timestamp: int, descriptors: tuple[int, ...]
) -> None:
    replay_journal(place, name, timestamp=timestamp, descriptors=descriptors)
    _change_clean_ext(place, name, operations, timestamp, descriptors)


def _change_clean_ext(
    place: str, name: str, operations: Sequence[Operation], timestamp: int, descriptors: tuple[int, ...]
) -> None:
    change_ext(place, operations, timestamp=timestamp, descriptors=descriptors)
    check_ext(place, name, timestamp=timestamp, descriptors=descriptors)


def _write_fat(
    place: str, name: str, operations: Sequence[Operation], timestamp: int, descriptors: tuple[int, ...]
) -> None:
    mend_fat(place, name, descriptors=descriptors)
    change_fat(place, operations, timestamp=timestamp, descriptors=descriptors)
    check_fat(place, name, descriptors=descriptors)


def _read_back(blocks: Blocks, change: VolumeChange) -> None:
    """Raises TargetError `write-failed` for what does not read as it was written."""
    name = change.volume.name
    file_system = ExtFileSystem(blocks, name) if change.volume.kind == EXT else FatFileSystem(blocks, name)
    root = existing(file_system, file_system.root)
    made = {each.path for each in change.operations if not each.is_removed}
    for operation in change.operations:
        if operation.is_removed and operation.path in made:
            continue
        try:
            entry = find_place(root, operation.path, follow=False).entry
        except OSError:
            entry = None
        if operation.is_removed:
            is_right = entry is None
        else:
            is_right = entry is not None and entry.kind is operation.kind
            if entry is not None and is_right and operation.kind is not NodeKind.DIRECTORY:
                is_right = entry.read() == operation.content
            if entry is not None and is_right and change.volume.kind == EXT:
                is_right = entry.mode == operation.mode
        if not is_right:
            raise TargetError("write-failed", f"{operation.path} on {name} does not read as it was written")
