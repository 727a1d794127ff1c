"""An `os` for the modules that write trees, of which one chosen call goes wrong, or ends the process.

    faulty = FaultyOs(at=17, mode="kill")
    with faulty.in_use(monkeypatch):
        act()                                   # raises `Killed` at the 17th call that changes something

Calls that change something are counted; `FaultyOs()` counts them and lets them all pass.
"""

from __future__ import annotations

import os
import signal
from contextlib import contextmanager
from errno import EACCES, EIO, ENOSPC, EROFS

from polpkg.targets import inroot, tree, tree_lock

CHANGING = {"write", "fsync", "rename", "unlink", "mkdir", "rmdir", "symlink", "fchmod"}

ERRORS = {
    "no space": ENOSPC,
    "disk full": ENOSPC,
    "one error": EIO,
    "broken disk": EIO,
    "read-only": EROFS,
    "no permission": EACCES,
}
"""What a call fails with; all but "no space", "one error" and "no permission" stay as they are from then on."""

_LASTING = {"disk full", "broken disk", "read-only"}
_FREEING = {"unlink", "rmdir", "fsync", "rename"}
"""What still works on a full disk."""


class Killed(BaseException):
    """The process is gone."""


class FaultyOs:
    """`os`, of which the call number `at` that changes something goes wrong in the way that `mode` says.

    The errors of `ERRORS`; "error after": it was done, and fails all the same; "cannot read": opening a file fails, and
    only that is counted; "interrupt": Ctrl-C; "kill", "kill after": the process ends before, with half of what was to
    be written, or after; "power cut": and the content of all files that were not waited for is gone.

    `really`: the process ends by SIGKILL, for a child of the test; otherwise by `Killed`.
    """

    def __init__(self, at=None, mode="none", *, really=False):
        self.at = at
        self.mode = mode
        self.really = really
        self.count = 0
        self.dead = False
        self.unsynced = {}

    def __getattr__(self, name):
        real = getattr(os, name)
        if name == "open":
            return self._open
        return self._counted(name, real) if name in CHANGING else real

    @contextmanager
    def in_use(self, monkeypatch):
        """Have the modules of trees use it for the context."""
        with monkeypatch.context() as patch:
            for module in (inroot, tree, tree_lock):
                patch.setattr(module, "os", self)
            try:
                yield
            finally:
                self.release()

    def _open(self, path, flags, mode=0o777, *, dir_fd=None):
        if flags & os.O_CREAT:
            return self._counted("open", os.open)(path, flags, mode, dir_fd=dir_fd)
        if self.mode == "cannot read" and not flags & (os.O_PATH | os.O_DIRECTORY):
            self.count += 1
            if self.count == self.at:
                raise OSError(EIO, "Input/output error")
        return os.open(path, flags, mode, dir_fd=dir_fd)

    def _counted(self, name, real):
        def call(*args, **kwargs):
            if self.dead:
                raise Killed
            if self.mode == "cannot read":
                return None if name == "fsync" else real(*args, **kwargs)
            self.count += 1
            hit = self.count == self.at
            if hit or (self.mode in _LASTING and self.at is not None and self.count > self.at):
                self._before(name, args)
            result = None if name == "fsync" else real(*args, **kwargs)
            self._track(name, args)
            if hit:
                self._after()
            return result

        return call

    def _before(self, name, args):
        if self.mode == "disk full" and name in _FREEING:
            return
        if name == "write" and self.mode in ("no space", "disk full", "kill"):
            os.write(args[0], bytes(args[1])[: len(args[1]) // 2])
        if self.mode in ERRORS:
            raise OSError(ERRORS[self.mode], os.strerror(ERRORS[self.mode]))
        match self.mode:
            case "interrupt":
                raise KeyboardInterrupt
            case "kill":
                self.die()
            case "power cut":
                self.die(lose=True)

    def _after(self):
        match self.mode:
            case "error after":
                raise OSError(EIO, "Input/output error")
            case "kill after":
                self.die()

    def _track(self, name, args):
        if name == "write":
            number = os.fstat(args[0]).st_ino
            if number not in self.unsynced:
                self.unsynced[number] = os.dup(args[0])
        elif name == "fsync" and (kept := self.unsynced.pop(os.fstat(args[0]).st_ino, None)) is not None:
            os.close(kept)

    def die(self, *, lose=False):
        self.dead = True
        for kept in self.unsynced.values():
            if lose:
                os.ftruncate(kept, 0)
        if self.really:
            os.kill(os.getpid(), signal.SIGKILL)
        self.release()
        raise Killed

    def release(self):
        for kept in self.unsynced.values():
            os.close(kept)
        self.unsynced.clear()
