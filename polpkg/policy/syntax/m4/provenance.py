"""Text that knows where it comes from.

A `Text` is a string with marks.  A mark says that from its start on the characters stand in the source of a `Level`,
from an offset on: `(start, level, offset, author)`.  A negative offset `~n` means that all of them belong to the one
point `n`: they were computed, or are an argument put in where `$1` stands.  `author` is the package that wrote the
characters, which for an argument is the package of the caller although the place is in the macro.

Levels, marks and offsets are cheap to make while expanding; `Places` turns them into `Frame` and `Place` when somebody
asks, which is almost never.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from typing import TYPE_CHECKING, TypeAlias

from polpkg.diagnostics import Frame, Place, Source

if TYPE_CHECKING:
    from collections.abc import Sequence


class Level:
    """A frame in the making: `source` is read because `macro` was called at `offset` of `caller`."""

    __slots__ = ("caller", "depth", "frame", "macro", "missing", "offset", "source")

    def __init__(self, source: Source, macro: str = "", caller: Level | None = None, offset: int = 0) -> None:
        self.source = source
        self.missing = 0
        self.macro = macro
        self.caller = caller
        self.offset = offset
        self.depth: int = caller.depth + 1 if caller else 0
        self.frame: Frame | None = None if caller else Frame(source, macro)


Mark: TypeAlias = tuple[int, Level, int, str]


def find_mark(marks: Sequence[Mark], position: int) -> Mark:
    """The mark that `position` falls under; `marks` is sorted and not empty."""
    index = bisect_left(marks, position + 1, key=_start)
    return marks[max(index - 1, 0)]


def _start(mark: Mark) -> int:
    return mark[0]


def offset_at(mark: Mark, position: int) -> int:
    """The offset, in the source of the mark's level, of the character at `position`."""
    start, _, offset, _ = mark
    return offset + max(position - start, 0) if offset >= 0 else offset


def slice_marks(marks: Sequence[Mark], start: int, end: int, at: int) -> list[Mark]:
    """The marks of the characters from `start` to `end`, for a text in which they begin at `at`."""
    first = max(bisect_left(marks, start + 1, key=_start) - 1, 0)
    mark = marks[first]
    found: list[Mark] = [(at, mark[1], offset_at(mark, start), mark[3])]
    for begin, level, offset, author in marks[first + 1 :]:
        if begin >= end:
            break
        found.append((at + begin - start, level, offset, author))
    return found


class Text:
    """A string, and the marks that cover it (at least one, the first at 0)."""

    __slots__ = ("marks", "text")

    def __init__(self, text: str, marks: list[Mark]) -> None:
        self.text = text
        self.marks = marks


class Block(Text):
    """A text that is being read: `position` is the next character, `root` where it came into the file.

    `root` is the offset in the file being read of the call that this text goes back to, and -1 for the file itself.
    `last_root` is that of the last character: another one for a name that was put together from several blocks.
    """

    __slots__ = ("cursor", "last_root", "position", "root")

    def __init__(self, text: str, marks: list[Mark], root: int) -> None:
        super().__init__(text, marks)
        self.root = root
        self.last_root = root
        self.position = 0
        self.cursor = 0

    def mark_at(self, position: int) -> Mark:
        """The mark of the character at `position`, which never goes backwards from call to call."""
        marks, cursor = self.marks, self.cursor
        last = len(marks) - 1
        while cursor < last and marks[cursor + 1][0] <= position:
            cursor += 1
        self.cursor = cursor
        return marks[cursor]

    def where(self, position: int) -> tuple[Level, int]:
        """The level and the offset in it of the character at `position`; see `mark_at`."""
        mark = self.mark_at(position)
        return mark[1], offset_at(mark, position)


class TextBuilder:
    """Collects a text piece by piece."""

    __slots__ = ("length", "marks", "pieces")

    def __init__(self) -> None:
        self.pieces: list[str] = []
        self.marks: list[Mark] = []
        self.length = 0

    def add(self, block: Block, start: int, end: int) -> None:
        """Append what `block` has from `start` to `end`."""
        if start >= end:
            return
        begin, level, offset, author = block.mark_at(start)
        self.marks.append((self.length, level, offset + start - begin if offset >= 0 else offset, author))
        marks, index, shift = block.marks, block.cursor + 1, self.length - start
        while index < len(marks) and marks[index][0] < end:
            begin, level, offset, author = marks[index]
            self.marks.append((begin + shift, level, offset, author))
            index += 1
        self.pieces.append(block.text[start:end])
        self.length += end - start

    def put(self, text: str, level: Level, offset: int, author: str) -> None:
        """Append `text`, which stands at (or, for a negative offset, belongs to) one offset of `level`."""
        if text:
            self.marks.append((self.length, level, offset, author))
            self.pieces.append(text)
            self.length += len(text)

    def put_text(self, text: Text, wrapped: dict[Level, Level] | None = None) -> None:
        """Append `text` with its marks, its levels exchanged as `wrapped` says."""
        if not text.text:
            return
        for start, level, offset, author in text.marks:
            self.marks.append((self.length + start, wrapped[level] if wrapped else level, offset, author))
        self.pieces.append(text.text)
        self.length += len(text.text)

    def join(self) -> str:
        """The text so far."""
        return "".join(self.pieces)


class Places:
    """Makes frames and places from levels and offsets; a level always gives the same frame."""

    __slots__ = ("_lines",)

    def __init__(self) -> None:
        self._lines: dict[Source, list[int]] = {}

    def place(self, level: Level, offset: int) -> Place:
        """The point at `offset` in `level`."""
        return self._point(self.frame(level), offset)

    def frame(self, level: Level) -> Frame:
        """The frame of `level`, made with the frames of its callers when it is not there yet."""
        missing: list[Level] = []
        here = level
        while here.frame is None and here.caller is not None:
            missing.append(here)
            here = here.caller
        frame = here.frame or Frame(here.source, here.macro)
        for here in reversed(missing):
            here.frame = frame = Frame(here.source, here.macro, self._point(frame, here.offset), here.missing)
        return frame

    def line(self, source: Source, offset: int) -> int:
        """The line of `source`, from 1, that `offset` lies on."""
        return bisect_right(self._line_starts(source), offset)

    def _point(self, frame: Frame, offset: int) -> Place:
        offset = ~offset if offset < 0 else offset
        starts = self._line_starts(frame.source)
        line = bisect_right(starts, offset)
        return Place(frame, line, offset - starts[line - 1] + 1)

    def _line_starts(self, source: Source) -> list[int]:
        starts = self._lines.get(source)
        if starts is None:
            starts = [0]
            text, end = source.text, source.text.find("\n")
            while end >= 0:
                starts.append(end + 1)
                end = text.find("\n", end + 1)
            self._lines[source] = starts
        return starts
