"""What stops the reading of one statement."""

from __future__ import annotations

from typing import TYPE_CHECKING

from polpkg.diagnostics import Diagnostic

if TYPE_CHECKING:
    from polpkg.diagnostics import Frame
    from polpkg.policy.syntax.cil.reader import Form


class CilProblem(Exception):  # noqa: N818 - a signal inside the front end, turned into a Diagnostic
    """Item `index` of `form` is not what it should be; -1 is the form itself."""

    def __init__(self, form: Form, index: int, message: str, hint: str = "", code: str = "syntax-error") -> None:
        """Remembers what `diagnostic` needs."""
        super().__init__(message)
        self.form, self.index, self.message, self.hint, self.code = form, index, message, hint, code

    def diagnostic(self, frame: Frame | None = None) -> Diagnostic:
        """The finding to report, read in `frame`."""
        return Diagnostic.at(self.form.place(self.index, frame), self.code, self.message, hint=self.hint)
