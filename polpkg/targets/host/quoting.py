"""Words for a POSIX sh: each stays one word on one line, whatever is in it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_NEWLINE = "'\"$p_newline\"'"
"""How `session.sh` writes a newline between single quotes: a line is what it reads at a time."""


def quoted(word: str | int) -> str:
    """`word` as one word of a line."""
    text = str(word)
    if text and all(letter.isalnum() or letter in "/._-=:,+@" for letter in text) and text.isascii():
        return text
    return "'" + text.replace("'", "'\\''").replace("\n", _NEWLINE) + "'"


def command(name: str, words: Iterable[str | int] = ()) -> str:
    """`name` with these words after it."""
    return " ".join((name, *map(quoted, words)))


def encoded(line: str) -> bytes:
    """A line as bytes; names of files that are not UTF-8 come out as they came in."""
    return os.fsencode(line)
