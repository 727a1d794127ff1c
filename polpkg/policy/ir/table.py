"""The statements of a module as a table: most of a large module are rules of a few forms about many names.

A row is a form and the names that go into it.  Rules about one type and one other type, access vector rules and type
rules, have rows of their own, so that the linker binds them column by column; every other statement is made when it is
asked for.  What comes out is what went in.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias, cast, overload

from polpkg.policy.ir.quick import new_tuple
from polpkg.policy.ir.statements import (
    AttributeDeclaration,
    AvKind,
    AvRule,
    NameSet,
    RoleDeclaration,
    TypeAttribute,
    TypeDeclaration,
    TypeRule,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from polpkg.diagnostics import Frame, Place
    from polpkg.policy.ir.statements import Statement

AV_ROW, TYPE_ROW, OTHER_ROW = range(3)
"""The kinds of rows: access vector rules, type rules, and all other statements."""

Form: TypeAlias = tuple[Any, ...]
"""A statement with None instead of its place, and instead of the names that rows fill in."""

_HOLES: dict[type, tuple[tuple[int, bool], ...]] = {
    AvRule: ((2, True), (3, True)),
    TypeRule: ((2, True), (3, True), (5, False)),
    TypeDeclaration: ((1, False),),
    AttributeDeclaration: ((1, False),),
    TypeAttribute: ((1, False),),
    RoleDeclaration: ((2, True),),
}
"""Where names of types are in a statement: the field, and whether it is a set."""

_MOST_HOLES = 3
_OTHER = bytes((OTHER_ROW,))


class Rows(NamedTuple):
    """Rows of one kind, by column: the number of the form, that of the place, and those of names; 0 for no name."""

    forms: array[int]
    places: array[int]
    names: tuple[array[int], array[int], array[int]]

    @classmethod
    def empty(cls) -> Rows:
        """No rows."""
        return cls(array("I"), array("I"), (array("I"), array("I"), array("I")))

    @property
    def columns(self) -> tuple[array[int], ...]:
        """All columns, in the order of the fields."""
        return (self.forms, self.places, *self.names)


class StatementTable(Sequence["Statement"]):
    """Statements in rows; `order` says for each statement, by `AV_ROW` and its like, in which of `rows` it is."""

    __slots__ = ("_others", "_whole", "forms", "names", "order", "places", "rows")

    def __init__(
        self,
        names: Sequence[str],
        forms: Sequence[Form],
        places: Sequence[Place],
        rows: tuple[Rows, Rows, Rows],
        order: bytes,
    ) -> None:
        """Takes all parts as they are."""
        self.names, self.forms, self.places, self.rows, self.order = names, forms, places, rows, order
        self._others: tuple[Statement, ...] | None = None
        self._whole: tuple[Statement, ...] | None = None

    @property
    def others(self) -> tuple[Statement, ...]:
        """All statements that are not in the rows of rules."""
        if self._others is None:
            self._others = tuple(self._made(self.rows[OTHER_ROW]))
        return self._others

    def rows_before(self, other: int) -> tuple[int, int]:
        """How many access vector rules and how many type rules of the rows come before `others[other]`."""
        at = -1
        for _ in range(other + 1):
            at = self.order.find(_OTHER, at + 1)
        return self.order.count(AV_ROW, 0, at), self.order.count(TYPE_ROW, 0, at)

    def _made(self, rows: Rows) -> Iterator[Statement]:
        fillers = [_filler(form) for form in self.forms]
        names, places = self.names, self.places
        sets: dict[int, NameSet] = {}
        for form, place, *numbers in zip(rows.forms, rows.places, *rows.names, strict=True):
            kind, fields, holes = fillers[form]
            fields[0] = places[place]
            for (at, is_set), number in zip(holes, numbers, strict=False):
                if not is_set:
                    fields[at] = names[number]
                elif (found := sets.get(number)) is not None:
                    fields[at] = found
                else:
                    fields[at] = sets[number] = NameSet((names[number],))
            yield cast("Statement", new_tuple(kind, fields))

    def _all(self) -> tuple[Statement, ...]:
        if self._whole is None:
            kinds = (self._made(self.rows[AV_ROW]), self._made(self.rows[TYPE_ROW]), iter(self.others))
            self._whole = tuple([next(kinds[kind]) for kind in self.order])
        return self._whole

    def __len__(self) -> int:
        return len(self.order)

    def __iter__(self) -> Iterator[Statement]:
        return iter(self._all())

    @overload
    def __getitem__(self, index: int) -> Statement: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Statement]: ...
    def __getitem__(self, index: int | slice) -> Statement | Sequence[Statement]:
        return self._all()[index]


def _filler(form: Form) -> tuple[type, list[Any], tuple[tuple[int, bool], ...]]:
    holes = _HOLES.get(type(form), ())
    return type(form), list(form), holes if holes and form[holes[0][0]] is None else ()


def tabulate(statements: Iterable[Statement], attributes: frozenset[str]) -> StatementTable:
    """The table of `statements`.

    A type rule about one of `attributes` is no row of its kind, since it stands for many.
    """
    maker = _Maker(attributes)
    for statement in statements:
        maker.add(statement)
    return maker.table()


class _Maker:
    """Fills a table."""

    def __init__(self, attributes: frozenset[str]) -> None:
        self._attributes = attributes
        self._names: dict[str, int] = {}
        self._forms: dict[tuple[type, Form], int] = {}
        self._numbers: dict[tuple[Frame, int, int], int] = {}
        self._places: list[Place] = []
        self._rows = (Rows.empty(), Rows.empty(), Rows.empty())
        self._order = bytearray()

    def add(self, statement: Statement) -> None:
        """Appends a statement."""
        fields: list[Any] = [None, *statement[1:]]
        names = _names_of(statement)
        for (at, _), _name in zip(_HOLES.get(type(statement), ()), names, strict=False):
            fields[at] = None
        kind = self._kind(statement, names)
        form = cast("Form", new_tuple(type(statement), fields))
        number = self._forms.setdefault((type(statement), form), len(self._forms))
        rows = self._rows[kind]
        rows.forms.append(number)
        rows.places.append(self._place(statement.place))
        numbers = [self._names.setdefault(name, len(self._names)) for name in names]
        for column, name in zip(rows.names, (*numbers, *(0,) * (_MOST_HOLES - len(numbers))), strict=True):
            column.append(name)
        self._order.append(kind)

    def _kind(self, statement: Statement, names: tuple[str, ...]) -> int:
        if names and isinstance(statement, AvRule):
            return AV_ROW if statement.kind is not AvKind.NEVERALLOW and len(statement.classes) == 1 else OTHER_ROW
        if names and isinstance(statement, TypeRule):
            return TYPE_ROW if len(statement.classes) == 1 and self._attributes.isdisjoint(names) else OTHER_ROW
        return OTHER_ROW

    def _place(self, place: Place) -> int:
        number = self._numbers.setdefault(place, len(self._places))
        if number == len(self._places):
            self._places.append(place)
        return number

    def table(self) -> StatementTable:
        """What was added."""
        forms = [form for _, form in self._forms]
        return StatementTable(tuple(self._names), tuple(forms), tuple(self._places), self._rows, bytes(self._order))


def _names_of(statement: Statement) -> tuple[str, ...]:
    """The names that a row has for `statement`; none when a set in it is more than the name of one type."""
    found: list[str] = []
    for at, is_set in _HOLES.get(type(statement), ()):
        value: Any = statement[at]
        if is_set:
            name = value.names[0] if len(value.names) == 1 else ""
            if not name or name == "self" or value != NameSet((name,)):
                return ()
            value = name
        found.append(value)
    return tuple(found)
