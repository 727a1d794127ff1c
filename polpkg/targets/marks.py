"""Which generations are kept whatever their number, and to which one a machine that does not boot goes back."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from polpkg.errors import TargetError
from polpkg.targets.document import read_document, render_document
from polpkg.targets.layout import MARKS

if TYPE_CHECKING:
    from polpkg.targets.target import Target

_FORMAT = 1


class Marks(NamedTuple):
    """Which generations are kept whatever their number: those pinned by hand, and the last one confirmed to boot."""

    pinned: frozenset[int] = frozenset()
    confirmed: int | None = None


def read_marks(target: Target) -> Marks:
    """Which generations are pinned and confirmed.  Raises TargetError `damaged-state`."""
    if target.stat(MARKS) is None:
        return Marks()
    document = read_document(target.read(MARKS), MARKS, "damaged-state", _FORMAT)
    try:
        confirmed = document["confirmed"]
        pinned = frozenset(int(number) for number in document["pinned"])
        return Marks(pinned, None if confirmed is None else int(confirmed))
    except (KeyError, TypeError, ValueError):
        raise TargetError("damaged-state", f"{MARKS} in {target.name} is damaged") from None


def write_marks(target: Target, marks: Marks) -> None:
    """Record which generations are pinned and confirmed.  Raises TargetError."""
    target.write(MARKS, render_marks(marks))


def render_marks(marks: Marks) -> bytes:
    """The content of the file that records marks."""
    return render_document({"format": _FORMAT, "pinned": sorted(marks.pinned), "confirmed": marks.confirmed})
