"""IR as JSON and back: what was expanded once need not be expanded again.

A document is a list of values, each a JSON scalar or a row `[class, position, ...]` whose fields are values that come
before it; equal values are one.  Reading makes nothing but the classes named here, out of scalars, so a document can
hold wrong statements and cannot do anything.  Texts of sources are not in it: they are named by file and digest, and
whoever reads must have them.
"""

from __future__ import annotations

import json
from enum import Enum
from hashlib import sha256
from typing import TYPE_CHECKING, Any, cast

from polpkg.diagnostics import Frame, Place, Source
from polpkg.policy.ir import statements
from polpkg.policy.ir.module import MacroUse
from polpkg.policy.ir.quick import new_tuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

SourceName = tuple[str, str, str, str]
"""Package, version and file of a source, and the digest of its text."""


def _known_classes() -> dict[str, type[Any]]:
    defined = cast("Iterable[object]", vars(statements).values())
    made = [c for c in defined if isinstance(c, type) and c.__module__ == statements.__name__]
    return {c.__name__: c for c in (*made, Place, MacroUse, Frame, Source, tuple)}


CLASSES = _known_classes()
"""What a row may be, by name."""


class Unkept(Exception):  # noqa: N818 - not an error: such a value is made anew each time
    """A value that has no form here."""


def name_of(source: Source) -> SourceName:
    """How a document names `source`."""
    return source.package, source.version, source.file, sha256(source.text.encode("utf-8", "surrogatepass")).hexdigest()


class Writer:
    """Collects values."""

    def __init__(self) -> None:
        self.values: list[object] = []
        self._numbers: dict[tuple[object, object], int] = {}
        self._kept: list[object] = []

    def add(self, value: object) -> int:
        """The position of `value`.  Raises `Unkept`."""
        if isinstance(value, Frame):
            key: tuple[object, object] = (Frame, id(value))
        else:
            key = (cast("type", type(value)), value)
        number = self._numbers.get(key)
        if number is None:
            item = self._item(value)
            self._kept.append(value)  # an identity belongs to nobody else as long as its owner lives
            number = self._numbers[key] = len(self.values)
            self.values.append(item)
        return number

    def add_new(self, value: tuple[Any, ...]) -> int:
        """The position of `value`, which is not looked for among the others: of statements, hardly two are equal."""
        item = self._item(value)
        self.values.append(item)
        return len(self.values) - 1

    def _item(self, value: object) -> object:
        if value is None or type(value) in (str, int, bool):
            return value
        name = type(value).__name__
        if CLASSES.get(name) is not type(value):
            raise Unkept
        add = self.add
        if isinstance(value, Enum):
            return [name, add(value.value)]
        if isinstance(value, tuple):
            return [name, *map(add, cast("tuple[object, ...]", value))]
        if isinstance(value, Frame):
            return [name, add(value.source), add(value.macro), add(value.called_at)]
        if isinstance(value, Source):
            return [name, *map(add, name_of(value))]
        raise Unkept


def read_values(values: Sequence[Any], sources: Mapping[SourceName, Source]) -> list[Any]:
    """The values of a document.

    Raises KeyError when a source is not among `sources`, and KeyError, IndexError, TypeError or ValueError for what no
    `Writer` wrote.
    """
    found: list[Any] = []
    add = found.append
    classes = {name: _maker(known) for name, known in CLASSES.items()}
    for item in values:
        if type(item) is not list:
            add(item)
            continue
        row = cast("list[Any]", item)
        kind, known = classes[row[0]]
        fields = [found[at] for at in row[1:]]
        if kind == _NAMED:
            add(new_tuple(known, fields))
        elif kind == _PLAIN:
            add(tuple(fields))
        elif kind == _SOURCE:
            add(sources[cast("SourceName", tuple(fields))])
        else:
            add(known(*fields))
    return found


_NAMED, _PLAIN, _SOURCE, _OTHER = range(4)


def _maker(known: type[Any]) -> tuple[int, type[Any]]:
    if known is Source:
        return _SOURCE, known
    if known is tuple:
        return _PLAIN, known
    return (_NAMED if hasattr(known, "_fields") else _OTHER), known


def dump(document: Mapping[str, object]) -> bytes:
    """A document as bytes; equal documents are equal bytes."""
    return json.dumps(document, separators=(",", ":"), ensure_ascii=True).encode()


def load(data: bytes) -> dict[str, Any]:
    """A document.  Raises ValueError, RecursionError or TypeError when it is none."""
    document: object = json.loads(data)
    if not isinstance(document, dict):
        raise TypeError
    return cast("dict[str, Any]", document)


def digest(parts: Iterable[object]) -> str:
    """A digest of JSON values, in hexadecimal."""
    return sha256(json.dumps(list(parts), separators=(",", ":"), ensure_ascii=True).encode()).hexdigest()
