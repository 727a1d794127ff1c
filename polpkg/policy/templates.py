"""Packages with many instances: each kind of call is expanded once, and its statements are repeated for other names.

A call is expanded with placeholders for the names of the instance (`polpkg.policy.syntax.m4.trial` sees to it that the
names do not matter) and parsed once; every other call of the kind gets the same statements with its own names.  Where
that cannot be done, the package is expanded word for word: the statements are the same either way.
"""

from __future__ import annotations

import re
from array import array
from secrets import token_hex
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from polpkg.diagnostics import Diagnostic, Frame, Place, Severity, Source
from polpkg.errors import PolicyError
from polpkg.policy.ir.quick import new_tuple
from polpkg.policy.ir.statements import AttributeDeclaration, NameSet
from polpkg.policy.ir.table import TableMaker
from polpkg.policy.syntax.m4 import MessageKind, NotAlike, Trial, expand
from polpkg.policy.syntax.te import parse_te
from polpkg.policy.syntax.te.words import RESERVED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from polpkg.policy.ir.statements import Statement
    from polpkg.policy.syntax.m4 import Call, Expansion, MacroTable

SLOTS = "\x01\x02\x03\x04\x05\x06"
"""In the text of a `Unit` the n-th of these stands for its n-th name."""

WORTH_WHILE = 8
"""Fewer units than this are expanded word for word."""

_MOST_SHAPES = 64
"""When a kind of call comes out in more ways than this, it is not worth looking further."""

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
_NOT_NAMES = RESERVED | {"self"}


class Unit(NamedTuple):
    """One call that polpkg itself writes for an instance, on line `line` of a manifest, `file`.

    `text` has `SLOTS` where `names` go.
    """

    file: Source
    line: int
    text: str
    names: tuple[str, ...] = ()

    @property
    def source(self) -> Source:
        """The call, to be expanded word for word."""
        return self.with_names(self.names)

    def with_names(self, names: Sequence[str]) -> Source:
        """The call with other names."""
        text = self.text
        for slot, name in zip(SLOTS, names, strict=False):
            text = text.replace(slot, name)
        return Source(self.file.file, "\n" * (self.line - 1) + text + "\n", self.file.package, self.file.version)


class Expanded(NamedTuple):
    """The statements of a package, what is wrong with the rest, and the macros that it calls.

    `table` has the definitions that fragments leave behind, `warnings` is what they say with `errprint`.
    """

    statements: Sequence[Statement]
    problems: tuple[Diagnostic, ...]
    calls: tuple[Call, ...]
    table: MacroTable
    warnings: tuple[Diagnostic, ...] = ()


def said(expansion: Expansion) -> tuple[Diagnostic, ...]:
    """What fragments said with `errprint`, as warnings, each once."""
    found = (
        Diagnostic.at(message.place, "said-by-package", " ".join(message.text.split()), severity=Severity.WARNING)
        for message in expansion.messages
        if message.kind is MessageKind.PRINTED
    )
    return tuple(dict.fromkeys(found))


def expand_package(
    fragments: Sequence[Source],
    units: Sequence[Unit],
    table: MacroTable,
    attributes: Callable[[], frozenset[str]] = frozenset,
    *,
    worth_while: int = WORTH_WHILE,
) -> Expanded:
    """Expands and parses the fragments of a package and then its units.

    `attributes` says which attributes are known from other packages.  Raises PolicyError as `expand` does, and
    `name-of-a-macro` for a name that would be expanded itself.
    """
    if len(units) >= worth_while:
        expansion = expand(fragments, table)
        _check_names(units, expansion.table)
        statements, problems = parse_te(expansion)
        if not problems and expansion.text[-1:] in ("", "\n"):
            own = {s.name for s in statements if isinstance(s, AttributeDeclaration)}
            maker = TableMaker(attributes() | own)
            for statement in statements:
                maker.add(statement)
            calls = _repeat(units, expansion, maker)
            if calls is not None:
                return Expanded(maker.table(), (), calls, expansion.table, said(expansion))
    expansion = expand((*fragments, *(unit.source for unit in units)), table)
    statements, problems = parse_te(expansion)
    _check_names(units, expansion.table)
    return Expanded(statements, problems, expansion.calls, expansion.table, said(expansion))


