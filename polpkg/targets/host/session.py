"""A POSIX sh at the other end of a pair of pipes, which carries out one line after another.

`session.sh` is sent first and says what the lines may call.  A line may be followed by bytes; what it prints comes
back whole, with its exit status.  The session ends with this process, and whatever it had locked is free then.
"""

from __future__ import annotations

import os
import secrets
import select
import subprocess
from pathlib import Path
from threading import Event, RLock, Thread
from typing import TYPE_CHECKING, NamedTuple
from weakref import finalize

from polpkg.targets.host.commands import DEFAULT_TIMEOUT, Completed
from polpkg.targets.host.quoting import encoded

if TYPE_CHECKING:
    from collections.abc import Sequence

PROGRAM = Path(__file__).with_name("session.sh")
"""What the other end is told first."""

SIGN_OF_LIFE = 20.0
"""Seconds of silence after which the other end is told that this one is still there, as long as it holds the lock."""

_MAX_ANSWER = (1 << 30) + (1 << 20)
_PIECE = 1 << 16
_GOODBYE = 5.0


class SessionEnd(Exception):  # noqa: N818 - not an error of the program: whoever has the session says what it means
    """The other end is gone: its exit status, None when it still ran, and what it said on its way."""

    def __init__(self, status: int | None, said: str) -> None:
        """How it ended."""
        super().__init__(said)
        self.status = status
        self.said = said


class _Waited(NamedTuple):
    """A line that was sent and has not been answered."""

    mark: bytes
    unsent: list[memoryview]


class Session:
    """One conversation with the shell that `argv` starts."""

    def __init__(self, argv: Sequence[str], *, patience: float = DEFAULT_TIMEOUT) -> None:
        """Start it and send it its functions; `greeting` is what it says of itself.  Raises SessionEnd.

        `patience`: seconds without a byte either way after which it is given up.
        """
        # A session of its own: an interrupt from the terminal is for polpkg, which may have something to take back.
        self._process = subprocess.Popen(
            argv,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
            start_new_session=True,
        )
        assert self._process.stdin and self._process.stdout and self._process.stderr  # noqa: S101, PT018 - for the types
        self._in, self._out, self._err = (
            each.fileno() for each in (self._process.stdin, self._process.stdout, self._process.stderr)
        )
        os.set_blocking(self._in, False)
        self._close = finalize(self, _end, self._process)
        self._turn = RLock()
        self._waited: _Waited | None = None
        self._ended: SessionEnd | None = None
        self._secret = secrets.token_hex(16)
        self._count = 0
        self._patience = patience
        self.greeting = self._greet()

    @property
    def is_root(self) -> bool:
        """Whether the shell there may do everything."""
        return self.greeting.partition("\n")[0] == "0"

    def run(self, line: str, content: Sequence[bytes] = (), *, patience: float | None = 0) -> Completed:
        """Have `line` carried out, followed by `content`.  Raises SessionEnd.

        `patience`: as for the session if 0; None waits for as long as it takes.
        """
        with self._turn:
            if self._waited is not None:  # an interrupt came before its answer: that is still to come
                self._exchange(self._waited, self._patience)
            mark = self._next_mark()
            size = sum(map(len, content))
            text = encoded(f"p_content={size}; {{ {line}; }}; p_end $? {mark}\n")
            waited = _Waited(mark.encode(), [memoryview(piece) for piece in (text, *content) if piece])
            return self._exchange(waited, self._patience if patience == 0 else patience)

    def keep_alive(self) -> Event:
        """Tell the other end from time to time that this one is there, until the event that is returned is set."""
        stop = Event()
        Thread(target=self._send_signs, args=(stop,), daemon=True).start()
        return stop

    def close(self) -> None:
        """End it; nothing to do when it has ended."""
        self._ended = self._ended or SessionEnd(None, "it was closed")
        self._close()

    def _greet(self) -> str:
        mark = self._next_mark()
        # Nothing more may be sent before all of this was read: some shells read ahead.
        text = PROGRAM.read_bytes() + f"p_hello; p_end $? {mark}; p_serve; exit\n".encode()
        answer = self._exchange(_Waited(mark.encode(), [memoryview(text)]), self._patience)
        return answer.output.decode("ascii", "replace")

    def _next_mark(self) -> str:
        """What no file can contain: nobody knows it before it is sent."""
        self._count += 1
        return f"{self._secret}.{self._count}"

    def _send_signs(self, stop: Event) -> None:
        while not stop.wait(SIGN_OF_LIFE):
            if not self._turn.acquire(blocking=False):
                continue
            try:
                if self._waited is None and self._ended is None:
                    os.write(self._in, b":\n")
            except OSError:
                return  # the next line finds out
            finally:
                self._turn.release()

    def _exchange(self, waited: _Waited, patience: float | None) -> Completed:
        if self._ended is not None:
            raise self._ended
        self._waited = waited
        output, errors = _Stream(b"\n" + waited.mark + b" "), _Stream(b"\n" + waited.mark + b"\n")
        try:
            self._pump(waited.unsent, {self._out: output, self._err: errors}, patience)
        except SessionEnd as end:
            self._ended = end
            self.close()
            raise
        self._waited = None
        text, status = output.split()
        return Completed(int(status), text, errors.split()[0])

    def _pump(self, unsent: list[memoryview], streams: dict[int, _Stream], patience: float | None) -> None:
        """Send and receive until both streams have come to their mark."""
        poll = select.poll()
        poll.register(self._out, select.POLLIN)
        poll.register(self._err, select.POLLIN)
        if unsent:
            poll.register(self._in, select.POLLOUT)
        open_streams = set(streams)
        while not all(stream.is_whole for stream in streams.values()):
            ready = poll.poll(None if patience is None else patience * 1000)
            if not ready:
                raise SessionEnd(None, f"it said nothing for {patience:g} seconds")
            for descriptor, _ in ready:
                if descriptor == self._in:
                    if not _send(self._in, unsent):
                        poll.unregister(self._in)
                elif not streams[descriptor].receive(descriptor):
                    poll.unregister(descriptor)
                    open_streams.discard(descriptor)
            if self._out not in open_streams:
                raise self._how_it_ended(streams[self._err], drained=self._err not in open_streams)

    def _how_it_ended(self, errors: _Stream, *, drained: bool) -> SessionEnd:
        """What is known once nothing more comes; `drained` when all that it said has been read."""
        try:
            status = self._process.wait(_GOODBYE)
        except subprocess.TimeoutExpired:
            return SessionEnd(None, "it closed the connection")
        poll = select.poll()  # a connection that ssh shares with others may keep the stream open for ever
        poll.register(self._err, select.POLLIN)
        while not drained and poll.poll(0):
            drained = not errors.receive(self._err)
        return SessionEnd(status, errors.split()[0].decode("utf-8", "replace").strip())


