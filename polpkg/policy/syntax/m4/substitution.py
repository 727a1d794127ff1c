"""The expansion of a macro with a body: its text, with the arguments put in.

Literal text keeps its exact place in the source of the body.  An argument of one line belongs to the point where `$1`
stands, and the macro stack leads to the call.  An argument of several lines is a piece of policy in its own right
(`optional_policy(...)`): it keeps its own lines, in a level that says which macro it went through.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from polpkg.policy.syntax.m4.provenance import Level, Mark, Text, slice_marks
from polpkg.policy.syntax.m4.table import COUNT, NOTHING, QUOTED

if TYPE_CHECKING:
    from polpkg.diagnostics import Source
    from polpkg.policy.syntax.m4.invocation import Argument
    from polpkg.policy.syntax.m4.processor import Processor
    from polpkg.policy.syntax.m4.table import BodyMark, Macro


_MANY = 100
"""An expansion that is put together from more pieces than this costs steps for each of them."""


def substitute(macro: Macro, arguments: list[Argument], call: tuple[Level, int, str], processor: Processor) -> Text:
    """What `macro`, called with `arguments` at the place `call`, expands to."""
    level, offset, author = call
    levels = _Levels(macro.name, level, offset)
    marks = [(start, levels.of(source), at, writer) for start, source, at, writer in macro.marks]
    if not macro.pieces:
        return Text(macro.body, marks)
    filled = _Filled(macro, marks, levels, author)
    bound = processor.limits.text
    for start, end, reference in macro.pieces:
        if start < end:
            filled.add_literal(start, end)
        if reference != NOTHING:
            filled.add_reference(reference, end, arguments, bound)
            if reference > 0 and (reference > len(arguments) or not arguments[reference - 1].text.text):
                levels.leave_out(reference)
        if filled.length > bound:
            processor.fail_limit("text", level, offset)
    if len(filled.marks) > _MANY:
        processor.spend(len(filled.marks), level, offset)
    return Text("".join(filled.parts), filled.marks)


class _Levels:
    """The levels of one call: one for each source that its text comes from."""

    __slots__ = ("_caller", "_made", "_name", "_offset")

    def __init__(self, name: str, caller: Level, offset: int) -> None:
        self._name = name
        self._caller = caller
        self._offset = offset
        self._made: dict[int, Level] = {}

    def leave_out(self, argument: int) -> None:
        """Remember that the call leaves an argument out, which the macro uses."""
        for level in self._made.values():
            level.missing = min(level.missing or argument, argument)

    def of(self, source: Source) -> Level:
        level = self._made.get(id(source))
        if level is None:
            level = self._made[id(source)] = Level(source, self._name, self._caller, self._offset)
        return level


class _Filled:
    """A body being filled in."""

    __slots__ = ("_author", "_levels", "_macro", "_marks", "length", "marks", "parts")

    def __init__(self, macro: Macro, marks: list[Mark], levels: _Levels, author: str) -> None:
        self._macro = macro
        self._marks = marks
        self._levels = levels
        self._author = author
        self.parts: list[str] = []
        self.marks: list[Mark] = []
        self.length = 0

    def add_literal(self, start: int, end: int) -> None:
        self.parts.append(self._macro.body[start:end])
        first = self._marks[0]
        if len(self._marks) == 1:
            self.marks.append((self.length, first[1], first[2] + start if first[2] >= 0 else first[2], first[3]))
        else:
            self.marks.extend(slice_marks(self._marks, start, end, self.length))
        self.length += end - start

    def add_reference(self, reference: int, position: int, arguments: list[Argument], bound: int) -> None:
        """Put in what `$...` at `position` of the body stands for; stop short of much more than `bound` characters."""
        _, level, offset, writer = slice_marks(self._marks, position, position + 1, 0)[0]
        point = (level, offset if offset < 0 else ~offset)
        if reference == 0:
            self._put(self._macro.name, *point, self._author)
        elif reference > 0:
            if reference <= len(arguments):
                self._put_argument(arguments[reference - 1], point)
        elif reference == COUNT:
            self._put(str(len(arguments)), *point, writer)
        else:
            self._put_all(arguments, point, writer, bound, quoted=reference == QUOTED)

    def _put_all(
        self, arguments: list[Argument], point: tuple[Level, int], writer: str, bound: int, *, quoted: bool
    ) -> None:
        before, between, after = ("`", "',`", "'") if quoted else ("", ",", "")
        for index, argument in enumerate(arguments):
            self._put(between if index else before, *point, writer)
            self._put_argument(argument, point)
            if self.length > bound:
                return
        self._put(after if arguments else "", *point, writer)

    def _put_argument(self, argument: Argument, point: tuple[Level, int]) -> None:
        text = argument.text
        if "\n" not in text.text:
            self._put(text.text, *point, text.marks[0][3])
            return
        self.marks.extend(
            (self.length + start, self._levels.of(level.source), offset, author)
            for start, level, offset, author in text.marks
        )
        self.parts.append(text.text)
        self.length += len(text.text)

    def _put(self, text: str, level: Level, offset: int, author: str) -> None:
        if text:
            self.marks.append((self.length, level, offset, author))
            self.parts.append(text)
            self.length += len(text)


def body_marks(text: Text) -> tuple[BodyMark, ...]:
    """The marks of `text` for a definition, which outlives the levels it was read in."""
    return tuple((start, level.source, offset, author) for start, level, offset, author in text.marks)


def join_quoted(arguments: list[Argument], level: Level, offset: int, author: str) -> Text:
    """`arguments` quoted, with commas between: what `shift` gives."""
    parts: list[str] = []
    marks: list[Mark] = []
    length = 0
    for index, argument in enumerate(arguments):
        text = argument.text
        opening = ",`" if index else "`"
        marks.append((length, level, offset, author))
        length += len(opening)
        marks.extend((length + start, origin, at, writer) for start, origin, at, writer in text.marks)
        length += len(text.text)
        marks.append((length, level, offset, author))
        length += 1
        parts += (opening, text.text, "'")
    return Text("".join(parts), marks)
