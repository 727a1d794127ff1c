"""GRUB's script language, as far as a generated grub.cfg uses it: text to a tree (GRUB manual, "Writing scripts").

Words are kept with their quoting, since `'$a'` is text and `"$a"` and `$a` are not.  Loops and functions are read and
never run.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


class Word(NamedTuple):
    """A word: pieces of text, each with whether variables in it are replaced; `is_plain` when nothing is quoted."""

    pieces: tuple[tuple[str, bool], ...]
    is_plain: bool = True

    @property
    def bare(self) -> str:
        """The word as it stands, when no quotes are in it; otherwise empty, so that it is no keyword."""
        return self.pieces[0][0] if self.is_plain else ""


class Command(NamedTuple):
    """A command and its arguments; `body`: what stands in braces after them, None without."""

    words: tuple[Word, ...]
    body: tuple[Node, ...] | None = None


class Conditional(NamedTuple):
    """`if`, `elif`, ... : conditions and what follows each; a last one without a condition is `else`."""

    branches: tuple[tuple[tuple[Node, ...], tuple[Node, ...]], ...]


class Loop(NamedTuple):
    """`for`, `while` or `until`: only its place is known."""


Node: TypeAlias = Command | Conditional | Loop

_TOKEN = re.compile(
    r"""(?P<space>[ \t\r]+|\\\n)|(?P<end>[;\n])|(?P<comment>\#[^\n]*)
    |(?P<word>(?:'[^']*'|"(?:\\.|[^"\\])*"|\\.|[^\s;'"\\])+)|(?P<other>.)""",
    re.VERBOSE | re.DOTALL,
)
_PIECE = re.compile(r"""'(?P<raw>[^']*)'|"(?P<quoted>(?:\\.|[^"\\])*)"|\\(?P<one>.)|(?P<bare>[^'"\\]+)""", re.DOTALL)
_END = Word((("\n", True),))
_MAX_DEPTH = 60


def parse_script(text: str) -> tuple[Node, ...]:
    """The tree of a script.

    A script that ends in the middle is read as if it were closed: whether it is well formed is GRUB's to judge.
    """
    return _Parser(tuple(_words(text))).block(())


def _words(text: str) -> Iterator[Word]:
    for found in _TOKEN.finditer(text):
        if found.lastgroup == "end":
            yield _END
        elif found.lastgroup in ("word", "other"):
            is_plain = not re.search(r"""['"\\]""", found[0])
            yield Word(tuple(_pieces(found[0])) or (("", False),), is_plain)
    yield _END


def _pieces(text: str) -> Iterator[tuple[str, bool]]:
    for found in _PIECE.finditer(text):
        match found.lastgroup:
            case "raw" | "one":
                yield found[0][1:-1] if found.lastgroup == "raw" else found[0][1:], False
            case "quoted":
                # A dollar sign after a backslash is text; \" and \\ stand for the second character.
                for part in re.split(r"(\\.)", found["quoted"], flags=re.DOTALL):
                    if part:
                        yield (part[1:], False) if part.startswith("\\") else (part, True)
            case _:
                yield found[0], True


class _Parser:
    def __init__(self, words: Sequence[Word]) -> None:
        self._words = words
        self._at = 0
        self._depth = 0

    def block(self, ends: tuple[str, ...]) -> tuple[Node, ...]:
        """Statements up to one of the words `ends`, which is not taken."""
        nodes: list[Node] = []
        self._depth += 1
        while self._at < len(self._words):
            word = self._words[self._at]
            if word == _END:
                self._at += 1
            elif word.bare in ends:
                break
            else:
                nodes.append(self._statement(word.bare))
        self._depth -= 1
        return tuple(nodes)

    def _statement(self, first: str) -> Node:
        if self._depth > _MAX_DEPTH:
            self._at = len(self._words)
            return Loop()
        if first == "if":
            return self._conditional()
        if first in ("for", "while", "until"):
            self._at += 1
            self.block(("done",))
            self._at += 1
            return Loop()
        words: list[Word] = []
        while self._at < len(self._words) and self._words[self._at] != _END:
            word = self._words[self._at]
            self._at += 1
            if word.bare == "{":
                body = self.block(("}",))
                self._at += 1
                return Command(tuple(words), body)
            words.append(word)
        return Command(tuple(words))

    def _conditional(self) -> Conditional:
        branches: list[tuple[tuple[Node, ...], tuple[Node, ...]]] = []
        ends = ("elif", "else", "fi")
        while True:
            is_last = self._words[self._at].bare == "else"
            self._at += 1
            condition = () if is_last else self.block(("then",))
            self._at += not is_last
            branches.append((condition, self.block(ends)))
            if self._at >= len(self._words) or is_last or self._words[self._at].bare == "fi":
                self._at += 1
                return Conditional(tuple(branches))
