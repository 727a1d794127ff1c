"""Writes the archive that Linux unpacks as its first file system.

Format: cpio "newc", Documentation/driver-api/early-userspace/buffer-format.rst of Linux.
"""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_ALIGNMENT = 4
_TRAILER = "TRAILER!!!"


class Entry(NamedTuple):
    """A file, a folder or a symbolic link: `mode` as in `st_mode`; the content of a link is where it leads."""

    mode: int
    content: bytes

    @classmethod
    def file(cls, content: bytes) -> Entry:
        """A file that may be run."""
        return cls(stat.S_IFREG | 0o755, content)

    @classmethod
    def folder(cls) -> Entry:
        """An empty folder."""
        return cls(stat.S_IFDIR | 0o755, b"")

    @classmethod
    def link(cls, to: str) -> Entry:
        """A symbolic link."""
        return cls(stat.S_IFLNK | 0o777, to.encode())


def pack_cpio(files: Mapping[str, Entry]) -> bytes:
    """The archive of `files` by path, relative to the root; folders that they need are added.

    The same files give the same bytes.  Archives may be put one after the other: the last one wins.
    """
    whole = {folder: Entry.folder() for path in files for folder in _folders_of(path)} | dict(files)
    entries = [*sorted(whole.items()), (_TRAILER, Entry(0, b""))]
    return b"".join(piece for number, entry in enumerate(entries, 1) for piece in _pack(number, *entry))


def _folders_of(path: str) -> Iterator[str]:
    for position, character in enumerate(path):
        if character == "/":
            yield path[:position]


def _pack(number: int, path: str, entry: Entry) -> Iterator[bytes]:
    """Header and name, then content, each up to the alignment."""
    name = path.encode() + b"\0"
    fields = (number, entry.mode, 0, 0, 1, 0, len(entry.content), 0, 0, 0, 0, len(name), 0)
    header = b"070701" + b"".join(b"%08x" % field for field in fields) + name
    for piece in (header, entry.content):
        yield piece
        yield b"\0" * (-len(piece) % _ALIGNMENT)
