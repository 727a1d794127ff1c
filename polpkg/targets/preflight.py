"""What can be known, before anything is changed, about whether a tree can be written: rights, kind and room."""

from __future__ import annotations

import os
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from polpkg.errors import TargetError
from polpkg.targets.inroot import entry_below

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Mapping

_DIRECTORY_BLOCKS = 2
"""Blocks set aside for each new file's directory entry and for directories that have to be made."""


class Volume(NamedTuple):
    """A file system that files go to, and how many bytes and files it can still take."""

    free: int
    files: int
    block: int


def check_room(root: str, sizes: Mapping[str, int]) -> None:
    """Whether files of these sizes can be written at these paths below `root`; see `Target.check_writable`."""
    check_volumes(root, ((size, *_volume_of(root, path)) for path, size in sorted(sizes.items())))


def check_volumes(name: str, wanted: Iterable[tuple[int, int, Volume]]) -> None:
    """Whether files fit: the size of each, and the number and state of the file system that it goes to.

    `name` is the target's.  Raises TargetError `target-full`.
    """
    sizes: dict[int, list[int]] = {}
    volumes: dict[int, Volume] = {}
    for size, device, volume in wanted:
        volumes[device] = volume
        sizes.setdefault(device, []).append(size)
    for device, needed in sizes.items():
        _check_volume(name, volumes[device], needed)


def _check_volume(name: str, volume: Volume, sizes: list[int]) -> None:
    blocks = sum(-(-size // volume.block) + _DIRECTORY_BLOCKS for size in sizes)
    if blocks * volume.block > volume.free:
        raise TargetError(
            "target-full",
            f"{name} has {volume.free} bytes free where {blocks * volume.block} are needed",
            hint="make room, or keep fewer generations",
        )
    if volume.files < 2 * len(sizes):
        raise TargetError("target-full", f"{name} has only {volume.files} inodes free for {len(sizes)} new files")


def _volume_of(root: str, path: str) -> tuple[int, Volume]:
    with ExitStack() as stack:
        directory = _deepest_directory(stack, root, path)
        if not os.access(".", os.W_OK | os.X_OK, dir_fd=directory, effective_ids=True):
            raise _refusal(root, path, directory)
        found = os.statvfs(directory)
        free = found.f_bavail if os.geteuid() else found.f_bfree
        files = found.f_favail if found.f_files else 1 << 62  # a file system without inodes says 0
        return os.fstat(directory).st_dev, Volume(free * found.f_frsize, files, found.f_frsize)


def _refusal(root: str, path: str, directory: int) -> TargetError:
    if os.statvfs(directory).f_flag & os.ST_RDONLY:
        return TargetError(
            "read-only-target", f"{root} is read-only: {path} cannot be written", hint="remount it read-write"
        )
    return TargetError("target-permission", f"no permission to write {path} in {root}", hint="run polpkg as root")


def _deepest_directory(stack: ExitStack, root: str, path: str) -> int:
    """The directory that `path` is to be in, or the nearest one above it that exists, open."""
    top = stack.enter_context(_opened(_existing(root)))
    if not Path(root).is_dir():
        return top
    _refuse_directory(top, root, path)
    above = path.rpartition("/")[0]
    while above:
        try:
            entry = stack.enter_context(entry_below(top, above))
            return stack.enter_context(_opened(entry.name, entry.directory))
        except FileNotFoundError:
            above = above.rpartition("/")[0]
        except NotADirectoryError:
            raise TargetError("not-a-directory", f"{above} in {root} is in the way: it is not a directory") from None
        except OSError as error:
            raise TargetError("target-failed", f"cannot look at {above} in {root}: {error.strerror}") from error
    return top


def _refuse_directory(top: int, root: str, path: str) -> None:
    try:
        with entry_below(top, path, follow=False) as entry:
            in_the_way = entry.is_directory()
    except OSError:
        return  # what is wrong above it is found on the way there
    if in_the_way:
        raise TargetError("not-a-file", f"{path} in {root} is in the way: it is a directory")


def _existing(path: str) -> str:
    """`path`, or the nearest directory above it that exists."""
    return next(str(found) for found in (Path(path), *Path(path).parents) if found.exists())


@contextmanager
def _opened(name: str, directory: int | None = None) -> Generator[int]:
    descriptor = os.open(name, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=directory)
    try:
        yield descriptor
    finally:
        os.close(descriptor)
