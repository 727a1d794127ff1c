r"""Regular expressions of GNU m4: the syntax of Emacs (`RE_SYNTAX_EMACS` of GNU regex) and its longest match.

Python's `re` has another syntax, prefers the first alternative to the longest match, and can take exponential time.
Patterns come from untrusted packages, so this is a matcher of its own whose steps are counted.

`. * + ? [...] ^ $ \| \( \) \1 \w \W \s \S \b \B \< \> \` \'` are special, everything else is itself.  A pattern becomes
a small program (`split`, `char`, `save`, ...).  Matching first finds the longest end, visiting each state once at each
position, then the first way (greedy, left alternative first) that reaches this end, which says what the groups are.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

WORD = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_")
BLANK = frozenset(" \t\n\v\f\r")


class PatternError(ValueError):
    """The pattern is malformed; the text is what GNU regex says."""


class PatternCostError(Exception):
    """Matching took more steps than allowed."""


class Budget:
    """What matching may still cost; shared by all patterns of one expansion."""

    __slots__ = ("_left",)

    def __init__(self, steps: int) -> None:
        self._left = steps

    def spend(self, steps: int) -> None:
        """Take `steps` off; raises `PatternCostError` when there are not so many left."""
        self._left -= steps
        if self._left < 0:
            raise PatternCostError


class Match(NamedTuple):
    """Where the whole match and each group begin and end; -1 for a group that took no part."""

    spans: tuple[tuple[int, int], ...]


@dataclass(slots=True)
class _Node:
    """One instruction: `kind`, what it tests, and where to go on (`other` second)."""

    kind: str
    then: int = -1
    other: int = -1
    test: Callable[[str], bool] | None = None
    number: int = 0


class Pattern:
    """A compiled pattern, which takes what it costs from `budget`."""

    def __init__(self, text: str, budget: Budget) -> None:
        budget.spend(len(text))
        compiled = _Compiler(text)
        self._nodes, self._start = compiled.compile()
        self.groups = compiled.groups
        self._has_references = compiled.has_references
        self._spend = budget.spend

    def search(self, text: str, start: int) -> Match | None:
        """The first match at or after `start`, the longest one there."""
        for position in range(start, len(text) + 1):
            end = self._longest(text, position)
            if end >= 0:
                return self._trace(text, position, end)
        return None

    def _longest(self, text: str, start: int) -> int:
        """The end of the longest match at `start`; -1 when there is none."""
        best = -1
        for end, _ in self._ways(text, start, once=not self._has_references):
            best = max(best, end)
        return best

    def _trace(self, text: str, start: int, end: int) -> Match:
        """The groups of the first way from `start` to `end`."""
        saved = next(
            found for stop, found in self._ways(text, start, once=not self._has_references, end=end) if stop == end
        )
        groups = ((saved.get(2 * n, -1), saved.get(2 * n + 1, -1)) for n in range(1, self.groups + 1))
        return Match(((start, end), *(span if span[1] >= 0 else (-1, -1) for span in groups)))

    def _ways(self, text: str, start: int, *, once: bool, end: int = -1) -> list[tuple[int, dict[int, int]]]:
        """Every end that can be reached from `start`, in order of preference; with `end`, only until that one.

        `once`: no state counts twice.  `rounds` has a bit for each repetition whose present round began here: a round
        that got no further is the last one.
        """
        found: list[tuple[int, dict[int, int]]] = []
        seen: set[tuple[int, int, int]] = set()
        waiting: list[tuple[int, int, int, dict[int, int]]] = [(self._start, start, 0, {})]
        while waiting:
            at, position, rounds, saved = waiting.pop()
            while at >= 0:
                self._spend(1)
                if once:
                    if (at, position, rounds) in seen:
                        break
                    seen.add((at, position, rounds))
                node = self._nodes[at]
                if node.kind == "match":
                    found.append((position, saved))
                    if position == end:
                        return found
                    break
                if node.kind == "split":
                    waiting.append((node.other, position, rounds, saved))
                    at = node.then
                elif node.kind == "save":
                    self._spend(len(saved) // 8)
                    saved = {**saved, node.number: position}
                    at = node.then
                elif node.kind == "round":
                    rounds |= node.number
                    at = node.then
                elif node.kind == "progress":
                    at = node.other if rounds & node.number else node.then
                else:
                    before, position = position, _advance(node, text, position, saved)
                    rounds = rounds if position == before else 0
                    at = node.then if position >= 0 else -1
        return found


def _advance(node: _Node, text: str, position: int, saved: dict[int, int]) -> int:
    """The position after `node`, or -1 when it does not match."""
    if node.kind == "char":
        matches = position < len(text) and node.test is not None and node.test(text[position])
        return position + 1 if matches else -1
    if node.kind == "reference":
        begin, end = saved.get(2 * node.number, -1), saved.get(2 * node.number + 1, -1)
        if min(begin, end) < 0:
            return -1
        group = text[begin:end]
        return position + len(group) if text.startswith(group, position) else -1
    return position if _ASSERTIONS[node.kind](text, position) else -1


def _not_newline(char: str) -> bool:
    return char != "\n"


def _word_at(text: str, position: int) -> bool:
    return 0 <= position < len(text) and text[position] in WORD


_ASSERTIONS: dict[str, Callable[[str, int], bool]] = {
    "^": lambda text, at: at == 0 or text[at - 1] == "\n",
    "$": lambda text, at: at == len(text) or text[at] == "\n",
    "`": lambda _, at: at == 0,
    "'": lambda text, at: at == len(text),
    "<": lambda text, at: _word_at(text, at) and not _word_at(text, at - 1),
    ">": lambda text, at: _word_at(text, at - 1) and not _word_at(text, at),
    "b": lambda text, at: _word_at(text, at) != _word_at(text, at - 1),
    "B": lambda text, at: _word_at(text, at) == _word_at(text, at - 1),
}
_CLASSES: dict[str, Callable[[str], bool]] = {
    "w": lambda char: char in WORD,
    "W": lambda char: char not in WORD,
    "s": lambda char: char in BLANK,
    "S": lambda char: char not in BLANK,
}


class _Part(NamedTuple):
    """A piece of program: where it begins, and the nodes whose `then` is open."""

    start: int
    open: list[int]


class _Compiler:
    """Translates a pattern; an explicit stack of groups, so that nesting cannot exhaust Python's."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._nodes: list[_Node] = []
        self._closed: set[int] = set()
        self._marks = 0
        self.groups = 0
        self.has_references = False

    def compile(self) -> tuple[list[_Node], int]:
        """The program and where it begins."""
        stack: list[tuple[list[_Part], list[_Part], int]] = []
        branches: list[_Part] = []
        sequence: list[_Part] = []
        while self._at < len(self._text):
            char = self._text[self._at]
            two = self._text[self._at : self._at + 2]
            if two == "\\(":
                self._at += 2
                self.groups += 1
                stack.append((branches, sequence, self.groups))
                branches, sequence = [], []
            elif two == "\\)":
                if not stack:
                    raise PatternError("Unmatched ) or \\)")
                self._at += 2
                inner = self._alternatives([*branches, self._sequence(sequence)])
                branches, sequence, number = stack.pop()
                sequence.append(self._group(inner, number))
                self._closed.add(number)
            elif two == "\\|":
                self._at += 2
                branches.append(self._sequence(sequence))
                sequence = []
            elif char in "*+?" and sequence and self._repeatable(sequence[-1]):
                self._at += 1
                sequence[-1] = self._repeat(sequence[-1], char)
            else:
                sequence.append(self._atom())
        if stack:
            raise PatternError("Unmatched ( or \\(")
        part = self._alternatives([*branches, self._sequence(sequence)])
        self._connect(part.open, self._add("match"))
        return self._nodes, part.start

    def _repeatable(self, part: _Part) -> bool:
        """Whether a star may follow; after an assertion it stands for itself."""
        return self._nodes[part.start].kind not in _ASSERTIONS

    def _add(self, kind: str, **values: object) -> int:
        node = _Node(kind)
        for name, value in values.items():
            setattr(node, name, value)
        self._nodes.append(node)
        return len(self._nodes) - 1

    def _connect(self, nodes: list[int], target: int) -> None:
        for index in nodes:
            self._nodes[index].then = target

    def _single(self, kind: str, **values: object) -> _Part:
        index = self._add(kind, **values)
        return _Part(index, [index])

    def _sequence(self, parts: list[_Part]) -> _Part:
        if not parts:
            return self._single("save", number=-1)
        for before, after in pairwise(parts):
            self._connect(before.open, after.start)
        return _Part(parts[0].start, parts[-1].open)

    def _alternatives(self, parts: list[_Part]) -> _Part:
        start = parts[-1].start
        for part in reversed(parts[:-1]):
            start = self._add("split", then=part.start, other=start)
        return _Part(start, [index for part in parts for index in part.open])

    def _group(self, inner: _Part, number: int) -> _Part:
        opening = self._add("save", then=inner.start, number=2 * number)
        closing = self._add("save", number=2 * number + 1)
        self._connect(inner.open, closing)
        return _Part(opening, [closing])

    def _repeat(self, part: _Part, operator: str) -> _Part:
        if operator == "?":
            done = self._add("save", number=-1)
            split = self._add("split", then=part.start, other=done)
            return _Part(split, [*part.open, done])
        self._marks += 1
        mark = 1 << self._marks
        done = self._add("save", number=-1)
        begin = self._add("round", then=part.start, number=mark)
        split = self._add("split", then=begin, other=done)
        self._connect(part.open, self._add("progress", then=split, other=done, number=mark))
        return _Part(begin if operator == "+" else split, [done])

    def _atom(self) -> _Part:
        text, at = self._text, self._at
        char = text[at]
        self._at = at + 1
        if char == ".":
            return self._single("char", test=_not_newline)
        if char == "[":
            return self._single("char", test=self._bracket())
        if char == "^" and self._anchors_here(at):
            return self._single("^")
        if char == "$" and self._ends_here(at + 1):
            return self._single("$")
        return self._escaped() if char == "\\" else self._literal(char)

    def _literal(self, char: str) -> _Part:
        return self._single("char", test=char.__eq__)

    def _anchors_here(self, at: int) -> bool:
        return at == 0 or self._text[max(at - 2, 0) : at] in ("\\(", "\\|")

    def _ends_here(self, at: int) -> bool:
        return at == len(self._text) or self._text.startswith(("\\)", "\\|"), at)

    def _escaped(self) -> _Part:
        if self._at >= len(self._text):
            raise PatternError("Trailing backslash")
        char = self._text[self._at]
        self._at += 1
        if char in _CLASSES:
            return self._single("char", test=_CLASSES[char])
        if char in "`'<>bB":
            return self._single(char)
        if char in "123456789":
            if int(char) not in self._closed:
                raise PatternError("Invalid back reference")
            self.has_references = True
            return self._single("reference", number=int(char))
        return self._literal(char)

    def _bracket(self) -> Callable[[str], bool]:
        text, at = self._text, self._at
        negated = text.startswith("^", at)
        at += negated
        chars: set[str] = set()
        first = at
        while at < len(text) and (text[at] != "]" or at == first):
            low = text[at]
            if text.startswith("-", at + 1) and at + 2 < len(text) and text[at + 2] != "]":
                high = text[at + 2]
                chars.update(map(chr, range(ord(low), min(ord(high), 0xFFFF) + 1)))
                at += 3
            else:
                chars.add(low)
                at += 1
        if at >= len(text):
            raise PatternError("Unmatched [, [^, [:, [., or [=" if at > first else "Invalid regular expression")
        self._at = at + 1
        return (lambda char: char not in chars) if negated else chars.__contains__
