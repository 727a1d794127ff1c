"""Where a fragment makes types permissive, found without expanding it: in macros, blocks and guards as well."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_IN_TE = re.compile(r"#.*|\bdnl\b.*|(?<![\w$.-])(permissive)(?![\w.-])")
"""Comments of the policy language and of m4, and the word, which no identifier may be."""

_IN_CIL = re.compile(r";.*|\"[^\"]*\"|\(\s*(typepermissive)\b")


def find_permissive(text: str, file: str) -> Iterator[tuple[int, int]]:
    """The line and column, from 1, of each `permissive` of a fragment; `file` tells CIL from the rest by its name."""
    pattern = _IN_CIL if file.endswith(".cil") else _IN_TE
    for found in pattern.finditer(text):
        if found[1]:
            start = found.start(1)
            yield text.count("\n", 0, start) + 1, start - text.rfind("\n", 0, start)