def _check_names(units: Iterable[Unit], table: MacroTable) -> None:
    """See that no name of an instance or item is a macro, which would make many errors that do not say so."""
    problems: dict[str, Diagnostic] = {}
    for unit in units:
        for name in unit.names:
            macro = table.get(name) if name not in problems else None
            if macro is not None and not macro.blind:
                owner = f"a macro of `{macro.owner}`" if macro.owner else "a macro"
                message = f"`{name}` cannot stand for an instance or an item: it is {owner}"
                place = Place(Frame(unit.file), unit.line)
                hint = "give the instance, or the item, another name"
                problems[name] = Diagnostic.at(place, "name-of-a-macro", message, hint=hint)
    if problems:
        raise PolicyError.of(problems.values())


def _repeat(units: Iterable[Unit], before: Expansion, maker: TableMaker) -> tuple[Call, ...] | None:
    """Adds the statements of `units`; all calls, or None when they have to be expanded word for word."""
    shapes: dict[tuple[int, str], list[_Shape]] = {}
    calls = {call[:3]: call for call in before.calls}
    mark = f"q{token_hex(12)}q"
    try:
        for unit in units:
            known = shapes.setdefault(unit[1:3], [])
            if any(shape.add(unit.names) for shape in known):
                continue
            shape = _Shape(unit, mark, before.table, maker)
            if len(known) >= _MOST_SHAPES or not shape.add(unit.names):
                return None
            known.insert(0, shape)
            for call in shape.calls:
                calls.setdefault(call[:3], call)
    except (NotAlike, PolicyError):
        return None
    return tuple(calls.values())


class _Shape:
    """What one kind of call comes to: statements with placeholders, and for which names they hold."""

    def __init__(self, unit: Unit, mark: str, table: MacroTable, maker: TableMaker) -> None:
        """Raises `NotAlike`, and PolicyError as `expand` does."""
        if not all(map(_NAME.fullmatch, unit.names)):
            raise NotAlike
        self._mark = mark
        self._table = table
        placeholders = [f"{mark}{chr(97 + number)}" for number in range(len(unit.names))]
        self._trial = Trial(mark, placeholders, unit.names)
        expansion = expand((unit.with_names(placeholders),), table, trial=self._trial)
        statements, problems = parse_te(expansion)
        if problems or expansion.messages or not _are_in_macros(statements, mark):
            raise NotAlike
        real = Frame(unit.source)
        self.calls = [
            call if call.place.frame.macro else call._replace(place=Place(real, *call.place[1:]))
            for call in expansion.calls
        ]
        self._maker = maker
        self._parts = _Parts(mark, placeholders)
        self._blocks = tuple(_Block() for _ in maker.rows)
        self._order = bytearray()
        self._words: dict[tuple[int, str], int] = {}
        for statement in statements:
            self._add_row(statement)

    def _add_row(self, statement: Statement) -> None:
        maker, parts = self._maker, self._parts
        kind, form, names = maker.describe(statement)
        block = self._blocks[kind]
        recipe = parts.recipe(form)
        if recipe[2]:
            block.filled.append((len(block.forms), recipe))
        block.forms.append(0 if recipe[2] else maker.form(form))
        block.places.append(maker.place(statement.place))
        for column, name in zip(block.names, (*names, "", "", ""), strict=False):
            part = parts.part(name) if name else -1
            column.append(self._word((part, "" if part >= 0 else name)))
        self._order.append(kind)

    def _word(self, word: tuple[int, str]) -> int:
        return self._words.setdefault(word, len(self._words))

    def add(self, names: tuple[str, ...]) -> bool:
        """Adds the statements of the call with these names, if it comes to the same; whether it does."""
        if not all(map(_NAME.fullmatch, names)):
            raise NotAlike
        values = self._parts.values(names) if self._trial.holds_for(names, self._table) else None
        if values is None:
            return False
        maker = self._maker
        words = (values[part] if part >= 0 else word for part, word in self._words)
        numbers = [maker.name(word) if word else 0 for word in words]
        for rows, block in zip(maker.rows, self._blocks, strict=True):
            rows.forms.extend(self._filled(block, values) if block.filled else block.forms)
            rows.places.extend(block.places)
            for column, wanted in zip(rows.names, block.names, strict=True):
                column.extend([numbers[word] for word in wanted])
        maker.order += self._order
        return True

    def _filled(self, block: _Block, values: list[Any]) -> array[int]:
        """The forms of a block for one call."""
        forms = block.forms[:]
        for at, (kind, fields, holes) in block.filled:
            filled = list(fields)
            for hole, part in holes:
                filled[hole] = values[part]
            forms[at] = self._maker.form(new_tuple(kind, filled))
        return forms


