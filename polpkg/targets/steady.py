"""Looking at a target without its lock: what was seen while somebody changed it is looked at once more.

A reader cannot wait for the lock, which a change may hold while it asks a person.  The files that are replaced one by
one change within moments, though, and a journal tells of it from before the first one until after the last.
"""

from __future__ import annotations

from time import sleep
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from polpkg.errors import TargetError
from polpkg.targets.generations import generation_numbers
from polpkg.targets.layout import CURRENT, JOURNAL, MARKS

if TYPE_CHECKING:
    from collections.abc import Callable

    from polpkg.targets.target import Target

T = TypeVar("T")

_ATTEMPTS = 10
_PAUSE = 0.05
"""Seconds between two looks at the journal; after ten of them the change counts as interrupted."""


class _Moment(NamedTuple):
    """By what one tells that nothing was changed between two moments."""

    current: str | None
    generations: tuple[int, ...]
    marks: bytes | None
    is_changing: bool


def read_steadily(target: Target, read: Callable[[], T]) -> T:
    """What `read` returns when nobody changes `target` meanwhile; it is called again until then.

    When a change does not end, because it was interrupted, what is seen then counts.  Raises what `read` raises.
    """
    for _ in range(_ATTEMPTS):
        before = _settled(target)
        if before.is_changing:
            break
        try:
            result = read()
        except TargetError:
            if _moment(target) == before:
                raise
        else:
            if _moment(target) == before:
                return result
    return read()


def _settled(target: Target) -> _Moment:
    """The moment when a change has ended, or nobody waits for it any longer."""
    for _ in range(_ATTEMPTS):
        moment = _moment(target)
        if not moment.is_changing:
            return moment
        sleep(_PAUSE)
    return _moment(target)


def _moment(target: Target) -> _Moment:
    changing = target.stat(JOURNAL) is not None
    marks = target.read(MARKS) if target.stat(MARKS) else None
    return _Moment(target.read_link(CURRENT), generation_numbers(target), marks, changing)
