"""Where the passes put what they find."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from polpkg.diagnostics import Diagnostic, Note, Severity

if TYPE_CHECKING:
    from polpkg.diagnostics import Place


class Report:
    """The findings of one link, in the order they were made."""

    def __init__(self) -> None:
        """Begins empty."""
        self.errors: list[Diagnostic] = []
        self.warnings: list[Diagnostic] = []
        self.is_foreign = False
        """Whether the policy is for no Xen anyway: what a Xen would refuse is a warning then."""

    def error(
        self, place: Place, code: str, message: str, hint: str = "", notes: tuple[Note, ...] = (), *, word: str = ""
    ) -> None:
        """Something that stops the link; `word` is what of the statement at `place` it is about."""
        self.errors.append(Diagnostic.at(find_word(place, word), code, message, hint=hint, notes=notes))

    def not_for_xen(self, place: Place, message: str, hint: str = "", *, code: str = "not-for-xen") -> bool:
        """Something that a Xen refuses, or takes for something else; whether it may stay."""
        if self.is_foreign:
            self.warn(place, code, message, hint)
        else:
            self.error(place, code, message, hint)
        return self.is_foreign

    def check_ascii(self, text: str, what: str, place: Place) -> None:
        """Reports `text` when a policydb has no room for its characters."""
        if not text.isascii():
            self.error(place, "not-ascii", f"{what} is written in ASCII, and {text[:60]!r} is not")

    def warn(self, place: Place, code: str, message: str, hint: str = "") -> None:
        """Something that a person should know."""
        self.warnings.append(Diagnostic.at(place, code, message, hint=hint, severity=Severity.WARNING))


def find_word(place: Place, word: str) -> Place:
    """Where `word` is in the statement that begins at `place`; `place` itself when it came out of a macro."""
    text = place.source.text
    start = 0
    for _ in range(place.line - 1):
        start = text.find("\n", start) + 1
    start += max(place.column - 1, 0)
    end = text.find(";", start)
    rest = text[start : end if end >= 0 else None]
    found = re.search(rf"(?<![\w.-]){re.escape(word)}(?![\w-])", rest) if word else None
    if found is None:
        return place
    at = start + found.start()
    line_start = text.rfind("\n", 0, at) + 1
    return place._replace(line=text.count("\n", 0, at) + 1, column=at - line_start + 1)


def declared_at(text: str, place: Place) -> Note:
    """A note that points to an earlier place."""
    return Note(text, place.origin())
