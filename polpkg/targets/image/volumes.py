"""The file systems of an image, and which of them is the root."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, NamedTuple

from polpkg.errors import TargetError
from polpkg.targets.image.blocks import Blocks, Window
from polpkg.targets.image.ext import ExtFileSystem
from polpkg.targets.image.fat import FatFileSystem
from polpkg.targets.image.partitions import Partition, read_partitions
from polpkg.targets.image.signatures import EXT, FAT, Signature, identify

if TYPE_CHECKING:
    from polpkg.targets.image.disk import Disk

_WITH_LIBGUESTFS = "`guestmount -a {image} -i DIR` (Debian: libguestfs-tools) mounts it; then use --root DIR"


class Volume(NamedTuple):
    """A partition and what is on it; `partition` has the number 0 when it is the whole disk."""

    partition: Partition
    signature: Signature | None

    @property
    def name(self) -> str:
        """What a person calls it."""
        return f"partition {self.partition.number}" if self.partition.number else "the disk"

    @property
    def kind(self) -> str:
        """What is on it, in words."""
        return self.signature.kind if self.signature else "nothing that is known"


def find_volumes(disk: Disk) -> tuple[Volume, ...]:
    """What is on the disk of an image: its partitions, or the one file system that fills it.

    Raises TargetError `damaged-partition-table`, `unsupported-image`.
    """
    whole = identify(disk.blocks)
    if whole is not None:
        if whole.kind in {EXT, FAT} and read_partitions(disk.blocks):
            raise TargetError(
                "unsupported-image",
                f"{disk.path} has a partition table and, around it, {whole.kind}: one of them is left over",
                hint="`wipefs FILE` lists both, and takes away the one that is not meant",
            )
        return (Volume(Partition(0, 0, disk.blocks.size, "", ""), whole),)
    partitions = read_partitions(disk.blocks)
    if not partitions:
        raise TargetError("unsupported-image", f"{disk.path} has neither partitions nor a file system that is known")
    return tuple(Volume(each, identify(window(disk.blocks, each))) for each in partitions)


def window(blocks: Blocks, partition: Partition) -> Window:
    """The bytes of a partition."""
    return Window(blocks, partition.start, partition.size)


def open_volume(disk: Disk, volume: Volume) -> ExtFileSystem | FatFileSystem:
    """The file system of a volume, its journal replayed: on a private copy of the partition where that is needed.

    Raises TargetError `unsupported-file-system`, `damaged-image`.
    """
    blocks = window(disk.blocks, volume.partition)
    name = f"{disk.path}, {volume.name}" if volume.partition.number else disk.path
    if volume.kind == FAT:
        return FatFileSystem(blocks, name)
    if volume.kind != EXT:
        raise TargetError(
            "unsupported-file-system",
            f"{name} is {volume.kind}: polpkg itself reads ext2, ext3, ext4 and FAT",
            hint=_WITH_LIBGUESTFS.format(image=shlex.quote(disk.path)),
        )
    file_system = ExtFileSystem(blocks, name)
    if file_system.is_clean:
        return file_system
    from polpkg.targets.image.disk import file_of
    from polpkg.targets.image.ext_writer import replay_journal

    if file_system.needs_recovery:
        file_system.check_journal()
    part = disk.extract(volume.partition.start, volume.partition.size)
    replay_journal(file_of(part), name, descriptors=(part.descriptor,))
    return ExtFileSystem(part, name)


def find_root(disk: Disk, volumes: tuple[Volume, ...], chosen: int | None) -> Volume:
    """The volume that is the root: the partition `chosen`, or the only one that looks like one.

    Raises TargetError `no-root-partition`, `several-root-partitions`, `unsupported-file-system`.
    """
    there = ", ".join(f"{each.partition.number} ({each.kind})" for each in volumes)
    if chosen is not None:
        found = [each for each in volumes if each.partition.number == chosen]
        if not found:
            raise TargetError("no-root-partition", f"{disk.path} has no partition {chosen}", hint=f"it has: {there}")
        return found[0]
    if not volumes[0].partition.number:
        return volumes[0]
    candidates = [each for each in volumes if each.kind == EXT and _looks_like_root(open_volume(disk, each))]
    if len(candidates) == 1:
        return candidates[0]
    if candidates:
        numbers = " and ".join(str(each.partition.number) for each in candidates)
        hint = "`--partition N` says which one is meant"
        raise TargetError("several-root-partitions", f"{disk.path} has a root on partitions {numbers}", hint=hint)
    raise TargetError(
        "no-root-partition",
        f"no partition of {disk.path} is the root of a system on ext2, ext3 or ext4; it has: {there}",
        hint=_WITH_LIBGUESTFS.format(image=shlex.quote(disk.path)),
    )


def _looks_like_root(file_system: ExtFileSystem | FatFileSystem) -> bool:
    names = file_system.names(file_system.root)
    if "etc" not in names:
        return False
    return bool({"usr", "bin", "sbin", "var"} & set(names)) or "fstab" in file_system.names(names["etc"])