class _Block:
    """The rows of one kind that a shape has: forms with places, those that are filled in for each call, and three
    columns of names by the number of the word.
    """

    def __init__(self) -> None:
        self.forms = array("I")
        self.places = array("I")
        self.filled: list[tuple[int, _Recipe]] = []
        self.names: tuple[list[int], ...] = ([], [], [])


_Recipe = tuple[Any, tuple[Any, ...], list[tuple[int, int]]]
"""A tuple with holes: its class, its fields, and for each hole its position and the part that fills it."""


class _Parts:
    """What differs from call to call: words, and tuples that such words are in, each once.

    Parts are numbered; what a part is made of comes before it.
    """

    def __init__(self, mark: str, placeholders: Sequence[str]) -> None:
        self._mark = mark
        self._placeholders = placeholders
        self._numbers: dict[Any, int] = {}
        self._makers: list[str | _Recipe] = []

    def recipe(self, value: tuple[Any, ...]) -> _Recipe:
        """How to make `value` for other names; what does not differ has no holes."""
        holes: list[tuple[int, int]] = []
        for at, field in enumerate(value):
            part = self.part(field)
            if part >= 0:
                holes.append((at, part))
        return type(value), value, holes

    def part(self, value: object) -> int:
        """The number of a part, or -1 for what does not differ."""
        if isinstance(value, Place) or not isinstance(value, (str, tuple)):
            return -1
        value = cast("str | tuple[Any, ...]", value)
        key = (cast("type", type(value)), value)
        if key in self._numbers:
            return self._numbers[key]
        maker: str | _Recipe
        if isinstance(value, str):
            differs = self._mark in value
            maker = self._pattern(value) if differs else value
        else:
            maker = self.recipe(value)
            differs = bool(maker[2])
        number = len(self._makers) if differs else -1
        if differs:
            self._makers.append(maker)
        self._numbers[key] = number
        return number

    def _pattern(self, word: str) -> str:
        if not _NAME.fullmatch(word):
            raise NotAlike
        for number, placeholder in enumerate(self._placeholders):
            word = word.replace(placeholder, f"{{{number}}}")
        return word

    def values(self, names: tuple[str, ...]) -> list[Any] | None:
        """Every part for these names; None when a part would be a word of the language."""
        found: list[Any] = []
        for maker in self._makers:
            if isinstance(maker, str):
                word = maker.format(*names)
                if word in _NOT_NAMES:
                    return None
                found.append(word)
                continue
            kind, fields, holes = maker
            filled = list(fields)
            for at, part in holes:
                filled[at] = found[part]
            found.append(tuple(filled) if kind is tuple else new_tuple(kind, filled))
        return found


def _are_in_macros(statements: Iterable[object], mark: str) -> bool:
    """Whether every statement stands in a macro, called where no name before it moves it along the line."""
    return all(_is_in_macro(place, mark) for place in _places(statements))


def _is_in_macro(place: Place, mark: str) -> bool:
    root = place.stack()[0]
    before = root.source.line(root.line)[: max(root.column - 1, 0)]
    return bool(place.frame.macro) and mark not in before


def _places(value: Iterable[object]) -> Iterable[Place]:
    for item in value:
        if isinstance(item, Place):
            yield item
        elif isinstance(item, tuple) and not isinstance(item, NameSet):
            yield from _places(cast("tuple[object, ...]", item))
