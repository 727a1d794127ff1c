"""Comments that suppress findings: `# polpkg: allow(CODE) REASON`, on the line of a finding or the line before."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from polpkg.diagnostics import Frame, Place
from polpkg.policy.lint.table import finding

if TYPE_CHECKING:
    from polpkg.diagnostics import Diagnostic, Origin, Source

_COMMENT = re.compile(r"#.*?polpkg:\s*allow\(([\w\s,-]*)\)[ \t]*(.*)")


class _Suppression(NamedTuple):
    code: str
    reason: str
    place: Place


@dataclass
class Suppressions:
    """The suppressions of some texts, and which of them were needed."""

    _by_line: dict[tuple[str, int], list[_Suppression]] = field(
        default_factory=dict[tuple[str, int], list[_Suppression]]
    )
    _used: set[_Suppression] = field(default_factory=set[_Suppression])

    @classmethod
    def of(cls, sources: Iterable[Source]) -> Suppressions:
        """Those that stand in `sources`."""
        found = cls()
        for source in sources:
            for comment in _COMMENT.finditer(source.text):
                line = source.text.count("\n", 0, comment.start()) + 1
                column = comment.start() - source.text.rfind("\n", 0, comment.start())
                place = Place(Frame(source), line, column)
                for code in re.split(r"[\s,]+", comment[1].strip()):
                    found._by_line.setdefault((source.file, line), []).append(_Suppression(code, comment[2], place))
        return found

    def remaining(self, findings: Iterable[Diagnostic]) -> Iterator[Diagnostic]:
        """The findings that are not suppressed.  One inside macros may be suppressed at any of their levels."""
        for each in findings:
            matching = [s for where in _lines(each.origin) for s in self._by_line.get(where, ()) if s.code == each.code]
            self._used.update(matching)
            if not matching:
                yield each

    def problems(self, codes: Collection[str]) -> Iterator[Diagnostic]:
        """What is wrong with the suppressions themselves; `codes` are those that may be suppressed."""
        for each in (each for found in self._by_line.values() for each in found):
            if each.code not in codes:
                hint = f"there are {', '.join(codes)}"
                yield finding("unknown-lint", each.place, f"there is no lint `{each.code}`", hint)
            elif not each.reason.strip():
                message = f"the suppression of `{each.code}` does not say why"
                hint = f"# polpkg: allow({each.code}) REASON"
                yield finding("suppression-without-reason", each.place, message, hint)
            elif each not in self._used:
                message = f"nothing here is suppressed by allow({each.code})"
                yield finding("unused-suppression", each.place, message, "remove it")


def _lines(origin: Origin | None) -> Iterator[tuple[str, int]]:
    """The lines where a suppression of something at `origin` may stand."""
    if origin is not None:
        for file, line in ((origin.file, origin.line), *((use.file, use.line) for use in origin.macros)):
            yield file, line
            yield file, line - 1
