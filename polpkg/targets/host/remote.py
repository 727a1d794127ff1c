"""A host at the other end of a session with its shell: its files and its programs."""

from __future__ import annotations

import os
from contextlib import contextmanager, suppress
from time import monotonic
from typing import TYPE_CHECKING

from polpkg.errors import HostError, TargetError
from polpkg.targets.host.commands import DEFAULT_TIMEOUT, Completed
from polpkg.targets.host.failures import MISSING, failure
from polpkg.targets.host.local import command_timeout
from polpkg.targets.host.quoting import command
from polpkg.targets.host.session import SessionEnd
from polpkg.targets.host.survey import Surveys
from polpkg.targets.layout import JOURNAL, LOCK, STATE
from polpkg.targets.target import file_stat

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping, Sequence
    from contextlib import AbstractContextManager

    from polpkg.targets.host.session import Session
    from polpkg.targets.target import FileStat

_HELD_BY_ANOTHER = 75
_TRY_AGAIN = 76
_STOPPED = frozenset((124, 137, 143))
"""How `timeout` says, in its several makes, that it had to end the program."""

_GRACE = 20.0
"""Seconds that the host has to end a program that takes too long, before the session is given up."""

_ATTEMPTS = 1000


class RemoteHost:
    """The files of the host that `session` leads to, and its programs; implements `HostTarget`.

    `top` stands before each path there; it is anything but empty only for tests, which have no host to spare.  Links
    are followed by the host's own kernel.
    """

    def __init__(
        self, session: Session, name: str, *, top: str = "", again: Callable[[], RemoteHost] | None = None
    ) -> None:
        """The host that people call `name`; `again` opens another connection to it."""
        self.session = session
        self._again = again
        self._name = name
        self._top = top
        self._is_locked = False
        self._surveys = Surveys(self._ask, top, is_root=session.is_root)
        self.commands = RemoteCommands(session, name, after=self._surveys.renew)

    @property
    def name(self) -> str:
        """Its address."""
        return self._name

    def connect_again(self) -> RemoteHost:
        """The same host by a connection opened anew: whether that works is worth knowing.  Raises TargetError."""
        return self._again() if self._again else self

    def stat(self, path: str) -> FileStat | None:
        """See `Target.stat`."""
        if path == JOURNAL and not self._is_locked:  # whoever asks wants to know whether somebody changes it just now
            self._surveys.renew()
        with suppress(KeyError):
            return self._surveys.known().stat(path)
        answer = self._ask(command("stat -L -c '%f %s %d %i'", [self._at(path)]))
        if answer.status:
            return self._nothing("look at", path, answer)
        mode, size, device, inode = answer.output.split()
        return file_stat(int(mode, 16), int(size), (int(device), int(inode)))

    def read_link(self, path: str) -> str | None:
        """See `Target.read_link`."""
        with suppress(KeyError):
            return self._surveys.known().read_link(path)
        text = self._do("look at", path, command("p_read_link", [self._at(path)]))
        return os.fsdecode(text).removesuffix("\n") or None

    def list(self, path: str) -> tuple[str, ...]:
        """See `Target.list`."""
        with suppress(KeyError):
            return self._surveys.known().list(path)
        text = self._do("list", path, command("p_list", [self._at(path)]))
        return tuple(sorted(os.fsdecode(name) for name in text.split(b"\0") if name))

    def read(self, path: str) -> bytes:
        """See `Target.read`."""
        with suppress(KeyError):
            return self._surveys.known().read(path)
        return self._do("read", path, command("p_read", [self._at(path)]))

    def write(self, path: str, content: bytes, *, executable: bool = False) -> None:
        """See `Target.write`."""
        words = [self._at(path), len(content), "755" if executable else "644"]
        self._change("write", path, f"{self._make_above(path)} && {command('p_write', words)}", [content])

    def write_link(self, path: str, destination: str) -> None:
        """See `Target.write_link`."""
        line = f"{self._make_above(path)} && {command('p_link', [self._at(path), destination])}"
        self._change("link", path, line)

    def write_tree(self, path: str, files: Mapping[str, bytes]) -> None:
        """See `Target.write_tree`."""
        top = self._at(path)
        names = sorted(files)
        folders = sorted({f"{top}/{above}" for name in names for above in _above(name)})
        steps = [
            command("p_remove", [top]),
            self._make_above(path),
            command("p_make", [top, *folders]),
            *(command("p_receive", [f"{top}/{name}", len(files[name])]) for name in names),
            command("sync", [f"{top}/{name}" for name in names]) if names else "true",
            command("p_sync_names", [top, *folders]),
        ]
        self._change("write", path, " && ".join(steps), [files[name] for name in names])

    def rename(self, path: str, new_path: str) -> None:
        """See `Target.rename`."""
        self._change("rename", path, command("p_rename", [self._at(path), self._at(new_path)]))

    def remove(self, path: str) -> None:
        """See `Target.remove`."""
        with suppress(KeyError):
            if self._surveys.known().is_absent(path):
                return
        self._change("remove", path, command("p_remove", [self._at(path)]))

    def check_writable(self, sizes: Mapping[str, int]) -> None:
        """See `Target.check_writable`."""
        from polpkg.targets.host.remote_room import check_room

        paths = sorted(sizes)
        found = self._do("look at", paths[0], command("p_room", map(self._at, paths))) if paths else b""
        check_room(self.name, sizes, found.decode("ascii", "replace").splitlines())

    @contextmanager
    def _held(self, on_wait: Callable[[str], None] | None) -> Generator[None]:
        made = self._acquire(on_wait)
        self._surveys.renew()
        self._is_locked = True
        stop = self.session.keep_alive()
        try:
            yield
        finally:
            stop.set()
            self._is_locked = False
            lock, *folders = reversed(made) if made else (self._at(LOCK),)
            with suppress(HostError):  # a lock does not outlive its connection
                self._change("unlock", LOCK, command("p_unlock", [lock, self._at(STATE), *folders] if made else [lock]))

    def lock(self, on_wait: Callable[[str], None] | None = None) -> AbstractContextManager[None]:
        """See `Target.lock`.

        It is the shell on the host that has it: the lock is there until that has done what it was told, and no longer
        than two minutes after the connection died without a word.
        """
        return self._held(on_wait)

    def _acquire(self, on_wait: Callable[[str], None] | None) -> Sequence[str]:
        """Have the lock; what was made for it, outermost first and the lock itself last."""
        directories = [self._at(above) for above in ("/var", "/var/lib", STATE)]
        line = command("p_lock", [self._at(LOCK), *directories])
        for _ in range(_ATTEMPTS):
            answer = self._ask(line)
            made = answer.output.decode().splitlines()
            if answer.status == _HELD_BY_ANOTHER:
                if on_wait is not None:
                    on_wait(f"another polpkg is changing {self.name}; waiting for it")
                    on_wait = None
                answer = self._ask("p_wait", patience=None)
            if answer.status == 0:
                return made
            if answer.status != _TRY_AGAIN:
                raise failure("lock", LOCK, self.name, answer.errors)
        raise TargetError("target-failed", f"cannot lock {LOCK} in {self.name}: others take it away again and again")

    def _at(self, path: str) -> str:
        return f"{self._top}/{path.strip('/')}"

    def _make_above(self, path: str) -> str:
        return command("p_make", [self._at(above) for above in _above(path.strip("/"))])

    def _ask(self, line: str, content: Sequence[bytes] = (), *, patience: float | None = 0) -> Completed:
        try:
            return self.session.run(line, content, patience=patience)
        except SessionEnd as end:
            self._surveys.forget()  # a host that is gone answers nothing any more
            raise lost(self.name, end) from end

    def _do(self, verb: str, path: str, line: str, content: Sequence[bytes] = ()) -> bytes:
        answer = self._ask(line, content)
        if answer.status:
            raise failure(verb, path, self.name, answer.errors)
        return answer.output

    def _change(self, verb: str, path: str, line: str, content: Sequence[bytes] = ()) -> None:
        self._surveys.forget()
        self._do(verb, path, line, content)

    def _nothing(self, verb: str, path: str, answer: Completed) -> None:
        error = failure(verb, path, self.name, answer.errors)
        if error.code not in MISSING:
            raise error


