"""Linked rules in columns: as many bytes each as they have numbers, and made into rules when they are looked at."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from itertools import chain, repeat
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar, cast, overload

from polpkg.policy.ir.quick import new_tuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from polpkg.diagnostics import Place

Rule = TypeVar("Rule")


class Columns(NamedTuple):
    """What rules are about, by number; sources, targets and values; the numbers of places."""

    about: array[int]
    sources: array[int]
    targets: array[int]
    values: array[int]
    rows: array[int]


class RuleColumns(Sequence[Rule]):
    """Rules of class `made`, which has the fields kind, source, target, class, value and place, in that order.

    `abouts` are pairs of kind and class.  Values are permissions or types.
    """

    __slots__ = ("about", "abouts", "columns", "made", "places", "sources", "targets", "values")

    def __init__(
        self, made: type[Rule], abouts: Sequence[tuple[Any, int]], columns: Columns, places: Sequence[Place]
    ) -> None:
        """Takes all parts as they are."""
        self.made, self.abouts, self.columns, self.places = made, abouts, columns, places
        self.about, self.sources, self.targets, self.values, _ = columns

    def part(self, start: int, end: int) -> RuleColumns[Rule]:
        """The rules from number `start` to before number `end`."""
        if start == 0 and end == len(self):
            return self
        columns = Columns._make(column[start:end] for column in self.columns)
        return RuleColumns(self.made, self.abouts, columns, self.places)

    def picked(self, numbers: Iterable[int]) -> Iterator[Rule]:
        """The rules with these numbers."""
        made, abouts, places, rows = self.made, self.abouts, self.places, self.columns.rows
        for at in numbers:
            kind, security_class = abouts[self.about[at]]
            fields = (kind, self.sources[at], self.targets[at], security_class, self.values[at], places[rows[at]])
            yield cast("Rule", new_tuple(made, fields))

    def kinds_and_classes(self) -> array[int]:
        """The number of the class of each rule times 65,536, plus the number of its kind."""
        numbers = [security_class << 16 | kind for kind, security_class in self.abouts]
        return array("I", map(numbers.__getitem__, self.about))

    def __len__(self) -> int:
        return len(self.about)

    def __iter__(self) -> Iterator[Rule]:
        kinds, classes = [kind for kind, _ in self.abouts], [number for _, number in self.abouts]
        fields = zip(
            map(kinds.__getitem__, self.about),
            self.sources,
            self.targets,
            map(classes.__getitem__, self.about),
            self.values,
            map(self.places.__getitem__, self.columns.rows),
            strict=True,
        )
        return cast("Iterator[Rule]", map(new_tuple, repeat(self.made), fields))

    @overload
    def __getitem__(self, index: int) -> Rule: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Rule]: ...
    def __getitem__(self, index: int | slice) -> Rule | Sequence[Rule]:
        numbers = range(len(self.about))[index]
        return tuple(self.picked(numbers)) if isinstance(numbers, range) else next(self.picked((numbers,)))


class RuleList(Sequence[Rule]):
    """Rules one after another, some of them in columns.  Equal to any sequence of equal rules."""

    __slots__ = ("parts",)

    def __init__(self) -> None:
        """Begins empty."""
        self.parts: list[list[Rule] | RuleColumns[Rule]] = []

    @property
    def end(self) -> list[Rule]:
        """The list at the end, to be appended to."""
        if not self.parts or isinstance(self.parts[-1], RuleColumns):
            self.parts.append([])
        return cast("list[Rule]", self.parts[-1])

    def add_columns(self, rules: RuleColumns[Rule]) -> None:
        """Appends rules that are in columns."""
        if len(rules):
            self.parts.append(rules)

    def settled(self) -> Sequence[Rule]:
        """These rules; a tuple of them when none are in columns."""
        return self if any(isinstance(part, RuleColumns) for part in self.parts) else tuple(self)

    def __len__(self) -> int:
        return sum(map(len, self.parts))

    def __iter__(self) -> Iterator[Rule]:
        return chain.from_iterable(self.parts)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and tuple(self) == tuple(cast("Sequence[object]", other))

    def __hash__(self) -> int:
        return hash(tuple(self))

    @overload
    def __getitem__(self, index: int) -> Rule: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Rule]: ...
    def __getitem__(self, index: int | slice) -> Rule | Sequence[Rule]:
        if isinstance(index, slice):
            return tuple(self)[index]
        rest = range(len(self))[index]
        for part in self.parts:
            if rest < len(part):
                return part[rest]
            rest -= len(part)
        raise IndexError(index)


def parts_of(rules: Sequence[Rule]) -> Sequence[Sequence[Rule]]:
    """The parts of `rules`, those in columns apart."""
    return cast("Sequence[Sequence[Rule]]", rules.parts) if isinstance(rules, RuleList) else (rules,)
