"""Archives on their way: what has come so far, so that a download that broke off is resumed.

    <cache>/store/v1/partial/<sha256 of the archive>

The first line is the validator (a strong ETag or a date) of the response that the bytes after it came from; it may be
empty.  A process holds a lock (flock) on the file that it adds to, which the system takes back when the process dies; a
second process that wants the same archive does not wait but keeps its own bytes in memory, and so does one that finds
the device full.  Nothing here is trusted: whoever completes an archive compares its digest.
"""

from __future__ import annotations

import os
from io import BytesIO
from typing import TYPE_CHECKING, BinaryIO, Self

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

_LONGEST_VALIDATOR = 256


class Partial:
    """The bytes that there are of one archive; a context manager that lets go of the file, and keeps it."""

    def __init__(self, path: Path) -> None:
        own = _locked(path)
        self._path = path if own is not None else None
        self._file: BinaryIO = own if own is not None else BytesIO()
        self.validator = ""
        self._start = 0
        self.size = 0
        self._read_head()

    def _read_head(self) -> None:
        head = self._file.read(_LONGEST_VALIDATOR + 1)
        end = head.find(b"\n")
        if end < 0 or not head[:end].isascii():
            self.restart("")
            return
        self.validator = head[:end].decode()
        self._start = end + 1
        self.size = self._file.seek(0, os.SEEK_END) - self._start

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def restart(self, validator: str) -> None:
        """Forget the bytes; those to come are from a response with this validator."""
        usable = len(validator) < _LONGEST_VALIDATOR and validator.isascii() and validator.isprintable()
        self.validator = validator if usable else ""
        head = self.validator.encode() + b"\n"
        self._start = self.size = 0
        self._file.seek(0)
        self._file.truncate()
        self._write(head)
        self._start = len(head)

    def append(self, data: bytes) -> None:
        """Add what came."""
        self._write(data)
        self.size += len(data)

    def _write(self, data: bytes) -> None:
        try:
            rest = memoryview(data)
            while rest:
                rest = rest[self._file.write(rest) :]
        except OSError:
            self._go_on_in_memory(data)

    def _go_on_in_memory(self, data: bytes) -> None:
        """Give the file up, which takes no more, and keep `data` after all that it took before."""
        self._file.seek(0)
        held = self._file.read(self._start + self.size)
        self.remove()
        self._file.close()
        self._path, self._file = None, BytesIO()
        self._file.write(held + data)

    def content(self) -> bytes:
        """All bytes that there are."""
        self._file.seek(self._start)
        return self._file.read()

    def remove(self) -> None:
        """The bytes are of no more use: the archive is complete, or wrong."""
        if self._path is not None:
            self._path.unlink(missing_ok=True)


def _locked(path: Path) -> BinaryIO | None:
    """The file, locked, for reading and appending; None when another process has it or it cannot be written."""
    import fcntl

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, 0o600), "r+b", buffering=0)
    except OSError:
        return None
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.close()
        return None
    return file
