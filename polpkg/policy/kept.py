"""Packages that were expanded before, kept by all that their expansion depends on.

The key of an entry is a digest of the bytes of the package, of what its requirements export, of the tables and the
version of the hypervisor, and of polpkg's own code.  What the expansion asked about owners and parameters is in the
entry with the answers: it is used when the answers are the same now.  An expansion with findings is not kept, so
whatever there is to say is said each time.
"""

from __future__ import annotations

import os
import sys
from array import array
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, cast

from polpkg import __version__
from polpkg.policy.ir.module import MacroUse
from polpkg.policy.ir.places import FrameColumns, PlaceColumns, PlaceTable, tabulate_places, within
from polpkg.policy.ir.table import Rows, StatementTable, tabulate
from polpkg.policy.ir.wire import Unkept, Writer, digest, dump, load, name_of, read_values
from polpkg.policy.syntax.m4 import MacroTable, NativeError
from polpkg.policy.syntax.m4.table import Macro

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from polpkg.diagnostics import Source
    from polpkg.policy.abi import Abi
    from polpkg.policy.ir.statements import Statement
    from polpkg.policy.ir.wire import SourceName

    Native = Callable[[Sequence[str]], str]

FORMAT = 2
"""Of the entries: a size, a document in JSON of that size, and columns of numbers as this machine has them."""

_SIZE = 8
_WORD = array("I").itemsize


class Store(Protocol):
    """Where entries are kept; one that is damaged, or that somebody else could have written, is not there."""

    def get(self, key: str) -> bytes | None:
        """The entry for `key`, a digest in hexadecimal."""
        ...

    def put(self, key: str, data: bytes) -> None:
        """Keeps an entry, or does not."""
        ...


class KeptExpansion(NamedTuple):
    """What a package came to."""

    statements: Sequence[Statement]
    uses: tuple[MacroUse, ...]
    exports: MacroTable


class Kept:
    """The entries for one hypervisor, one set of owners and one set of parameters."""

    def __init__(self, store: Store, abi: Abi, natives: dict[str, Native], *, mls: bool) -> None:
        """`natives` answer about owners and parameters; from now on it is written down what they are asked."""
        self._store = store
        self._natives = dict(natives)
        self._asked: dict[tuple[str, tuple[str, ...]], str] = {}
        for name, native in self._natives.items():
            natives[name] = self._listening(name, native)
        tables = [[c.name, list(c.permissions)] for c in abi.all_classes]
        self._surroundings = [
            FORMAT,
            sys.byteorder,
            _WORD,
            __version__,
            _code(),
            tables,
            list(abi.initial_sids),
            abi.version,
            mls,
        ]
        self._exports: dict[str, tuple[MacroTable, str | None]] = {}
        self._names: dict[Source, SourceName] = {}

    def _listening(self, name: str, native: Native) -> Native:
        def listening(arguments: Sequence[str]) -> str:
            answer = native(arguments)
            self._asked[name, tuple(arguments)] = answer
            return answer

        return listening

    def begin(self) -> None:
        """A package is going to be expanded."""
        self._asked.clear()

    def export(self, package: str, table: MacroTable) -> None:
        """What `package` hands on."""
        self._exports[package] = (table, None)

    def key(self, described: Sequence[object], seen: Iterable[str]) -> str | None:
        """The key of a package that sees the exports of `seen`; None when they have no digest."""
        exported: list[object] = []
        for name in seen:
            if name not in self._exports:
                continue
            table, known = self._exports[name]
            try:
                known = known or _digest_of(table)
            except Unkept:
                return None
            self._exports[name] = (table, known)
            exported.append([name, known])
        return digest([self._surroundings, described, exported])

    def get(self, key: str, own: Iterable[Source], table: MacroTable) -> KeptExpansion | None:
        """The entry for `key`, if there is one that still holds.

        `own` are the sources of the package, `table` are the macros that it sees.
        """
        data = self._store.get(key)
        if data is None:
            return None
        sources = {self._name(source): source for source in (*own, *_sources_of(table))}
        try:
            size = int.from_bytes(data[:_SIZE], "little") + _SIZE
            document = load(data[_SIZE:size])
            if document["key"] != key or not self._still_holds(document["asked"]):
                return None
            return _read(document, data[size:], sources)
        except (KeyError, IndexError, TypeError, ValueError, RecursionError, NativeError):
            return None

    def _name(self, source: Source) -> SourceName:
        known = self._names.get(source)
        if known is None:
            known = self._names[source] = name_of(source)
        return known

    def _still_holds(self, asked: Iterable[Any]) -> bool:
        return all(self._natives[name](arguments) == answer for name, arguments, answer in asked)

    def put(
        self,
        key: str,
        statements: Sequence[Statement],
        uses: tuple[MacroUse, ...],
        exports: MacroTable,
        attributes: frozenset[str],
    ) -> None:
        """Keeps what a package came to, and what was asked since `begin`; `attributes` are those that it may know."""
        try:
            document, columns = _document(KeptExpansion(statements, uses, exports), attributes)
        except Unkept:
            return
        asked = [[name, list(arguments), answer] for (name, arguments), answer in self._asked.items()]
        head = dump({"key": key, "asked": asked, **document})
        self._store.put(key, len(head).to_bytes(_SIZE, "little") + head + columns)


