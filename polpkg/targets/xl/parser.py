"""From tokens to the settings of an xl configuration.

The grammar is that of xl (Xen, tools/libs/util/libxlu_cfg_y.y): `key = value` or `key += value`, each ended by a line
end or `;`; lists may be nested, go over several lines and end in a comma.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from polpkg.diagnostics import Diagnostic
from polpkg.errors import PolicyError
from polpkg.targets.xl.lexer import Token, tokens_of
from polpkg.targets.xl.values import Configuration, ListValue, Setting, TextValue, Value

if TYPE_CHECKING:
    from polpkg.diagnostics import Place, Source

MAX_DEPTH = 20
"""Lists inside lists that are followed; xl itself asks for two."""

_NAMES = {
    "word": "a word",
    "number": "a number",
    "string": "a string",
    "newline": "the end of the line",
    "end": "the end",
}


def parse_configuration(source: Source) -> Configuration:
    """The configuration that a text is.  Raises PolicyError (`xl-syntax`) with every place that xl would not read."""
    parser = _Parser(source)
    settings = parser.settings()
    if parser.problems:
        raise PolicyError.of(sorted(parser.problems, key=lambda found: found.origin[3:5] if found.origin else (0, 0)))
    return Configuration(settings)


class _StatementError(Exception):
    """What is wrong with the statement that is being read; it is left out."""


class _Parser:
    def __init__(self, source: Source) -> None:
        self.problems: list[Diagnostic] = []
        self._tokens = list(tokens_of(source, self.problems))
        self._wrong_lines = {found.origin.line for found in self.problems if found.origin}
        self._at = 0

    def settings(self) -> tuple[Setting, ...]:
        found: list[Setting] = []
        while not self._is_next("end"):
            try:
                if not self._is_next("newline", ";"):
                    found.append(self._assignment(found))
                self._end_statement()
            except _StatementError:
                self._skip_line()
        return tuple(found)

    @property
    def _next(self) -> Token:
        return self._tokens[self._at]

    def _is_next(self, *kinds: str) -> bool:
        return self._next.kind in kinds

    def _take(self) -> Token:
        token = self._next
        self._at += token.kind != "end"
        return token

    def _fail(self, expected: str) -> _StatementError:
        token = self._next
        if token.place.line not in self._wrong_lines:  # else it is what is left of something already reported
            what = _NAMES.get(token.kind, f"`{token.kind}`") if token.kind != "word" else f"`{token.text}`"
            hint = "values that are words stand in quotes" if token.kind == "word" else ""
            message = f"{expected} is expected here, not {what}"
            self.problems.append(Diagnostic.at(token.place, "xl-syntax", message, hint=hint))
        return _StatementError()

    def _skip_line(self) -> None:
        while self._take().kind not in ("newline", "end"):
            pass

    def _end_statement(self) -> None:
        if not self._is_next("newline", ";", "end"):
            raise self._fail("the end of the line, or `;`,")
        self._take()

    def _assignment(self, before: list[Setting]) -> Setting:
        if not self._is_next("word"):
            raise self._fail("a key")
        key = self._take()
        if not self._is_next("=", "+="):
            raise self._fail("`=` or `+=`")
        adds = self._take().kind == "+="
        value = self._value(0)
        if adds:
            known = Configuration(tuple(before)).find(key.text)
            value = self._joined(known.value, value) if known else value
        return Setting(key.text, value, key.place)

    def _joined(self, old: Value, new: Value) -> Value:
        """`+=`: two lists, or two texts, put together (`xlu__cfg_concat_vals` in libxlu_cfg.c)."""
        match old, new:
            case TextValue(), TextValue():
                return TextValue(old.text + new.text, old.place)
            case ListValue(), ListValue():
                return ListValue((*old.items, *new.items), old.place)
            case _:
                message = "a list and a string cannot be added to each other"
                self.problems.append(Diagnostic.at(new.place, "xl-syntax", message))
                return old

    def _value(self, depth: int) -> Value:
        if self._is_next("string", "number"):
            token = self._take()
            return TextValue(token.text, token.place)
        if not self._is_next("["):
            raise self._fail("a value")
        if depth == MAX_DEPTH:
            raise self._fail(f"no more than {MAX_DEPTH} lists inside lists; something else")
        return self._list(self._take().place, depth)

    def _list(self, place: Place, depth: int) -> ListValue:
        items: list[Value] = []
        self._skip_lines()
        while not self._is_next("]"):
            items.append(self._value(depth + 1))
            self._skip_lines()
            if self._is_next(","):
                self._take()
                self._skip_lines()
            elif not self._is_next("]"):
                raise self._fail("`,` or `]`")
        self._take()
        return ListValue(tuple(items), place)

    def _skip_lines(self) -> None:
        while self._is_next("newline"):
            self._take()
