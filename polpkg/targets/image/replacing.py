"""The lock of an image, and the one rename that puts a changed copy in its place.

The lock is an flock on the image itself.  Whoever waited for it finds, when a change was made meanwhile, that the name
leads to another file, and waits for that one.  The copy lies beside the image under a name of its own; what a killed
process left there is swept away by the next change.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from errno import ENOTSUP, EPERM
from fcntl import LOCK_EX, LOCK_NB, flock
from pathlib import Path
from stat import S_IMODE
from typing import TYPE_CHECKING

from polpkg.errors import TargetError
from polpkg.targets.image.copying import copy_sparsely

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

_READ = os.O_RDONLY | os.O_CLOEXEC
_CREATE = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


def copy_name(path: str) -> str:
    """Where the copy of the image at `path` is while it is changed."""
    place = Path(path)
    return str(place.with_name(f".{place.name}.polpkg-new"))


@contextmanager
def hold_image(path: str, on_wait: Callable[[str], None] | None) -> Generator[None]:
    """Keep other processes from changing the image at `path`; see `Target.lock`.  Raises OSError."""
    while True:
        descriptor = os.open(path, _READ)
        try:
            try:
                flock(descriptor, LOCK_EX | LOCK_NB)
            except BlockingIOError:
                if on_wait is not None:
                    on_wait(f"another polpkg is changing {path}; waiting for it")
                    on_wait = None
                flock(descriptor, LOCK_EX)
            if os.path.samestat(os.fstat(descriptor), Path(path).stat()):
                Path(copy_name(path)).unlink(missing_ok=True)
                yield
                return
        finally:
            os.close(descriptor)


def check_replaceable(path: str, status: os.stat_result, size: int = 0) -> None:
    """Whether the image can be replaced by a copy of it that is `size` bytes larger, without changing anything.

    Raises TargetError: `image-hard-linked`, `read-only-target`, `target-permission`, `target-full`.
    """
    folder = str(Path(path).parent)
    if status.st_nlink > 1:
        raise TargetError(
            "image-hard-linked",
            f"{path} has {status.st_nlink} names: the others would keep the old content",
            hint="copy it, and change the copy: `cp --sparse=always --reflink=auto`",
        )
    found = os.statvfs(folder)
    if found.f_flag & os.ST_RDONLY:
        raise TargetError("read-only-target", f"{folder} is read-only")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise TargetError("target-permission", f"cannot write in {folder}, where the changed copy of {path} is made")
    if status.st_uid != os.geteuid() and os.geteuid():
        raise TargetError("target-permission", f"{path} belongs to somebody else, and would not any more")
    needed = status.st_blocks * 512 + size
    if found.f_bavail * found.f_frsize < needed and not _shares_blocks(path):
        raise TargetError("target-full", f"{folder} has no room for a copy of {path}: it needs {needed:,} bytes")


def _shares_blocks(path: str) -> bool:
    """Whether a copy costs nothing: tried with one, which has no name."""
    try:
        copy = os.open(str(Path(path).parent), os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC, 0o600)
    except OSError:
        return False
    try:
        return _cloned(path, copy)
    finally:
        os.close(copy)


def _cloned(path: str, copy: int) -> bool:
    from fcntl import ioctl

    from polpkg.targets.image.copying import FICLONE

    source = os.open(path, _READ)
    try:
        ioctl(copy, FICLONE, source)
    except OSError:
        return False
    finally:
        os.close(source)
    return True


@contextmanager
def changed_copy(
    path: str, descriptor: int, before: os.stat_result, told: Callable[[int, int], None]
) -> Generator[str]:
    """A private copy of the image at `path`, open as `descriptor`, which takes its place when the context ends well.

    `before`: what the image was when its files were read.
    Raises OSError, and TargetError `target-changed` when the image is not what it was any more.
    """
    copy = copy_name(path)
    made = os.open(copy, _CREATE, 0o600)
    try:
        copy_sparsely(descriptor, made, told)
        yield copy
        _keep_belongings(descriptor, made)
        os.fsync(made)
        _check_unchanged(path, before)
        Path(copy).rename(path)
    except BaseException:
        Path(copy).unlink(missing_ok=True)
        raise
    finally:
        os.close(made)
    _sync_folder(str(Path(path).parent))


def _check_unchanged(path: str, before: os.stat_result) -> None:
    now = Path(path).stat()
    if not os.path.samestat(now, before) or _version(now) != _version(before):
        raise TargetError("target-changed", f"{path} was changed by another program meanwhile")


def _version(status: os.stat_result) -> tuple[int, int]:
    return status.st_size, status.st_mtime_ns


def _keep_belongings(source: int, copy: int) -> None:
    """Owner, mode and extended attributes of the image."""
    status = os.fstat(source)
    os.fchown(copy, status.st_uid, status.st_gid)
    os.fchmod(copy, S_IMODE(status.st_mode))
    try:
        for name in os.listxattr(source):
            os.setxattr(copy, name, os.getxattr(source, name))
    except OSError as error:
        if error.errno not in {ENOTSUP, EPERM}:  # none here, or not for us to set: a label then follows from the folder
            raise


def _sync_folder(folder: str) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
