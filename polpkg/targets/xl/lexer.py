"""From the text of an xl configuration to tokens.

The tokens are those of xl's own lexer (Xen, tools/libs/util/libxlu_cfg_l.l): keys are lower case, numbers begin with a
digit, strings stand in '' or "" and end on their line, a comment needs the line end after it.  Whatever else Python
would take is an error, as it is for xl; so are escapes by number, which libxlu_cfg.c reads and then drops.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from polpkg.diagnostics import Diagnostic, Frame, Place

if TYPE_CHECKING:
    from collections.abc import Iterator

    from polpkg.diagnostics import Source

_TOKEN = re.compile(
    r"""(?P<blank>[ \t]+)
    |(?P<word>[a-z][._0-9a-z]*)
    |(?P<number>[0-9][0-9a-fx]*)
    |(?P<newline>\r?\n|\#[^\n]*\n)
    |(?P<unended>\#[^\n]*)
    |(?P<string>'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*")
    |(?P<sign>\+=|[,\[\]=;])
    |(?P<wrong>[^ \t\n]+)""",
    re.VERBOSE,
)
_ESCAPE = re.compile(r"\\(.)")
_LETTERS = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v", '"': '"', "'": "'", "\\": "\\"}


class Token(NamedTuple):
    """One token; `kind` is `word`, `number`, `string`, `newline`, `end`, or the sign itself.  `text`: its value."""

    kind: str
    text: str
    place: Place


def tokens_of(source: Source, problems: list[Diagnostic]) -> Iterator[Token]:
    """The tokens of a text, an `end` last; what is none is reported in `problems` and left out."""
    frame, line, start = Frame(source), 1, 0
    for match in _TOKEN.finditer(source.text):
        kind, text = match.lastgroup or "", match[0]
        place = Place(frame, line, match.start() - start + 1)
        if kind == "newline":
            yield Token(kind, "\n", place)
            line, start = line + 1, match.end()
        elif kind == "unended":
            message, hint = "the file ends in a comment without a line end", "xl refuses that; end the line"
            problems.append(Diagnostic.at(place, "xl-syntax", message, hint=hint))
        elif kind == "wrong":
            problems.append(_wrong(text, place))
        elif kind == "string":
            yield Token(kind, _unquoted(text, place, problems), place)
        elif kind != "blank":
            yield Token(text if kind == "sign" else kind, text, place)
    yield Token("end", "", Place(frame, line, len(source.text) - start + 1))


def _wrong(text: str, place: Place) -> Diagnostic:
    if text[0] in "'\"":
        hint = "a string ends on the line that it begins on, with the quote that it begins with"
        return Diagnostic.at(place, "xl-syntax", "this string has no end", hint=hint)
    if text[0].isupper():
        hint = "keys of xl.cfg are lower case, words that are values stand in quotes"
        return Diagnostic.at(place, "xl-syntax", f"`{text}` cannot stand here", hint=hint)
    hint = "xl reads `key = value` with strings, numbers and lists of them; it does not run Python"
    return Diagnostic.at(place, "xl-syntax", f"`{text}` cannot stand here", hint=hint)


def _unquoted(text: str, place: Place, problems: list[Diagnostic]) -> str:
    def character(match: re.Match[str]) -> str:
        if match[1] in _LETTERS:
            return _LETTERS[match[1]]
        at = place._replace(column=place.column + 1 + match.start())
        problems.append(Diagnostic.at(at, "xl-syntax", f"`{match[0]}` is no escape that xl reads"))
        return ""

    return _ESCAPE.sub(character, text[1:-1]) if "\\" in text else text[1:-1]