class RemoteCommands:
    """Programs of the host that `session` leads to; implements `Commands`."""

    def __init__(self, session: Session, name: str, after: Callable[[], None] = lambda: None) -> None:
        """The programs of the host that people call `name`; `after` is called after each."""
        self._session = session
        self._after = after
        self._name = name

    def run(self, argv: Sequence[str], *, stdin: bytes = b"", timeout: float = DEFAULT_TIMEOUT) -> Completed:
        """See `Commands.run`."""
        line = command("p_run", [f"{timeout:g}", len(stdin), *argv])
        start = monotonic()
        try:
            ended = self._session.run(line, [stdin], patience=timeout + _GRACE)
        except SessionEnd as end:
            raise lost(self._name, end) from end
        finally:
            self._after()
        if ended.status in _STOPPED and monotonic() - start >= timeout:
            raise command_timeout(argv[0], timeout, self._name)
        return ended


def lost(name: str, end: SessionEnd) -> HostError:
    """The error about a session that ended before its time."""
    said = end.said.splitlines()
    reason = f": {said[-1]}" if said else ""
    return HostError(
        "connection-lost",
        f"the connection to {name} was lost{reason}",
        hint="if a change was under way, the next polpkg command that changes the host finishes or undoes it",
    )


def _above(path: str) -> list[str]:
    """The directories that lead to a relative path, outermost first."""
    parts = path.split("/")[:-1]
    return ["/".join(parts[: count + 1]) for count in range(len(parts))]
