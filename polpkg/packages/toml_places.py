"""Finds the line of a key in a TOML text.  Only used once something is wrong, so it may be slow and must be sturdy.

It reads line by line: table headers, keys, and the extent of values that go over several lines.  A key inside an inline
table is found at the line of the table.
"""

from __future__ import annotations

import re
from typing import NamedTuple

_KEY = r"""(?:[A-Za-z0-9_-]+|"(?:[^"\\]|\\.)*"|'[^']*')"""
_DOTTED = rf"{_KEY}(?:\s*\.\s*{_KEY})*"
_HEADER = re.compile(rf"\s*\[\[?\s*({_DOTTED})\s*\]\]?")
_ENTRY = re.compile(rf"\s*({_DOTTED})\s*=\s*(.*)", re.DOTALL)
_ONE_KEY = re.compile(_KEY)
_TOKEN = re.compile(r'"""|\'\'\'|"(?:[^"\\]|\\.)*"|\'[^\']*\'|#.*|[\[\]{}]')


class TomlPlace(NamedTuple):
    """Where a key is: its line and column, from 1; line 0 means nowhere."""

    line: int
    column: int = 0


def find_place(text: str, path: tuple[str, ...]) -> TomlPlace:
    """The place of the key at `path` in `text`, or of the nearest table around it."""
    best, best_length = TomlPlace(0), 0
    for found, place in _keys(text):
        length = _common(found, path)
        complete = length == len(found) or length == len(path)
        if complete and length > best_length:
            best, best_length = place, length
    return best


def find_listed_place(text: str, path: tuple[str, ...]) -> TomlPlace:
    """As `find_place`; a second component that is a number counts the `[[tables]]` of that name, from 0.

    `("allow", "2", "source")` is the key `source` of the third `[[allow]]`.
    """
    if len(path) < 2 or not path[1].isdecimal():
        return find_place(text, path)
    lines = text.split("\n")
    headers = [place.line for key, place in _keys(text) if key == path[:1] and _is_list_header(lines[place.line - 1])]
    if int(path[1]) >= len(headers):
        return find_place(text, path[:1])
    start = headers[int(path[1])]
    here = "\n".join([*([""] * (start - 1)), *lines[start - 1 :]])
    return find_place(here, (path[0], *path[2:]))


def _is_list_header(line: str) -> bool:
    return line.lstrip().startswith("[[")


def _common(one: tuple[str, ...], other: tuple[str, ...]) -> int:
    length = 0
    while length < min(len(one), len(other)) and one[length] == other[length]:
        length += 1
    return length


def _keys(text: str) -> list[tuple[tuple[str, ...], TomlPlace]]:
    """Every key path that a header or an entry of `text` spells, with its place, in order."""
    keys: list[tuple[tuple[str, ...], TomlPlace]] = []
    table: tuple[str, ...] = ()
    value = _OpenValue()
    for number, line in enumerate(text.split("\n"), start=1):
        if value.is_open:
            value.read(line)
        elif header := _HEADER.match(line):
            table = _split(header[1])
            keys.append((table, TomlPlace(number, header.start(1) + 1)))
        elif entry := _ENTRY.match(line):
            keys.append((table + _split(entry[1]), TomlPlace(number, entry.start(1) + 1)))
            value.read(entry[2])
    return keys


def _split(dotted: str) -> tuple[str, ...]:
    return tuple(_unquoted(key) for key in _ONE_KEY.findall(dotted))


def _unquoted(key: str) -> str:
    if key.startswith('"'):
        return re.sub(r"\\(.)", r"\1", key[1:-1])
    return key.strip("'")


class _OpenValue:
    """Follows a value over lines, until its brackets and multi-line strings are closed."""

    def __init__(self) -> None:
        self._depth = 0
        self._quote = ""

    @property
    def is_open(self) -> bool:
        return self._depth > 0 or self._quote != ""

    def read(self, line: str) -> None:
        position = 0
        while position < len(line):
            if self._quote:
                end = line.find(self._quote, position)
                if end < 0:
                    return
                position, self._quote = end + 3, ""
            token = _TOKEN.search(line, position)
            if token is None:
                return
            position = token.end()
            self._take(token[0])

    def _take(self, mark: str) -> None:
        if mark in ('"""', "'''"):
            self._quote = mark
        elif mark in "[{":
            self._depth += 1
        elif mark in "]}":
            self._depth -= 1
