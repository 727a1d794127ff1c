"""Recognises a file that a merge left with both sides in it: no TOML parser says that in words that help."""

from __future__ import annotations

from typing import TYPE_CHECKING

from polpkg.diagnostics import Diagnostic, Origin

if TYPE_CHECKING:
    from polpkg.packages.tables import Document

_BEGIN, _END = "<<<<<<< ", ">>>>>>> "


def refuse_conflict(document: Document, hint: str) -> None:
    """Raise the document's error (`<kind>-conflict`) at the first conflict marker of git, Mercurial or diff3."""
    if _BEGIN not in document.text and _END not in document.text:
        return
    for number, line in enumerate(document.text.split("\n"), start=1):
        if line.startswith((_BEGIN, _END)):
            message = f"{document.file} holds an unsettled merge: both sides of it begin here"
            origin = Origin(document.package, "", document.file, number, 1)
            raise document.error.of([Diagnostic(f"{document.kind}-conflict", message, origin, hint, line, 1)])
