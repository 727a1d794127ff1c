"""Text to nested lists, as `cil_lexer.l` and `cil_parser.c` of libsepol read it.

Words stay plain strings (a quoted one keeps its quotes), and a list knows only where it begins: the place of a word is
looked up when a finding is about it.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from itertools import accumulate
from typing import TYPE_CHECKING, TypeAlias

from polpkg.diagnostics import Diagnostic, Frame, Place

if TYPE_CHECKING:
    from polpkg.diagnostics import Source

_TOKEN = re.compile(
    r"""[ \t\r\n]+ | ;[^\n]*                                  # blanks and comments, which have no group
    | ( [()] | "[^"\n]*" | [A-Za-z0-9\[\].@=/*_$%+\-!|&^:~`\#{}'<>?,]+ | . )""",
    re.VERBOSE | re.DOTALL,
)
DEEPEST_NESTING = 4096
"""Parentheses within parentheses, as libsepol bounds them (CIL_PARSER_MAX_EXPR_DEPTH)."""


class CilText:
    """One source, and where its lines begin."""

    __slots__ = ("frame", "source", "starts")

    def __init__(self, source: Source) -> None:
        """Counts the lines of `source`."""
        self.source = source
        self.frame = Frame(source)
        self.starts = [0, *accumulate(len(line) for line in source.text.splitlines(keepends=True))]
        if "\r" in source.text or not source.text.isascii():
            self.starts = [0, *(found.end() for found in re.finditer("\n", source.text))]

    def place(self, offset: int, frame: Frame | None = None) -> Place:
        """Where the character at `offset` is, read in `frame` when that is not the text itself."""
        row = bisect_right(self.starts, offset)
        return Place(frame or self.frame, row, offset - self.starts[row - 1] + 1)


class Form:
    """`( ... )`: its items, where it begins, and how many words it has altogether."""

    __slots__ = ("items", "offset", "size", "text")

    def __init__(self, text: CilText, offset: int) -> None:
        """An empty list that begins at `offset`."""
        self.text = text
        self.offset = offset
        self.items: list[Node] = []
        self.size = 1

    @property
    def keyword(self) -> str:
        """The first item if it is a word; else empty."""
        first = self.items[0] if self.items else ""
        return first if isinstance(first, str) else ""

    def place(self, index: int = -1, frame: Frame | None = None) -> Place:
        """Where item `index` is; -1 is the list itself."""
        offset, depth, count = self.offset, 0, -1
        for found in _TOKEN.finditer(self.text.source.text, self.offset) if index >= 0 else ():
            word = found[1]
            depth -= word == ")"
            if depth == 1 and word is not None and word != ")":
                count += 1
            depth += word == "("
            if count == index or depth <= 0 < len(word or ""):
                offset = found.start() if count == index else offset
                break
        return self.text.place(offset, frame)


Node: TypeAlias = str | Form
"""A word or a list."""


def read_forms(source: Source) -> tuple[list[Form], list[Diagnostic]]:
    """The lists at the top of a text, and what is wrong with its words and parentheses."""
    text = CilText(source)
    top: list[Form] = []
    problems: list[Diagnostic] = []
    open_: list[Form] = []
    for found in _TOKEN.finditer(source.text):
        word = found[1]
        if word is None:
            continue
        if word == "(":
            form = Form(text, found.start())
            (open_[-1].items if open_ else top).append(form)
            open_.append(form)
            if len(open_) > DEEPEST_NESTING:
                message = f"parentheses are nested more than {DEEPEST_NESTING:,} deep"
                return top, [*problems, _problem(text, found.start(), message)]
        elif word == ")" and open_:
            closed = open_.pop()
            if open_:
                open_[-1].size += closed.size
        elif (message := _misplaced(word, bool(open_))) != "":
            problems.append(_problem(text, found.start(), message))
            if len(problems) >= 100:
                return top, problems
        else:
            open_[-1].items.append(word)
            open_[-1].size += 1
    problems.extend(_problem(text, form.offset, "this `(` is never closed") for form in open_[-1:])
    return top, problems


def _misplaced(word: str, inside: bool) -> str:  # noqa: FBT001 - where the word stands
    if word == ")":
        return "this `)` closes nothing"
    if word == '"':
        return "this string does not end on its line"
    if not word.isascii() or word < " ":
        return f"unexpected character {word!r}"
    if not inside:
        return f"expected `(` but found `{word}`"
    return "" if word != "\\" else "unexpected character `\\`"


def _problem(text: CilText, offset: int, message: str) -> Diagnostic:
    return Diagnostic.at(text.place(offset), "syntax-error", message)
