"""Places in columns: what was read from a cache has many, and hardly any is ever looked at."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from operator import lt
from typing import TYPE_CHECKING, NamedTuple, overload

from polpkg.diagnostics import Frame, Place
from polpkg.policy.ir.quick import new_tuple

if TYPE_CHECKING:
    from collections.abc import Iterable

    from polpkg.diagnostics import Source


class FrameColumns(NamedTuple):
    """Frames, callers first: the numbers of source and macro, that of the caller plus one (0 for none), the line and
    column of the call, and what `Frame` calls `missing`.
    """

    sources: array[int]
    macros: array[int]
    callers: array[int]
    lines: array[int]
    columns: array[int]
    missing: array[int]


class PlaceColumns(NamedTuple):
    """Places: the number of the frame, line and column."""

    frames: array[int]
    lines: array[int]
    columns: array[int]


class PlaceTable(Sequence[Place]):
    """Places that are made when they are asked for; the same frame is always the same object."""

    __slots__ = ("_known", "frames", "macros", "places", "sources")

    def __init__(
        self, sources: Sequence[Source], macros: Sequence[str], frames: FrameColumns, places: PlaceColumns
    ) -> None:
        """Raises ValueError when a number is not one of the table, or a caller comes after what it calls."""
        self.sources, self.macros, self.frames, self.places = sources, macros, frames, places
        count = len(frames.sources)
        self._known: list[Frame | None] = [None] * count
        within(frames.sources, len(sources))
        within(frames.macros, len(macros))
        within(places.frames, count)
        if not all(map(lt, frames.callers, range(1, count + 1))):
            raise ValueError("callers")

    def outside(self) -> frozenset[int]:
        """The numbers of the places that are in the text of no macro."""
        macros = self.frames.macros
        frames = {frame for frame, macro in enumerate(macros) if not self.macros[macro]}
        return frozenset(at for at, frame in enumerate(self.places.frames) if frame in frames)

    def frame(self, number: int) -> Frame:
        """A frame by number, made with its callers."""
        chain: list[int] = []
        known: Frame | None = None
        callers = self.frames.callers
        at = number + 1
        while at and (known := self._known[at - 1]) is None:
            chain.append(at - 1)
            at = callers[at - 1]
        for each in reversed(chain):
            known = self._known[each] = self._made(each, known)
        if known is None:
            raise IndexError(number)
        return known

    def _made(self, number: int, caller: Frame | None) -> Frame:
        frames = self.frames
        called_at = None
        if caller is not None:
            called_at = Place(caller, frames.lines[number], frames.columns[number])
        source, macro = self.sources[frames.sources[number]], self.macros[frames.macros[number]]
        return Frame(source, macro, called_at, frames.missing[number])

    def __len__(self) -> int:
        return len(self.places.frames)

    @overload
    def __getitem__(self, index: int) -> Place: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Place]: ...
    def __getitem__(self, index: int | slice) -> Place | Sequence[Place]:
        places = self.places
        if isinstance(index, slice):
            return tuple([self[at] for at in range(len(self))[index]])
        number = places.frames[index]
        frame = self._known[number] or self.frame(number)
        return new_tuple(Place, (frame, places.lines[index], places.columns[index]))


def tabulate_places(places: Iterable[Place]) -> PlaceTable:
    """The table of `places`."""
    sources: dict[Source, int] = {}
    macros: dict[str, int] = {}
    numbers: dict[Frame, int] = {}
    frames = FrameColumns(*(array("I") for _ in FrameColumns._fields))
    columns = PlaceColumns(*(array("I") for _ in PlaceColumns._fields))

    def number_of(frame: Frame) -> int:
        chain: list[Frame] = []
        inner: Frame | None = frame
        while inner is not None and inner not in numbers:
            chain.append(inner)
            inner = inner.called_at.frame if inner.called_at else None
        for each in reversed(chain):
            called = each.called_at
            row = (
                sources.setdefault(each.source, len(sources)),
                macros.setdefault(each.macro, len(macros)),
                numbers[called.frame] + 1 if called else 0,
                called.line if called else 0,
                called.column if called else 0,
                each.missing,
            )
            numbers[each] = len(numbers)
            for column, value in zip(frames, row, strict=True):
                column.append(value)
        return numbers[frame]

    for frame, line, at in places:
        for column, value in zip(columns, (number_of(frame), line, at), strict=True):
            column.append(value)
    return PlaceTable(tuple(sources), tuple(macros), frames, columns)


def outside_macros(places: Sequence[Place]) -> frozenset[int]:
    """The numbers of the places that are in the text of no macro."""
    if isinstance(places, PlaceTable):
        return places.outside()
    return frozenset(at for at, place in enumerate(places) if not place.frame.macro)


def within(numbers: array[int], count: int) -> None:
    """See that all of `numbers` are less than `count`.  Raises ValueError."""
    if numbers and max(numbers) >= count:
        raise ValueError("a number that stands for nothing")
