"""Output with `#line` marks, as `m4 -s` writes it (GNU m4 manual, section 2.4, and what m4 1.4.19 does).

GNU m4 looks whether a mark is needed before the first token of each output line, and a token never changes its line
half way: a quoted string or comment of several lines is one token, any other character that is not part of a word too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from polpkg.policy.syntax.m4.provenance import TextBuilder

if TYPE_CHECKING:
    from collections.abc import Callable

    from polpkg.policy.syntax.m4.provenance import Block, Level


class SyncedOutput(TextBuilder):
    """Collects output and puts a mark wherever the output line is not the input line."""

    __slots__ = ("_at_line_start", "_file", "_level", "_line")

    def __init__(self) -> None:
        super().__init__()
        self._at_line_start = True
        self._line = -1
        self._file = ""
        self._level: Level | None = None

    def begin_source(self, level: Level) -> None:
        """The input is now the file that `level` reads; the next mark will name it."""
        self._level = level
        self._file = level.source.file
        self._line = -1

    def begin_token(self, line: int) -> None:
        """A token that begins on `line` of the input follows."""
        if not self._at_line_start:
            return
        self._at_line_start = False
        self._line += 1
        if self._line == line:
            return
        name = f' "{self._file}"' if self._line < 1 else ""
        if self._level is not None:
            self.put(f"#line {line}{name}\n", self._level, -1, "")
        self._line = line

    def add_run(self, block: Block, start: int, end: int, line_at: Callable[[Block, int], int]) -> None:
        """Append plain text, every character a token of its own."""
        text = block.text
        while start < end:
            stop = text.find("\n", start, end) + 1 or end
            if self._at_line_start:
                self.begin_token(line_at(block, start))
            self.add(block, start, stop)
            start = stop

    def add(self, block: Block, start: int, end: int) -> None:
        """Append part of a token and count its lines."""
        if start >= end:
            return
        super().add(block, start, end)
        if self._at_line_start:
            self._line += 1
        self._at_line_start = block.text[end - 1] == "\n"
        self._line += block.text.count("\n", start, end) - self._at_line_start
