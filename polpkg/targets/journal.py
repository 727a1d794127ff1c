"""The journal of a change that is under way: enough to finish it, and enough to take it back.

It is written, at one instant, after everything that the change needs is on disk: the new generation beside its place,
and the old content of every file that is about to change.  As long as it exists, the target is between two states.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Any, NamedTuple

from polpkg.errors import TargetError
from polpkg.targets.document import read_document, render_document
from polpkg.targets.layout import (
    JOURNAL,
    MARKS,
    PROJECT,
    PROJECT_LOCK,
    SYSTEM_FILES,
    generation_path,
    is_boot_configuration,
    is_policy_path,
    undo_path,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from polpkg.targets.target import Target

FORMAT = 1

BESIDE = "+"
"""The source of a file whose new content no generation has: it is kept beside the old one until the change is made."""


class Direction(Enum):
    """Where an interrupted change is to go."""

    FORWARD = "forward"
    BACK = "back"


class FileChange(NamedTuple):
    """One file outside the generations that changes.

    `before`, `after`: digests, None for no file.  `source`: the file of the generation that has the new content,
    relative to it, or `BESIDE`; None when the file is removed.
    """

    path: str
    before: str | None
    after: str | None
    source: str | None


class Journal(NamedTuple):
    """A change from generation `previous` to `generation`; equal when files of the current one are only put back."""

    generation: int
    previous: int | None
    changes: tuple[FileChange, ...]
    direction: Direction = Direction.FORWARD

    @property
    def makes_generation(self) -> bool:
        """Whether `generation` is new, and becomes the current one."""
        return self.generation != self.previous

    @property
    def directories(self) -> frozenset[str]:
        """The directories of the files that change."""
        return frozenset(change.path.rpartition("/")[0] for change in self.changes)


def kept_name(position: int) -> str:
    """The name of the file that keeps what the change at `position` replaces."""
    return str(position)


def new_name(position: int) -> str:
    """The name of the file that, beside it, has what the change at `position` brings when no generation has it."""
    return f"new-{position}"


def source_path(journal: Journal, position: int) -> str | None:
    """Where the new content of the change at `position` is; None when it removes a file."""
    source = journal.changes[position].source
    if source == BESIDE:
        return f"{undo_path(journal.generation)}/{new_name(position)}"
    return f"{generation_path(journal.generation)}/{source}" if source else None


def write_journal(target: Target, journal: Journal) -> None:
    """Write `journal`; from here on the next command finishes the change, or takes it back.  Raises TargetError."""
    document = {
        "format": FORMAT,
        "generation": journal.generation,
        "previous": journal.previous,
        "direction": journal.direction.value,
        "changes": [change._asdict() for change in journal.changes],
    }
    target.write(JOURNAL, render_document(document))


def read_journal(target: Target) -> Journal | None:
    """The journal of a change that is under way or was interrupted; None when there is none.

    Raises TargetError: `damaged-journal`, `newer-format`.
    """
    if target.stat(JOURNAL) is None:
        return None
    document = read_document(target.read(JOURNAL), JOURNAL, "damaged-journal", FORMAT)
    try:
        return _journal(document)
    except (KeyError, TypeError, ValueError) as error:
        raise TargetError("damaged-journal", f"{JOURNAL} in {target.name} is damaged: {error}") from None


def _journal(document: Mapping[str, Any]) -> Journal:
    previous = document["previous"]
    return Journal(
        int(document["generation"]),
        None if previous is None else int(previous),
        tuple(_change(each) for each in document["changes"]),
        Direction(document["direction"]),
    )


def _change(document: Mapping[str, Any]) -> FileChange:
    before, after, source = (_text_or_none(document[key]) for key in ("before", "after", "source"))
    change = FileChange(str(document["path"]), before, after, source)
    known = {PROJECT, PROJECT_LOCK, MARKS, *SYSTEM_FILES}
    if change.path not in known and not is_policy_path(change.path) and not is_boot_configuration(change.path):
        raise ValueError(f"{change.path} is not a file that polpkg writes")
    return change


def _text_or_none(value: object) -> str | None:
    return None if value is None else str(value)
