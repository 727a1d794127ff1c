"""Changing ext2, ext3 and ext4 with e2fsprogs: replay, change, check.

debugfs writes behind the back of a journal that was not replayed, and the next mount undoes what it wrote; so the
journal is replayed first, and nothing is written unless that worked.  debugfs also ends without an error when a command
failed: whoever calls this reads back what was written.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from polpkg.errors import TargetError
from polpkg.targets.image.file_system import NodeKind
from polpkg.targets.image.tools import last_words, run_tool

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from polpkg.targets.image.operations import Operation

_CORRECTED = 3
"""Exit codes of e2fsck(8) up to here say that the file system is good now."""

_LOST = ("orrupt", "invalid journal", "journal has been deleted")
"""What e2fsck says, and ends well, when it could not use the journal."""

_MAX_LINE = 4096
"""debugfs reads its commands into a buffer of BUFSIZ bytes."""


def replay_journal(place: str, name: str, *, timestamp: int | None = None, descriptors: Sequence[int] = ()) -> None:
    """Have what the journal holds in its place, and an unclean file system checked.

    `place`: a file that is the file system and nothing else.  Raises TargetError `damaged-image`.
    """
    done = run_tool("e2fsck", "-p", place, timestamp=timestamp, descriptors=descriptors)
    if done.returncode > _CORRECTED or any(words in done.stdout + done.stderr for words in _LOST):
        raise TargetError(
            "damaged-image",
            f"the file system of {name} cannot be brought in order without a decision: {last_words(done)}",
            hint="`e2fsck -f` on it asks what to do",
        )


def check_ext(place: str, name: str, *, timestamp: int | None = None, descriptors: Sequence[int] = ()) -> None:
    """Look through the whole file system.  Raises TargetError `damaged-image` when anything is wrong.

    `place`: a file, with `?offset=N` when the file system begins at byte N.
    """
    done = run_tool("e2fsck", "-f", "-n", place, timestamp=timestamp, descriptors=descriptors)
    if done.returncode:
        hint = "it may have been damaged before: `e2fsck -f` on it mends it"
        raise TargetError("damaged-image", f"the file system of {name} is damaged: {last_words(done)}", hint=hint)


def change_ext(place: str, operations: Sequence[Operation], *, timestamp: int, descriptors: Sequence[int] = ()) -> str:
    """Carry out `operations`; everything belongs to root and is as old as `timestamp`.

    The answer is what debugfs had to say, for whoever finds that something is missing.
    """
    with tempfile.TemporaryDirectory(prefix="polpkg-") as folder:
        script = Path(folder) / "commands"
        lines = [line for n, each in enumerate(operations) for line in _commands(each, Path(folder) / str(n))]
        script.write_text("".join(f"{line}\n" for line in lines), errors="surrogateescape")
        if any(len(line.encode(errors="surrogateescape")) > _MAX_LINE for line in lines):
            raise TargetError("odd-name", "a path is too long for debugfs")
        return last_words(
            run_tool("debugfs", "-w", "-f", str(script), place, timestamp=timestamp, descriptors=descriptors)
        )


def _commands(operation: Operation, source: Path) -> Iterator[str]:
    path = _quoted(operation.path)
    if operation.is_removed:
        yield f"{'rmdir' if operation.kind is NodeKind.DIRECTORY else 'rm'} {path}"
        return
    match operation.kind:
        case NodeKind.DIRECTORY:
            yield f"mkdir {path}"
            kind = 0o040000
        case NodeKind.LINK:
            target = operation.content.decode(errors="surrogateescape")
            yield f"symlink {path} {_quoted(target)}"
            kind = 0o120000
        case _:
            source.write_bytes(operation.content)
            yield f"write {_quoted(str(source))} {path}"
            kind = 0o100000
    yield f"sif {path} mode 0{kind | operation.mode:o}"
    yield f"sif {path} uid 0"
    yield f"sif {path} gid 0"


def _quoted(text: str) -> str:
    """A word of a command, as libss reads it: a quotation mark in it is written twice."""
    return '"' + text.replace('"', '""') + '"'
