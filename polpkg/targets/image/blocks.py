"""The bytes of a disk, or of a part of it."""

from __future__ import annotations

import os
import weakref
from typing import TYPE_CHECKING, Protocol

from polpkg.errors import TargetError

if TYPE_CHECKING:
    from typing import Self


class Blocks(Protocol):
    """Bytes that can be read at any offset."""

    @property
    def size(self) -> int:
        """How many bytes there are."""
        ...

    def read(self, offset: int, length: int) -> bytes:
        """The `length` bytes at `offset`.  Raises TargetError `damaged-image` when they are not all there."""
        ...


class RawFile:
    """An open file as a disk.  Closed with `close`, or when nobody has it any more."""

    def __init__(self, descriptor: int, name: str) -> None:
        """The file behind `descriptor`, which is closed with this object; `name` is for errors."""
        self.descriptor = descriptor
        self.close = weakref.finalize(self, os.close, descriptor)
        self._name = name

    @classmethod
    def open(cls, path: str, flags: int = os.O_RDONLY) -> Self:
        """The file at `path`.  Raises OSError."""
        return cls(os.open(path, flags | os.O_CLOEXEC), path)

    @property
    def size(self) -> int:
        """See `Blocks.size`."""
        return os.fstat(self.descriptor).st_size

    def read(self, offset: int, length: int) -> bytes:
        """See `Blocks.read`."""
        content = os.pread(self.descriptor, length, offset) if length else b""
        while content and len(content) < length:
            more = os.pread(self.descriptor, length - len(content), offset + len(content))
            if not more:
                break
            content += more
        if len(content) != length:
            raise TargetError("damaged-image", f"{self._name} ends before byte {offset + length:,}")
        return content

    def write(self, offset: int, content: bytes | memoryview) -> None:
        """Write `content` at `offset`.  Raises OSError."""
        rest = memoryview(content)
        while rest:
            done = os.pwrite(self.descriptor, rest, offset)
            rest, offset = rest[done:], offset + done

    def flush(self) -> None:
        """Wait until all is on the disk below.  Raises OSError."""
        os.fsync(self.descriptor)


class Window:
    """A part of a disk: a partition."""

    def __init__(self, blocks: Blocks, start: int, size: int) -> None:
        """The `size` bytes of `blocks` from `start` on."""
        self._blocks = blocks
        self._start = start
        self._size = size

    @property
    def size(self) -> int:
        """See `Blocks.size`."""
        return self._size

    def read(self, offset: int, length: int) -> bytes:
        """See `Blocks.read`."""
        if offset < 0 or length < 0 or offset + length > self._size:
            raise TargetError(
                "damaged-image", f"a file system reaches beyond its partition, to byte {offset + length:,}"
            )
        return self._blocks.read(self._start + offset, length)
