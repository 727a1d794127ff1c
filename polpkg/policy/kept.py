"""Packages that were expanded before, kept by all that their expansion depends on.

The key of an entry is a digest of the bytes of the package, of what its requirements export, of the tables and the
version of the hypervisor, and of polpkg's own code.  What the expansion asked about owners and parameters is in the
entry with the answers: it is used when the answers are the same now.  An expansion with findings is not kept, so
whatever there is to say is said each time.
"""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from polpkg import __version__
from polpkg.policy.ir.module import MacroUse
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

FORMAT = 1
"""Of the entries."""


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

    statements: tuple[Statement, ...]
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
        self._surroundings = [FORMAT, __version__, _code(), tables, list(abi.initial_sids), abi.version, mls]
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
            document = load(data)
            if document["key"] != key or not self._still_holds(document["asked"]):
                return None
            return _read(document, sources)
        except (KeyError, IndexError, TypeError, ValueError, RecursionError, NativeError):
            return None

    def _name(self, source: Source) -> SourceName:
        known = self._names.get(source)
        if known is None:
            known = self._names[source] = name_of(source)
        return known

    def _still_holds(self, asked: Iterable[Any]) -> bool:
        return all(self._natives[name](arguments) == answer for name, arguments, answer in asked)

    def put(self, key: str, statements: tuple[Statement, ...], uses: tuple[MacroUse, ...], exports: MacroTable) -> None:
        """Keeps what a package came to, and what was asked since `begin`."""
        try:
            document = _document(KeptExpansion(statements, uses, exports))
        except Unkept:
            return
        asked = [[name, list(arguments), answer] for (name, arguments), answer in self._asked.items()]
        self._store.put(key, dump({"key": key, "asked": asked, **document}))


def _document(expansion: KeptExpansion) -> dict[str, object]:
    writer = Writer()
    statements = [writer.add_new(statement) for statement in expansion.statements]
    uses = [writer.add_new(use) for use in expansion.uses]
    return {
        "statements": statements,
        "uses": uses,
        "exports": _table(expansion.exports, writer),
        "values": writer.values,
    }


def _read(document: Mapping[str, Any], sources: Mapping[SourceName, Source]) -> KeptExpansion:
    values = read_values(document["values"], sources)
    stacks = {
        name: tuple(
            Macro.of_text(name, body, tuple((start, values[at], offset, by) for start, at, offset, by in marks), owner)
            for body, owner, marks in macros
        )
        for name, macros in document["exports"]
    }
    statements = tuple([values[at] for at in document["statements"]])
    return KeptExpansion(statements, tuple([values[at] for at in document["uses"]]), MacroTable(stacks))


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