class _Stream:
    """What comes on one descriptor, up to the mark that ends it."""

    def __init__(self, mark: bytes) -> None:
        self._mark = mark
        self.received = bytearray()
        self._end = -1

    @property
    def is_whole(self) -> bool:
        return self._end >= 0 and self.received.endswith(b"\n")

    def receive(self, descriptor: int) -> bool:
        """Read what is there; false at the end of the stream."""
        piece = os.read(descriptor, _PIECE)
        start = max(0, len(self.received) - len(self._mark))
        self.received += piece
        if self._end < 0:
            self._end = self.received.find(self._mark, start)
        if len(self.received) > _MAX_ANSWER:
            raise SessionEnd(None, "it sent more than a file can have")
        return bool(piece)

    def split(self) -> tuple[bytes, bytes]:
        """What came before the mark, and after it; all of it when there is none."""
        if self._end < 0:
            return bytes(self.received), b""
        return bytes(self.received[: self._end]), bytes(self.received[self._end + len(self._mark) :]).strip()


def _send(descriptor: int, unsent: list[memoryview]) -> bool:
    """Send what can be sent now; whether anything is left.  When nobody listens any more, nothing is."""
    try:
        written = os.write(descriptor, unsent[0][:_PIECE])
    except BrokenPipeError:
        unsent.clear()
        return False
    unsent[0] = unsent[0][written:]
    if not unsent[0]:
        unsent.pop(0)
    return bool(unsent)


def _end(process: subprocess.Popen[bytes]) -> None:
    """Say goodbye, and do not wait long for an answer."""
    for stream in (process.stdin, process.stdout, process.stderr):
        if stream is not None:
            stream.close()
    try:
        process.wait(_GOODBYE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
