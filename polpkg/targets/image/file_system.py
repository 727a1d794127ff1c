"""What a file system in an image is to whoever reads it: numbered nodes, and directories that name them."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping


class NodeKind(Enum):
    """What a node is, itself."""

    FILE = "file"
    DIRECTORY = "directory"
    LINK = "link"
    OTHER = "other"


class Node(NamedTuple):
    """What a number stands for.  `mode`: the permission bits."""

    kind: NodeKind
    size: int
    mode: int


class FileSystem(Protocol):
    """A file system, read only.  Every method raises TargetError `damaged-image` for what contradicts itself."""

    @property
    def root(self) -> int:
        """The number of its root directory."""
        ...

    @property
    def free(self) -> int:
        """How many bytes are free."""
        ...

    @property
    def is_case_sensitive(self) -> bool:
        """Whether `A` and `a` are two names."""
        ...

    def check_changeable(self) -> None:
        """Raises TargetError `unsupported-file-system` when the programs that change it would not keep it right."""
        ...

    def node(self, number: int) -> Node:
        """What `number`, which a directory named, is."""
        ...

    def names(self, directory: int) -> Mapping[str, int]:
        """The numbers in a directory by name, without `.` and `..`."""
        ...

    def content(self, file: int) -> bytes:
        """The content of a regular file."""
        ...

    def link_text(self, link: int) -> str:
        """Where a symbolic link leads."""
        ...
