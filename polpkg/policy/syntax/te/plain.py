"""The statements that nearly all of a large policy consists of, each read by one regular expression.

A plain statement is a rule or a declaration in which every set is a name or a list of names.  What is not plain is left
to the parser, a piece of the text at a time, so that a policy of many megabytes is never in memory word by word.  A
text in which anything is wrong is given up, and the parser reads it from the beginning: what it says is what counts.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Protocol

from polpkg.policy.ir.quick import new_tuple
from polpkg.policy.ir.statements import (
    AvKind,
    AvRule,
    NameSet,
    TypeAttribute,
    TypeDeclaration,
    TypeRule,
    TypeRuleKind,
)
from polpkg.policy.syntax.te.words import RESERVED

if TYPE_CHECKING:
    from collections.abc import Callable

    from polpkg.diagnostics import Place
    from polpkg.policy.ir.statements import Statement
    from polpkg.policy.syntax.te.lexer import Located

    class ReadPiece(Protocol):
        """Reads statements from a piece of a text; the offset up to which it is sure."""

        def __call__(self, piece: Located, statements: list[Statement], *, is_last: bool) -> int:
            """Adds to `statements`."""
            ...


_BLANK = r"[ \t\f\r\n]"
_NAME = r"[A-Za-z][\w-]*+(?:\.[\w-]++)*+"
_NAMES = rf"{_NAME}(?:{_BLANK}++{_NAME})*+"
_SET = rf"(?:{_NAME}|\{{{_BLANK}*+{_NAMES}{_BLANK}*+\}})"
_GAP = rf"{_BLANK}*+"


def _compiled(pattern: str) -> Callable[[str, int], re.Match[str] | None]:
    return re.compile(pattern, re.ASCII).match


_KEYWORD = _compiled(rf"(?:{_BLANK}++|\#[^\n]*+)*+([a-z_]++){_BLANK}++")
_AV_RULE = _compiled(rf"({_SET}){_GAP}({_SET}){_GAP}:{_GAP}({_SET}){_GAP}(\*|~?{_SET}){_GAP};")
_ASSERTION = _compiled(rf"(\*|~?{_SET}){_GAP}(\*|~?{_SET}){_GAP}:{_GAP}({_SET}){_GAP}(\*|~?{_SET}){_GAP};")
_TYPE_RULE = _compiled(rf"({_SET}){_GAP}({_SET}){_GAP}:{_GAP}({_SET}){_GAP}({_NAME}){_GAP};")
_LIST = rf"{_NAME}(?:{_GAP},{_GAP}{_NAME})*+"
_TYPE = _compiled(rf"({_NAME}){_GAP}(?:,{_GAP}({_LIST}){_GAP})?;")
_ATTRIBUTES = _compiled(rf"({_NAME}){_BLANK}++({_LIST}){_GAP};")

_AV_KINDS = {
    "allow": (AvKind.ALLOW, _AV_RULE),
    "auditallow": (AvKind.AUDITALLOW, _AV_RULE),
    "dontaudit": (AvKind.DONTAUDIT, _AV_RULE),
    "neverallow": (AvKind.NEVERALLOW, _ASSERTION),
}
_TYPE_KINDS = {kind.name.lower(): kind for kind in TypeRuleKind}

_PIECE = 4096
"""So many characters are given to the parser at once, and more when no statement ends within them."""

WORTH_WHILE = 4096
"""A text with fewer characters is left to the parser as a whole."""


class _Piece:
    """A piece of a text."""

    def __init__(self, whole: Located, start: int, end: int) -> None:
        self.text = whole.text[start:end]
        self._whole, self._start = whole, start

    def place_at(self, offset: int) -> Place:
        """Where the character at `offset` of the piece comes from."""
        return self._whole.place_at(self._start + offset)


class Sets:
    """Sets by their text; equal ones are one value."""

    def __init__(self) -> None:
        """Begins with what needs no names."""
        self._known: dict[str, NameSet | None] = {"*": NameSet(star=True)}

    def get(self, text: str) -> NameSet | None:
        """The set that `text` is; None when a word in it cannot be a name."""
        try:
            return self._known[text]
        except KeyError:
            words = tuple(text.strip("~{} \t\f\r\n").split())
            plain = RESERVED.isdisjoint(words)
            found = self._known[text] = NameSet(words, complement=text[0] == "~") if plain else None
            return found


def read_plainly(located: Located, read_piece: ReadPiece, *, size: int = _PIECE) -> list[Statement] | None:
    """All statements of a text, or None when something in it is wrong.

    `read_piece` reads what is not plain, `size` characters of it at once.
    """
    text = located.text
    reader = _Reader(located)
    statements = reader.statements
    at = 0
    while True:
        at = reader.read_run(at)
        length, before = size, at
        while at == before:
            end = text.find("\n", at + length) + 1
            piece = _Piece(located, at, end or len(text))
            done = read_piece(piece, statements, is_last=not end)
            if not end:
                return statements if done == len(piece.text) else None
            at += done
            length *= 4


class _Reader:
    """Reads runs of plain statements."""

    def __init__(self, located: Located) -> None:
        self.statements: list[Statement] = []
        self._text = located.text
        self._place_at = located.place_at
        self._sets = Sets()

    def read_run(self, at: int) -> int:
        """Reads plain statements from `at` on; the offset of what is not one."""
        text, add, place_at = self._text, self.statements.append, self._place_at
        while (keyword := _KEYWORD(text, at)) is not None:
            word = keyword[1]
            start = keyword.end()
            if word in _AV_KINDS:
                kind, pattern = _AV_KINDS[word]
                found = pattern(text, start)
                fields = None if found is None else self._av_fields(found)
                if found is None or fields is None:
                    break
                add(new_tuple(AvRule, (place_at(keyword.start(1)), kind, *fields)))
            else:
                read = _OTHERS.get(word)
                found = None if read is None else read[0](text, start)
                if read is None or found is None:
                    break
                statement = read[1](self, place_at(keyword.start(1)), word, found)
                if statement is None:
                    break
                add(statement)
            at = found.end()
        return at

    def _av_fields(self, found: re.Match[str]) -> tuple[NameSet, NameSet, tuple[str, ...], NameSet] | None:
        """Source, target, classes and permissions."""
        source, target, classes, permissions = map(self._sets.get, found.groups())
        if source is None or target is None or classes is None or permissions is None:
            return None
        return source, target, classes.names, permissions

    def type_rule(self, place: Place, word: str, found: re.Match[str]) -> Statement | None:
        """`type_transition` and its like."""
        source, target, classes, result = map(self._sets.get, found.groups())
        if source is None or target is None or classes is None or result is None:
            return None
        return TypeRule(place, _TYPE_KINDS[word], source, target, classes.names, result.names[0])

    def type_declaration(self, place: Place, _: str, found: re.Match[str]) -> Statement | None:
        """`type T, A, ...;`"""
        name = self._sets.get(found[1])
        attributes = self._list(found[2]) if found[2] else ()
        return None if name is None or attributes is None else TypeDeclaration(place, name.names[0], (), attributes)

    def type_attribute(self, place: Place, _: str, found: re.Match[str]) -> Statement | None:
        """`typeattribute T A, ...;`"""
        name, attributes = self._sets.get(found[1]), self._list(found[2])
        return None if name is None or attributes is None else TypeAttribute(place, name.names[0], attributes)

    def _list(self, text: str) -> tuple[str, ...] | None:
        found = self._sets.get(text.replace(",", " "))
        return None if found is None else found.names


_OTHERS = {
    **dict.fromkeys(_TYPE_KINDS, (_TYPE_RULE, _Reader.type_rule)),
    "type": (_TYPE, _Reader.type_declaration),
    "typeattribute": (_ATTRIBUTES, _Reader.type_attribute),
}
