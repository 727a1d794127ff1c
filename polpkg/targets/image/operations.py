"""What is to be done to a file system so that it becomes what was staged."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from polpkg.errors import TargetError
from polpkg.targets.image.file_system import NodeKind
from polpkg.targets.image.staged import all_below, existing

if TYPE_CHECKING:
    from collections.abc import Iterator

    from polpkg.targets.image.staged import Entry


class Operation(NamedTuple):
    """One step; the path begins with "/" at the root of the file system.

    Without `is_removed` the entry is made: a file with `content` and `mode`, a link to `content`, or a directory.
    """

    path: str
    kind: NodeKind
    content: bytes = b""
    mode: int = 0
    is_removed: bool = False


def find_operations(root: Entry) -> tuple[Operation, ...]:
    """The steps for one file system whose root is `root`, in an order in which they can be done; empty for none.

    Raises TargetError `odd-name` for a path that the programs which do it would take for something else.
    """
    found = tuple(_differences(root, ""))
    for operation in found:
        if any(ord(letter) < 32 or ord(letter) == 127 for letter in operation.path):
            raise TargetError("odd-name", f"{operation.path!r} has a control character: polpkg leaves it alone")
    return found


def _differences(directory: Entry, path: str) -> Iterator[Operation]:
    """What is removed, then what is made, then what is inside of that which stays."""
    if directory.is_new or not directory.is_loaded:
        return
    file_system = directory.file_system
    before = {directory.fold(name): (name, number) for name, number in file_system.names(directory.number).items()}
    after = directory.children
    fresh: list[tuple[str, Entry]] = []
    kept: list[tuple[str, Entry]] = []
    for folded, (name, entry) in after.items():
        old = before.get(folded)
        stays = old is not None and (entry.number == old[1] or _is_same(existing(file_system, old[1]), entry))
        (kept if stays else fresh).append((name, entry))
    staying = {directory.fold(name) for name, _ in kept}
    for folded, (name, number) in sorted(before.items()):
        if folded not in staying:
            yield from _removal(existing(file_system, number), f"{path}/{name}")
    for name, entry in sorted(fresh, key=lambda each: each[0]):
        yield from _creation(entry, f"{path}/{name}")
    for name, entry in sorted(kept, key=lambda each: each[0]):
        yield from _differences(entry, f"{path}/{name}")


def _is_same(old: Entry, new: Entry) -> bool:
    """Whether a file or link was replaced by its equal."""
    if old.kind is not new.kind or old.kind not in {NodeKind.FILE, NodeKind.LINK} or old.size != new.size:
        return False
    has_modes = old.file_system.is_case_sensitive and old.kind is NodeKind.FILE
    return (old.mode == new.mode or not has_modes) and old.read() == new.read()


def _removal(entry: Entry, path: str) -> Iterator[Operation]:
    for below, each in reversed(tuple(all_below(entry))):
        yield Operation(f"{path}/{below}", each.kind, is_removed=True)
    yield Operation(path, entry.kind, is_removed=True)


def _creation(entry: Entry, path: str) -> Iterator[Operation]:
    """A directory before what is in it, by name."""
    yield _made(entry, path)
    for below, each in sorted(all_below(entry), key=lambda found: found[0].split("/")):
        yield _made(each, f"{path}/{below}")


def _made(entry: Entry, path: str) -> Operation:
    if entry.kind is NodeKind.OTHER:
        raise TargetError("not-a-file", f"{path} is neither a file nor a directory, and cannot be moved")
    content = b"" if entry.kind is NodeKind.DIRECTORY else entry.read()
    return Operation(path, entry.kind, content, entry.mode)
