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

    from polpkg.diagnostics import Place
    from polpkg.policy.ir.statements import Statement

AV_ROW, TYPE_ROW, OTHER_ROW = range(3)
"""The kinds of rows: access vector rules, type rules, and all other statements."""

Form: TypeAlias = tuple[Any, ...]
"""A statement without its place and without the names that rows fill in; `None` and `_ALL_BUT` stand for these."""

_ALL_BUT = NameSet(complement=True)
"""In a form: all types but the one that a row names.  No statement has such a set."""

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

    def rows_before(self) -> Iterator[tuple[int, int]]:
        """For each of `others`, how many access vector rules and how many type rules of the rows come before it."""
        counts = [0, 0]
        for kind in self.order:
            if kind == OTHER_ROW:
                yield counts[AV_ROW], counts[TYPE_ROW]
            else:
                counts[kind] += 1

    def _made(self, rows: Rows) -> Iterator[Statement]:
        fillers = [_filler(form) for form in self.forms]
        names, places = self.names, self.places
        sets: dict[tuple[int, bool], NameSet] = {}
        for form, place, *numbers in zip(rows.forms, rows.places, *rows.names, strict=True):
            kind, fields, holes = fillers[form]
            fields[0] = places[place]
            for (at, is_set, complement), number in zip(holes, numbers, strict=False):
                if not is_set:
                    fields[at] = names[number]
                elif (found := sets.get((number, complement))) is not None:
                    fields[at] = found
                else:
                    new = new_tuple(NameSet, ((names[number],), (), False, complement))
                    fields[at] = sets[number, complement] = new
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


def _filler(form: Form) -> tuple[type, list[Any], tuple[tuple[int, bool, bool], ...]]:
    holes = _HOLES.get(type(form), ())
    if not all(form[at] is None or form[at] == _ALL_BUT for at, _ in holes):
        holes = ()
    return type(form), list(form), tuple((at, is_set, form[at] is not None) for at, is_set in holes)


def tabulate(statements: Iterable[Statement], attributes: frozenset[str]) -> StatementTable:
    """The table of `statements`; see `TableMaker`."""
    maker = TableMaker(attributes)
    for statement in statements:
        maker.add(statement)
    return maker.table()


class Description(NamedTuple):
    """What becomes of a statement: the kind of its row, its form, and the names that the row has."""

    kind: int
    form: Form
    names: tuple[str, ...]


class TableMaker:
    """Fills a table.  A type rule about one of `attributes` is no row of its kind, since it stands for many."""

    def __init__(self, attributes: frozenset[str]) -> None:
        """Begins empty."""
        self._attributes = attributes
        self._names: dict[str, int] = {}
        self._forms: dict[tuple[type, Form], int] = {}
        self._places: dict[Place, int] = {}
        self.rows = (Rows.empty(), Rows.empty(), Rows.empty())
        self.order = bytearray()

    def add(self, statement: Statement) -> None:
        """Appends a statement."""
        kind, form, names = self.describe(statement)
        rows = self.rows[kind]
        rows.forms.append(self.form(form))
        rows.places.append(self.place(statement.place))
        numbers = (*map(self.name, names), *(0,) * (_MOST_HOLES - len(names)))
        for column, name in zip(rows.names, numbers, strict=True):
            column.append(name)
        self.order.append(kind)

    def describe(self, statement: Statement) -> Description:
        """What `add` would make of a statement."""
        fields: list[Any] = [None, *statement[1:]]
        names = _names_of(statement)
        for (at, is_set), _ in zip(_HOLES.get(type(statement), ()), names, strict=False):
            fields[at] = _ALL_BUT if is_set and fields[at].complement else None
        return Description(self._kind(statement, names), cast("Form", new_tuple(type(statement), fields)), names)

    def _kind(self, statement: Statement, names: tuple[str, ...]) -> int:
        if not (names and isinstance(statement, AvRule | TypeRule)) or len(statement.classes) > 1:
            return OTHER_ROW
        if statement.source.complement or statement.target.complement:
            return OTHER_ROW
        if isinstance(statement, AvRule):
            return AV_ROW if statement.kind is not AvKind.NEVERALLOW else OTHER_ROW
        return TYPE_ROW if self._attributes.isdisjoint(names) else OTHER_ROW

    def form(self, form: Form) -> int:
        """The number of a form."""
        return self._forms.setdefault((type(form), form), len(self._forms))

    def name(self, name: str) -> int:
        """The number of a name."""
        return self._names.setdefault(name, len(self._names))

    def place(self, place: Place) -> int:
        """The number of a place."""
        return self._places.setdefault(place, len(self._places))

    def table(self) -> StatementTable:
        """What was added."""
        forms = [form for _, form in self._forms]
        return StatementTable(tuple(self._names), forms, tuple(self._places), self.rows, bytes(self.order))


def _names_of(statement: Statement) -> tuple[str, ...]:
    """The names that a row has for `statement`; none when a set in it is not about one type."""
    found: list[str] = []
    for at, is_set in _HOLES.get(type(statement), ()):
        value: Any = statement[at]
        if is_set:
            name = value.names[0] if len(value.names) == 1 else ""
            if not name or name == "self" or value[1:3] != ((), False):
                return ()
            value = name
        found.append(value)
    return tuple(found)
