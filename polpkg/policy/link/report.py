"""Where the passes put what they find."""

from __future__ import annotations

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

    def error(self, place: Place, code: str, message: str, hint: str = "", notes: tuple[Note, ...] = ()) -> None:
        """Something that stops the link."""
        self.errors.append(Diagnostic.at(place, code, message, hint=hint, notes=notes))

    def warn(self, place: Place, code: str, message: str, hint: str = "") -> None:
        """Something that a person should know."""
        self.warnings.append(Diagnostic.at(place, code, message, hint=hint, severity=Severity.WARNING))


def declared_at(text: str, place: Place) -> Note:
    """A note that points to an earlier place."""
    return Note(text, place.origin())
