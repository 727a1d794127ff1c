"""Finishing a change, or taking it back: the same steps after an interruption as without one.

Both can be interrupted anywhere and begun again: a step that is done already is left out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

from polpkg.errors import TargetError
from polpkg.targets.document import digest
from polpkg.targets.generations import current_number, is_damage
from polpkg.targets.journal import (
    BESIDE,
    Direction,
    Journal,
    kept_name,
    new_name,
    read_journal,
    source_path,
    write_journal,
)
from polpkg.targets.layout import (
    CONFIGURATION,
    CURRENT,
    GENERATIONS,
    JOURNAL,
    RECEIPT_FILE,
    STATE,
    TEMPORARY,
    discarded_path,
    generation_path,
    is_executable,
    undo_path,
    unfinished_path,
)
from polpkg.targets.receipt import parse_receipt

if TYPE_CHECKING:
    from collections.abc import Iterable

    from polpkg.targets.target import Target

_UNREADABLE = "target-failed"
"""What a disk says that cannot give back what was written: as good as damage, when there is a way back."""

_LEFTOVERS = (".new-", ".undo-", ".old-", TEMPORARY)


class Recovery(NamedTuple):
    """What became of an interrupted change: finished, or undone; and the generation that is current now."""

    outcome: Literal["finished", "undone"]
    generation: int | None


def is_interrupted(target: Target) -> bool:
    """Whether a change is under way, or was interrupted and waits for `recover`: for those who only read."""
    return target.stat(JOURNAL) is not None


def recover(target: Target) -> Recovery | None:
    """Finish or undo what an earlier process left; None when nothing was left but rubbish, which is swept away.

    The first thing that whoever changes a target does, with the lock held.  Raises TargetError.
    """
    journal = read_journal(target)
    recovery = None if journal is None else _recover(target, journal)
    sweep(target)
    return recovery


def _recover(target: Target, journal: Journal) -> Recovery:
    if journal.direction is Direction.FORWARD and _is_whole(target, journal):
        carry_out(target, journal)
        close(target, journal)
        return Recovery("finished", journal.generation)
    undo(target, journal)
    return Recovery("undone", journal.previous)


def carry_out(target: Target, journal: Journal) -> None:
    """Make the change whose journal is written.  Raises TargetError."""
    if journal.makes_generation and target.stat(unfinished_path(journal.generation)):
        target.rename(unfinished_path(journal.generation), generation_path(journal.generation))
    for position, change in enumerate(journal.changes):
        _bring_about(target, change.path, change.after, source_path(journal, position))
    _switch(target, journal.generation)


def close(target: Target, journal: Journal) -> None:
    """Forget how a change that is made is taken back.  Raises TargetError."""
    target.remove(JOURNAL)
    target.remove(undo_path(journal.generation))


def undo(target: Target, journal: Journal) -> None:
    """Take back a change whose journal is written, however far it came.  Raises TargetError."""
    _turn_back(target, journal)
    _switch(target, journal.previous)
    kept = undo_path(journal.generation)
    for position, change in reversed(tuple(enumerate(journal.changes))):
        _bring_about(target, change.path, change.before, f"{kept}/{kept_name(position)}")
    for directory in journal.directories:
        target.remove(f"{directory}/{TEMPORARY}")
    if journal.makes_generation:
        discard_generation(target, journal.generation)
    target.remove(JOURNAL)
    sweep(target)


def discard_generation(target: Target, number: int) -> None:
    """Delete a generation: at one instant it is gone, then its files are.  Raises TargetError."""
    target.remove(unfinished_path(number))
    if target.stat(generation_path(number)):
        target.remove(discarded_path(number))
        target.rename(generation_path(number), discarded_path(number))
    target.remove(discarded_path(number))


def sweep(target: Target) -> None:
    """Delete what interrupted changes left that no journal tells of: none of it was part of any state."""
    for name in target.list(GENERATIONS):
        if name.startswith(_LEFTOVERS):
            target.remove(f"{GENERATIONS}/{name}")
    for directory in (STATE, CONFIGURATION):
        target.remove(f"{directory}/{TEMPORARY}")


def find_damage(target: Target, folder: str, files: Iterable[tuple[str, str]]) -> str | None:
    """The first of `files` (relative path and digest) that in `folder` is not what it should be."""
    for relative, sha256 in files:
        path = f"{folder}/{relative}"
        if target.stat(path) is None or digest(target.read(path)) != sha256:
            return path
    return None


def find_damage_beside(target: Target, journal: Journal) -> str | None:
    """As `find_damage`, of the new content that no generation has."""
    beside = ((new_name(k), each.after) for k, each in enumerate(journal.changes) if each.source == BESIDE)
    return find_damage(target, undo_path(journal.generation), [(name, after) for name, after in beside if after])


def _is_whole(target: Target, journal: Journal) -> bool:
    """Whether the generation that a journal leads to is there, complete and unchanged."""
    places = (unfinished_path(journal.generation), generation_path(journal.generation))
    folder = next((place for place in places if target.stat(f"{place}/{RECEIPT_FILE}")), None)
    if folder is None:
        return False
    try:
        receipt = parse_receipt(target.read(f"{folder}/{RECEIPT_FILE}"), folder)
        damaged = find_damage(target, folder, receipt.files.items()) or find_damage_beside(target, journal)
    except TargetError as error:
        if is_damage(error) or error.code == _UNREADABLE:
            return False
        raise
    return damaged is None


def _turn_back(target: Target, journal: Journal) -> None:
    """Note that the way is back now, so that an interruption does not turn it round again."""
    try:
        write_journal(target, journal._replace(direction=Direction.BACK))
    except TargetError:
        if not is_interrupted(target):  # nobody would know that anything is to be taken back
            raise


def _bring_about(target: Target, path: str, wanted: str | None, source: str | None) -> None:
    """Make the file at `path` the one whose digest is `wanted`, from `source`; or none."""
    present = digest(target.read(path)) if target.stat(path) else None
    if present == wanted:
        return
    if wanted is None or source is None:
        target.remove(path)
        return
    content = target.read(source)
    if digest(content) != wanted:
        raise TargetError("damaged-state", f"{source} in {target.name} was changed: {path} is left as it is")
    target.write(path, content, executable=is_executable(path))


def _switch(target: Target, number: int | None) -> None:
    if number is None:
        target.remove(CURRENT)
    elif current_number(target) != number:
        target.write_link(CURRENT, f"generations/{number}")
