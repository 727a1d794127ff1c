"""Expanded text to words, with the offset of each.

A word is kept as plain text; its first character says what it is (see `is_identifier`), so that a large policy costs
one string per word and no token objects.
"""

from __future__ import annotations

import re
from array import array
from bisect import bisect_right
from itertools import accumulate
from typing import TYPE_CHECKING, Protocol

from polpkg.diagnostics import Frame, Place, Source
from polpkg.policy.ir.quick import new_tuple
from polpkg.policy.syntax.te.words import RESERVED

if TYPE_CHECKING:
    from collections.abc import Sequence


_WORD = re.compile(
    r"""
    ((?: [ \t\f\r\n]+ | \#[^\n]* )*)           # blanks and comments
    (   [A-Za-z][\w-]* (?: \.[\w-]+ )*        # identifier; it may hold single dots (c0.c255) and hyphens
      | [0-9]\w*                               # number; `Cursor.read_number` looks closer
      | == | != | && | \|\|
      | "[^"\n]*"
      | /[^ \n\r\t\f]*                         # path
      | .
      | \Z
    )
    """,
    re.VERBOSE | re.ASCII,
)

_LINE_MARK = re.compile(r'^#line ([0-9]{1,9})(?![0-9])(?: "([^"\n]*)")?[^\n]*$', re.MULTILINE)


class Located(Protocol):
    """Text of which every offset has a place."""

    @property
    def text(self) -> str:
        """The text itself."""
        ...

    def place_at(self, offset: int) -> Place:
        """Where the character at `offset` comes from."""
        ...


class PlainText:
    """A text that was not expanded, honouring the `#line N "file"` marks that m4 -s leaves in a policy.conf."""

    def __init__(self, source: Source) -> None:
        """Text of `source`, whose marks are read at once."""
        self.text = source.text
        self._line_starts = array("Q", (0, *(found.end() for found in re.finditer("\n", source.text))))
        self._starts: list[int] = [0]
        self._marks: list[tuple[Frame, int]] = [(Frame(source), 1)]
        file = source.file
        for mark in _LINE_MARK.finditer(source.text):
            file = mark[2] or file
            named = Source(file, "", source.package, source.version)
            self._starts.append(mark.end() + 1)
            self._marks.append((Frame(named), int(mark[1])))
        self._first_rows = [bisect_right(self._line_starts, start) for start in self._starts]

    def place_at(self, offset: int) -> Place:
        """Where the character at `offset` comes from."""
        index = bisect_right(self._starts, offset) - 1
        frame, line = self._marks[index]
        row = bisect_right(self._line_starts, offset)
        column = offset - self._line_starts[row - 1] + 1
        return new_tuple(Place, (frame, line + row - self._first_rows[index], column))


class Words:
    """The words of a text and where each one is; one empty word marks the end."""

    __slots__ = ("_located", "_offsets", "values")

    def __init__(self, located: Located) -> None:
        """Reads all of `located`."""
        pairs = _WORD.findall(located.text)
        self._located = located
        self.values: Sequence[str] = [word for _, word in pairs]
        lengths = accumulate((len(blank) + len(word) for blank, word in pairs), initial=0)
        self._offsets = [start + len(blank) for start, (blank, _) in zip(lengths, pairs, strict=False)]

    def place(self, index: int) -> Place:
        """Where word `index` is."""
        return self._located.place_at(self._offsets[index])

    @property
    def end(self) -> int:
        """The index of the empty word; behind blanks there are two."""
        return len(self.values) - (2 if len(self.values) > 1 and not self.values[-2] else 1)

    def offset(self, index: int) -> int:
        """Where word `index` is in the text."""
        return self._offsets[index]

    def is_first_on_line(self, index: int) -> bool:
        """Whether a line ends between word `index` and the one before."""
        before = self._offsets[index - 1] + len(self.values[index - 1]) if index else 0
        return not index or "\n" in self._located.text[before : self._offsets[index]]


def is_identifier(word: str) -> bool:
    """Whether `word` can be a name: it begins with a letter and is not a word of the language."""
    return "A" <= word[:1] <= "z" and word[0].isalpha() and word not in RESERVED


def is_number(word: str) -> bool:
    """Whether `word` is a number, decimal or 0x."""
    return "0" <= word[:1] <= "9"
