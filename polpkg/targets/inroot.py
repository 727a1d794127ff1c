"""Finding a file below a directory that stands for `/`, without ever leaving it.

Links are followed as the target itself would follow them: an absolute one starts at the root again, `..` stops there.
Each directory is entered by its own descriptor and never by a path, so that nobody who moves things about in the tree
meanwhile can lead the walk outside (what openat2's RESOLVE_IN_ROOT does in the kernel; Python cannot call it).
"""

from __future__ import annotations

import os
from contextlib import contextmanager, suppress
from errno import EINVAL, ELOOP
from stat import S_ISDIR
from typing import TYPE_CHECKING, NamedTuple

from polpkg.targets.epoch import source_date_epoch

if TYPE_CHECKING:
    from collections.abc import Generator

MAX_LINKS = 40
"""How many links one path may go through: Linux's own limit."""

DIRECTORY_MODE = 0o755

_WALK = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_LIST = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class Entry(NamedTuple):
    """A name in a directory that is open; the root itself is "." in the root."""

    directory: int
    name: str

    def status(self) -> os.stat_result | None:
        """What the name is, itself; None when there is nothing."""
        try:
            return os.stat(self.name, dir_fd=self.directory, follow_symlinks=False)
        except FileNotFoundError:
            return None

    def is_directory(self) -> bool:
        """Whether the name is a directory, and no link to one."""
        status = self.status()
        return status is not None and S_ISDIR(status.st_mode)


@contextmanager
def entry_below(root: int, path: str, *, follow: bool = True, make: bool = False) -> Generator[Entry]:
    """The entry that `path` means below the directory `root`, both open as long as the context.

    `follow`: whether a link in the last place is followed too.  `make`: make the directories on the way that are
    missing.  Raises OSError.
    """
    walk = _Walk(root)
    try:
        yield walk.to(path, follow=follow, make=make)
    finally:
        walk.rise_to(1)


class _Walk:
    """The directories from the root to where the walk is, each by its descriptor."""

    def __init__(self, root: int) -> None:
        self._open = [root]

    @property
    def here(self) -> int:
        return self._open[-1]

    def rise_to(self, depth: int) -> None:
        while len(self._open) > max(depth, 1):
            os.close(self._open.pop())

    def to(self, path: str, *, follow: bool, make: bool) -> Entry:
        waiting = _parts(path)
        links = 0
        while waiting:
            part = waiting.pop()
            is_last = not waiting
            link = _link_text(self.here, part) if part != ".." and (follow or not is_last) else None
            if part == "..":
                self.rise_to(len(self._open) - 1)
            elif link is not None:
                links += 1
                if links > MAX_LINKS:
                    raise OSError(ELOOP, os.strerror(ELOOP))
                self.rise_to(1 if link.startswith("/") else len(self._open))
                waiting += _parts(link)
            elif is_last:
                return Entry(self.here, part)
            else:
                self._open.append(_enter(self.here, part, make=make))
        return Entry(self.here, ".")


def _parts(path: str) -> list[str]:
    """The parts of a path that say something, the first one last."""
    return [part for part in reversed(path.split("/")) if part not in {"", "."}]


def _link_text(directory: int, name: str) -> str | None:
    try:
        return os.readlink(name, dir_fd=directory)
    except FileNotFoundError:
        return None
    except OSError as error:
        if error.errno == EINVAL:  # not a link
            return None
        raise


def _enter(directory: int, name: str, *, make: bool) -> int:
    try:
        return os.open(name, _WALK, dir_fd=directory)
    except FileNotFoundError:
        if not make:
            raise
    make_directory(Entry(directory, name))
    return os.open(name, _WALK, dir_fd=directory)


def make_directory(entry: Entry) -> None:
    """Make a directory, mode 0755 whatever the umask, and wait until its name is on disk."""
    os.mkdir(entry.name, DIRECTORY_MODE, dir_fd=entry.directory)
    made = os.open(entry.name, _LIST, dir_fd=entry.directory)
    try:
        set_mode(made, DIRECTORY_MODE)
    finally:
        os.close(made)
    sync_directory(entry.directory)


def set_mode(descriptor: int, mode: int) -> None:
    """Set the mode of a file that this process made.

    A file system without modes (an EFI system partition) refuses what its owner may otherwise always do; that is fine.
    """
    try:
        os.fchmod(descriptor, mode)
    except PermissionError:
        return


def set_time(entry: int | Entry) -> None:
    """Give what this process wrote, open or by its name, the time SOURCE_DATE_EPOCH, when that is set.

    A directory that is somebody else's refuses it, as in `set_mode`.  Raises TargetError when it is no time.
    """
    moment = source_date_epoch()
    if moment is None:
        return
    with suppress(PermissionError):
        if isinstance(entry, int):
            os.utime(entry, (moment, moment))
        else:
            os.utime(entry.name, (moment, moment), dir_fd=entry.directory, follow_symlinks=False)


def sync_directory(directory: int) -> None:
    """Wait until the names in a directory are on disk; some network file systems cannot and need not (EINVAL)."""
    listing = os.open(".", _LIST, dir_fd=directory)
    try:
        set_time(listing)
        os.fsync(listing)
    except OSError as error:
        if error.errno != EINVAL:
            raise
    finally:
        os.close(listing)


def list_names(entry: Entry) -> tuple[str, ...]:
    """The names in the directory that `entry` is, sorted."""
    listing = os.open(entry.name, _LIST, dir_fd=entry.directory)
    try:
        with os.scandir(listing) as found:
            return tuple(sorted(each.name for each in found))
    finally:
        os.close(listing)


def remove_entry(entry: Entry) -> None:
    """Remove a file, a link, or a directory with all that is in it; links in it are removed, not followed."""
    if not entry.is_directory():
        os.unlink(entry.name, dir_fd=entry.directory)
        return
    inside = os.open(entry.name, _LIST, dir_fd=entry.directory)
    try:
        with os.scandir(inside) as found:
            names = [each.name for each in found]
        for name in names:
            remove_entry(Entry(inside, name))
    finally:
        os.close(inside)
    os.rmdir(entry.name, dir_fd=entry.directory)
