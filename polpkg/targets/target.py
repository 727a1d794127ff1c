"""The one seam through which the files of a target are touched, whatever a target is.

A path is absolute, as the target sees it ("/boot/xen.gz"); links in it are followed inside the target and never lead
out of it.  Every method raises TargetError when the target does not do it, and leaves nothing half done that another
reader could see: `write` and `write_link` put the new content in place at one instant, and what they did survives a
loss of power once they have returned.
"""

from __future__ import annotations

from enum import Enum
from stat import S_IFDIR, S_IFMT, S_IFREG, S_IMODE
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from contextlib import AbstractContextManager


class FileKind(Enum):
    """What a path leads to."""

    FILE = "file"
    DIRECTORY = "directory"
    OTHER = "other"


_KINDS = {S_IFREG: FileKind.FILE, S_IFDIR: FileKind.DIRECTORY}


class FileStat(NamedTuple):
    """What a path leads to, after all links.

    `identity` is equal for two paths that lead to one file.  `mode`: the permission bits.
    """

    kind: FileKind
    size: int
    identity: tuple[int, int]
    mode: int = 0o644


def file_stat(mode: int, size: int, identity: tuple[int, int]) -> FileStat:
    """What stat(2) says of a path, `mode` with the kind in it."""
    return FileStat(_KINDS.get(S_IFMT(mode), FileKind.OTHER), size, identity, S_IMODE(mode))


class Target(Protocol):
    """A host, an image or a directory tree, as files."""

    @property
    def name(self) -> str:
        """How a person knows it: the directory, the image, the host."""
        ...

    def stat(self, path: str) -> FileStat | None:
        """What `path` leads to; None when there is nothing."""
        ...

    def read_link(self, path: str) -> str | None:
        """The text of the symbolic link at `path` itself; None when it is not a link or does not exist."""
        ...

    def list(self, path: str) -> tuple[str, ...]:
        """The names in the directory `path`, sorted; empty when there is no such directory."""
        ...

    def read(self, path: str) -> bytes:
        """The content of the file that `path` leads to.  Raises TargetError `no-such-file` when there is none."""
        ...

    def write(self, path: str, content: bytes, *, executable: bool = False) -> None:
        """Make `path` a file with this content, replacing a file or a link; missing directories are made.

        Its mode is 0644, or 0755 when it is `executable`.  With SOURCE_DATE_EPOCH the target gives all that it writes,
        links and directories too, that time (`polpkg.targets.epoch`).
        """
        ...

    def write_tree(self, path: str, files: Mapping[str, bytes]) -> None:
        """Make the new directory `path` with `files` by relative path; whatever is at `path` is removed first.

        Not at one instant: give it a name of its own, and `rename` it.
        """
        ...

    def write_link(self, path: str, destination: str) -> None:
        """Make `path` a symbolic link to `destination`, replacing a link or a file."""
        ...

    def rename(self, path: str, new_path: str) -> None:
        """Give the directory `path` the name `new_path` in the same directory, where nothing may be."""
        ...

    def remove(self, path: str) -> None:
        """Remove the file, link or whole directory at `path` itself; nothing to do when there is none."""
        ...

    def check_writable(self, sizes: Mapping[str, int]) -> None:
        """Whether files of these sizes could be written at these paths, without changing anything.

        Raises TargetError: `read-only-target`, `target-permission`, `target-full`, `not-a-directory`.
        """
        ...

    def lock(self, on_wait: Callable[[str], None] | None = None) -> AbstractContextManager[None]:
        """Keep every other process from changing the target until the context ends, or this process does.

        When another process has it, `on_wait` is called once with a line for the user, and this one waits.  Reading
        needs no lock.  A target may keep what is written to itself until then: others see it when the context has
        ended without an error, which raises TargetError when that fails; after an error nothing was written.
        """
        ...
