"""Macros that nobody explains."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from polpkg.diagnostics import Frame, Place
from polpkg.policy.lint.table import finding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from polpkg.diagnostics import Diagnostic
    from polpkg.policy.lint.subject import Subject

_DEFINITION = re.compile(r"^(?:define|interface|template)\(\s*`([A-Za-z]\w*)'", re.MULTILINE)


def undocumented_macros(subject: Subject) -> Iterator[Diagnostic]:
    """Macros of `.if` files that have no comment above them, nor above the paragraph that they belong to."""
    for source in subject.fragments:
        if source.file.endswith(".if"):
            lines = source.text.split("\n")
            for found in _DEFINITION.finditer(source.text):
                line = source.text.count("\n", 0, found.start()) + 1
                if not _has_comment(lines, line):
                    message = f"macro `{found[1]}` has no comment that says what it is for"
                    hint = "write what it is for and what its parameters are, directly above it"
                    column = found.start(1) - found.start() + 1
                    yield finding("undocumented-macro", Place(Frame(source), line, column), message, hint)


def _has_comment(lines: list[str], line: int) -> bool:
    """Whether the text without empty lines around `line` begins with a comment."""
    first = line
    while first > 1 and lines[first - 2].strip():
        first -= 1
    return first < line and lines[first - 1].startswith("#")
