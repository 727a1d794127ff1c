"""The lock of a tree: one process changes it at a time.

An flock on one file, which the kernel lets go of when the process ends, however it ends.  A refused change leaves the
tree as it was: whoever had to make the file, and directories for it, takes them away again if nothing has come there.
"""

from __future__ import annotations

import os
from contextlib import contextmanager, suppress
from fcntl import LOCK_EX, LOCK_NB, flock
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from polpkg.errors import TargetError
from polpkg.targets.epoch import source_date_epoch
from polpkg.targets.inroot import set_time
from polpkg.targets.layout import GENERATIONS, LOCK, STATE

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from polpkg.targets.tree import TreeTarget

_MODE = 0o600
"""Only its owner may take the lock: anybody who can open the file could hold it for ever."""

_FLAGS = os.O_NOFOLLOW | os.O_CLOEXEC

_ATTEMPTS = 1000
"""How often others may make or take away a directory just when we do: whoever makes the first lock makes them all."""


class _Held(NamedTuple):
    """The lock file, open and locked; `made` are the directories that did not exist, innermost first."""

    descriptor: int
    is_new: bool
    made: tuple[str, ...]


@contextmanager
def hold_lock(tree: TreeTarget, on_wait: Callable[[str], None] | None) -> Generator[None]:
    """Hold the lock of `tree`; see `Target.lock`."""
    held = _acquire(tree, on_wait)
    try:
        yield
    finally:
        try:
            if held.is_new:
                with suppress(TargetError):  # what cannot be taken away again is in nobody's way
                    _tidy(tree, held.made)
        finally:
            os.close(held.descriptor)


def _acquire(tree: TreeTarget, on_wait: Callable[[str], None] | None) -> _Held:
    source_date_epoch()  # refused here if it is no time, before anything is made
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            held = _open(tree)
        except TargetError as error:
            if isinstance(error.__cause__, (FileNotFoundError, FileExistsError)) and attempt < _ATTEMPTS:
                continue
            raise
        try:
            _wait(tree, held.descriptor, on_wait)
            if _is_current(tree, held.descriptor):
                return held
        except BaseException:
            os.close(held.descriptor)
            raise
        os.close(held.descriptor)  # the one before us took the file away with it
    raise TargetError("target-failed", f"cannot lock {LOCK} in {tree.name}: others take it away again and again")


def _open(tree: TreeTarget) -> _Held:
    made = tuple(path for path in (STATE, "/var/lib", "/var", "/") if tree.stat(path) is None)
    with tree.place(LOCK) as entry:
        try:
            descriptor = os.open(entry.name, os.O_RDONLY | _FLAGS, dir_fd=entry.directory)
        except FileNotFoundError:
            flags = os.O_RDONLY | os.O_CREAT | _FLAGS
            descriptor = os.open(entry.name, flags, _MODE, dir_fd=entry.directory)
            set_time(descriptor)
            return _Held(descriptor, is_new=True, made=made)
        return _Held(descriptor, is_new=False, made=())


def _wait(tree: TreeTarget, descriptor: int, on_wait: Callable[[str], None] | None) -> None:
    try:
        flock(descriptor, LOCK_EX | LOCK_NB)
    except BlockingIOError:
        if on_wait is not None:
            on_wait(f"another polpkg is changing {tree.name}; waiting for it")
        flock(descriptor, LOCK_EX)
    except OSError as error:
        raise TargetError("target-failed", f"cannot lock {LOCK} in {tree.name}: {error.strerror}") from error


def _is_current(tree: TreeTarget, descriptor: int) -> bool:
    found, ours = tree.stat(LOCK), os.fstat(descriptor)
    return found is not None and found.identity == (ours.st_dev, ours.st_ino)


def _tidy(tree: TreeTarget, made: tuple[str, ...]) -> None:
    """Take away the lock file and what was made for it, as far as nothing else is there."""
    if any(name not in {"lock", "generations"} for name in tree.list(STATE)) or tree.list(GENERATIONS):
        return
    tree.remove(GENERATIONS)
    tree.remove(LOCK)
    for path in made:
        with suppress(TargetError), tree.place(path) as entry:
            os.rmdir(entry.name, dir_fd=entry.directory)
    if "/" in made:
        with suppress(OSError):
            Path(tree.root).rmdir()
