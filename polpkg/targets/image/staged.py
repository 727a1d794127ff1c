"""The files of an image with the changes that are not written yet.

Entries are read from the file systems of the image when somebody looks at them, and changed in memory only.  What was
changed and changed back leaves no trace, so that only the difference between before and after is ever written.
"""

from __future__ import annotations

import os
from errno import EBUSY, EISDIR, ELOOP, ENOENT, ENOTDIR
from itertools import count
from typing import TYPE_CHECKING

from polpkg.errors import TargetError
from polpkg.targets.image.file_system import FileSystem, NodeKind
from polpkg.targets.inroot import DIRECTORY_MODE, MAX_LINKS
from polpkg.targets.layout import TEMPORARY
from polpkg.targets.tree import FILE_MODE

if TYPE_CHECKING:
    from collections.abc import Iterator

_NEW = count(1)

MAX_DEPTH = 32
"""How deep directories are nested that are removed or moved as a whole."""


class Entry:
    """A file, directory or link.  `number` is that of `file_system`; negative when it is new, and `content` is its own.

    `reason`: why a directory, the mount point of what polpkg cannot read, cannot be entered.
    """

    __slots__ = ("_children", "content", "file_system", "kind", "mode", "mounted", "number", "reason", "size")

    def __init__(self, file_system: FileSystem, kind: NodeKind, mode: int, number: int | None = None) -> None:
        self.file_system = file_system
        self.kind = kind
        self.mode = mode
        self.number = -next(_NEW) if number is None else number
        self.content = b""
        self.size = 0
        self.mounted: Entry | None = None
        self.reason = ""
        self._children: dict[str, tuple[str, Entry]] | None = {} if number is None else None

    @property
    def is_new(self) -> bool:
        """Whether the image does not have it yet."""
        return self.number < 0

    @property
    def is_loaded(self) -> bool:
        """Whether somebody has looked into this directory."""
        return self._children is not None

    @property
    def children(self) -> dict[str, tuple[str, Entry]]:
        """What a directory has: name and entry by the name as it is compared.  Raises TargetError."""
        if self.reason:
            raise TargetError("unsupported-file-system", self.reason, hint="mount it, and use --root")
        if self._children is None:
            names = self.file_system.names(self.number)
            self._children = {self.fold(name): (name, existing(self.file_system, n)) for name, n in names.items()}
        return self._children

    def fold(self, name: str) -> str:
        """A name as this directory compares it."""
        return name if self.file_system.is_case_sensitive else name.casefold()

    def put(self, name: str, child: Entry) -> None:
        """Have `child` under `name`, instead of what was there."""
        self.children[self.fold(name)] = (name, child)

    def read(self) -> bytes:
        """The content of a file, or the text of a link."""
        if self.is_new:
            return self.content
        if self.kind is NodeKind.LINK:
            return os.fsencode(self.file_system.link_text(self.number))
        return self.file_system.content(self.number)


def existing(file_system: FileSystem, number: int) -> Entry:
    """The entry that `file_system` has under `number`."""
    node = file_system.node(number)
    entry = Entry(file_system, node.kind, node.mode, number)
    entry.size = node.size
    return entry


def new_file(directory: Entry, content: bytes, mode: int = FILE_MODE) -> Entry:
    """A file to be put into `directory`."""
    return _with_content(Entry(directory.file_system, NodeKind.FILE, mode), content)


def new_link(directory: Entry, destination: str) -> Entry:
    """A symbolic link to be put into `directory`."""
    return _with_content(Entry(directory.file_system, NodeKind.LINK, 0o777), os.fsencode(destination))


def new_directory(directory: Entry) -> Entry:
    """An empty directory to be put into `directory`."""
    return Entry(directory.file_system, NodeKind.DIRECTORY, DIRECTORY_MODE)


def _with_content(entry: Entry, content: bytes) -> Entry:
    entry.content = content
    entry.size = len(content)
    return entry


class Place:
    """A name in a directory: `name` is "" for the root itself."""

    __slots__ = ("directory", "name")

    def __init__(self, directory: Entry, name: str) -> None:
        self.directory = directory
        self.name = name

    @property
    def entry(self) -> Entry | None:
        """What is there; None when there is nothing."""
        if not self.name:
            return self.directory
        found = self.directory.children.get(self.directory.fold(self.name))
        return found and (found[1].mounted or found[1])

    def put(self, entry: Entry) -> None:
        """Have `entry` there."""
        self.directory.put(self.name, entry)

    def take(self) -> None:
        """Have nothing there.  Raises OSError when something is mounted there."""
        _, entry = self.directory.children[self.directory.fold(self.name)]
        if entry.mounted:
            raise OSError(EBUSY, os.strerror(EBUSY))
        del self.directory.children[self.directory.fold(self.name)]


def find_place(root: Entry, path: str, *, follow: bool = True, make: bool = False) -> Place:
    """The place that `path` means, as `polpkg.targets.inroot.entry_below` finds it.  Raises OSError."""
    open_directories = [root]
    waiting = _parts(path)
    links = 0
    while waiting:
        part = waiting.pop()
        place = Place(open_directories[-1], part)
        if part == "..":
            del open_directories[max(len(open_directories) - 1, 1) :]
            continue
        entry = place.entry
        if entry is not None and entry.kind is NodeKind.LINK and (follow or waiting):
            links += 1
            if links > MAX_LINKS:
                raise OSError(ELOOP, os.strerror(ELOOP))
            text = os.fsdecode(entry.read())
            del open_directories[1 if text.startswith("/") else len(open_directories) :]
            waiting += _parts(text)
        elif not waiting:
            return place
        else:
            open_directories.append(_entered(place, make=make))
    return Place(open_directories[-1], "")


def _parts(path: str) -> list[str]:
    """The parts of a path that say something, the first one last."""
    return [part for part in reversed(path.split("/")) if part not in {"", "."}]


def _entered(place: Place, *, make: bool) -> Entry:
    entry = place.entry
    if entry is None:
        if not make:
            raise OSError(ENOENT, os.strerror(ENOENT))
        place.put(new_directory(place.directory))
        return _entered(place, make=False)
    if entry.kind is not NodeKind.DIRECTORY:
        raise OSError(ENOTDIR, os.strerror(ENOTDIR))
    return entry


def writable_place(root: Entry, path: str) -> Place:
    """The place to write a file or link at, its directory made.  Raises OSError when a directory is there."""
    place = find_place(root, path, follow=False, make=True)
    entry = place.entry
    if entry is not None and entry.kind is NodeKind.DIRECTORY:
        raise OSError(EISDIR, os.strerror(EISDIR))
    place.directory.children.pop(TEMPORARY, None)  # what a host left there when it lost its power
    return place


def all_below(entry: Entry, depth: int = MAX_DEPTH) -> Iterator[tuple[str, Entry]]:
    """Everything below a directory by relative path, what is in a directory after the directory itself.

    Raises TargetError `damaged-image` when directories are nested deeper than any that polpkg writes: they may be in a
    circle.
    """
    if entry.kind is not NodeKind.DIRECTORY:
        return
    if not depth:
        raise TargetError("damaged-image", f"directories are nested deeper than {MAX_DEPTH}")
    for name, child in entry.children.values():
        yield name, child
        for below, each in all_below(child, depth - 1):
            yield f"{name}/{below}", each