def _document(expansion: KeptExpansion, attributes: frozenset[str]) -> tuple[dict[str, object], bytes]:
    """What is written of an expansion: values, and the columns of its statements."""
    writer = Writer()
    table = tabulate(expansion.statements, attributes)
    places = tabulate_places(table.places)
    document: dict[str, object] = {
        "forms": [writer.add_new(form) for form in table.forms],
        "names": list(table.names),
        "macros": list(places.macros),
        "sources": [writer.add(source) for source in places.sources],
        "sizes": [*(len(rows.forms) for rows in table.rows), len(places.frames.sources), len(places)],
        "uses": [writer.add_new(use) for use in expansion.uses],
        "exports": _table(expansion.exports, writer),
        "values": writer.values,
    }
    columns = [*(c for rows in table.rows for c in rows.columns), *places.frames, *places.places]
    return document, b"".join([*(column.tobytes() for column in columns), table.order])


def _read(document: Mapping[str, Any], columns: bytes, sources: Mapping[SourceName, Source]) -> KeptExpansion:
    values = read_values(document["values"], sources)
    stacks = {
        name: tuple(
            Macro.of_text(name, body, tuple((start, values[at], offset, by) for start, at, offset, by in marks), owner)
            for body, owner, marks in macros
        )
        for name, macros in document["exports"]
    }
    uses = tuple([values[at] for at in document["uses"]])
    return KeptExpansion(_read_statements(document, columns, values), uses, MacroTable(stacks))


def _read_statements(document: Mapping[str, Any], columns: bytes, values: Sequence[Any]) -> StatementTable:
    """The statements of a document.  Raises ValueError for columns that are no table."""
    taken = 0

    def take(size: int) -> array[int]:
        nonlocal taken
        column = array("I", columns[taken : taken + size * _WORD])
        taken += size * _WORD
        return column

    sizes = document["sizes"]
    kinds = tuple([Rows(take(n), take(n), (take(n), take(n), take(n))) for n in sizes[:3]])
    frames = FrameColumns(*[take(sizes[3]) for _ in FrameColumns._fields])
    places = PlaceColumns(*[take(sizes[4]) for _ in PlaceColumns._fields])
    order = columns[taken:]
    if [order.count(kind) for kind in range(3)] != sizes[:3] or len(order) != sum(sizes[:3]):
        raise ValueError("order")
    place_table = PlaceTable([values[at] for at in document["sources"]], document["macros"], frames, places)
    forms, names = [values[at] for at in document["forms"]], document["names"]
    for rows in kinds:
        within(rows.forms, len(forms))
        within(rows.places, len(place_table))
        for column in rows.names:
            within(column, len(names) or 1)
    return StatementTable(names, forms, place_table, cast("tuple[Rows, Rows, Rows]", kinds), order)


def _table(table: MacroTable, writer: Writer) -> list[object]:
    """Macros of text with where they stand.  Raises `Unkept` for any other."""
    return [[name, [_macro(macro, writer) for macro in stack]] for name, stack in table.stacks.items()]


def _macro(macro: Macro, writer: Writer) -> list[object]:
    if macro.builtin is not None or macro.native is not None or macro.blind:
        raise Unkept
    marks = [[start, writer.add(source), offset, author] for start, source, offset, author in macro.marks]
    return [macro.body, macro.owner, marks]


def _digest_of(table: MacroTable) -> str:
    writer = Writer()
    described = _table(table, writer)
    return digest([described, writer.values])


def _sources_of(table: MacroTable) -> Iterable[Source]:
    return {source for stack in table.stacks.values() for macro in stack for _, source, _, _ in macro.marks}


@cache
def _code() -> str:
    """Stands for the code that expands: a changed file of it has another size or time."""
    folder = Path(__file__).parent
    found: list[object] = []
    for parent, folders, names in os.walk(folder):
        folders.sort()
        for name in sorted(names):
            if name.endswith((".py", ".m4")):
                status = (Path(parent) / name).stat()
                found.append([name, status.st_size, status.st_mtime_ns])
    return digest(found)
