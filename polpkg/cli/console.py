"""The only place that prints.

The answer of a command goes to stdout, talk and findings go to stderr.  With `--json` stdout carries exactly one JSON
document, `{"schema": "polpkg.<verb>/1", ...}`, in success and in failure.  A verb therefore says both forms at once:

    console.answer({"packages": [...]}, table)
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any, TextIO

from polpkg.cli.render import COLOURS, PLAIN, Palette, render_diagnostic, render_error, render_table
from polpkg.errors import PendingError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from polpkg.diagnostics import Diagnostic
    from polpkg.errors import PolpkgError


_REDRAW_SECONDS = 0.1
_READABLE = 1_000_000
"""Characters up to which a JSON document is laid out for people; a larger one is one line: less, and made faster."""

_TO_EMPTY_LINE = "\r\x1b[2K"
"""ECMA-48: to the first column, then erase the whole line."""


class Console:
    """Where one command writes to: `verb` names its documents, the flags are those of the command line."""

    def __init__(
        self,
        verb: str,
        *,
        json: bool = False,
        quiet: bool = False,
        verbose: bool = False,
        out: TextIO | None = None,
        err: TextIO | None = None,
    ) -> None:
        self.verb = verb
        self.json = json
        self.quiet = quiet
        self.verbose = verbose
        self._out = out or sys.stdout
        self._err = err or sys.stderr
        self._line: _Line | None = None

    @classmethod
    def for_words(cls, words: Sequence[str], verb: str = "") -> Console:
        """The console for a command line that may not even have been understood."""
        options = words[: words.index("--")] if "--" in words else words
        named = verb or next((word for word in words if word and not word.startswith("-")), "polpkg")
        return cls(named, json="--json" in options, verbose="--verbose" in options or "-v" in options)

    @property
    def width(self) -> int:
        """Columns of the terminal, 80 when there is none."""
        from shutil import get_terminal_size

        return get_terminal_size((80, 24)).columns

    @property
    def palette(self) -> Palette:
        """Colours for the answer, when it goes to a terminal that shall have them."""
        return _palette(self._out)

    @property
    def progress(self) -> Callable[[str, int, int], None] | None:
        """What draws how far downloads are; None where nobody looks: no terminal, `--quiet`, `--json`."""
        if self.json or self.quiet or not self._err.isatty() or os.environ.get("TERM", "") == "dumb":
            return None
        if self._line is None:
            self._line = _Line(self._err, self.width)
        return self._line.update

    def answer(self, document: Mapping[str, Any], text: str) -> None:
        """Print what the command was asked for: `document` with `--json`, else `text`."""
        self._clear_line()
        if self.json:
            self._document(document)
        elif text:
            self._out.write(f"{text}\n")

    def table(self, headers: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
        """Rows in aligned columns, as text for `answer`."""
        return render_table(headers, rows, self.palette, self.width)

    def say(self, text: str) -> None:
        """Talk: what is being done.  Not with `--quiet`."""
        if not self.quiet:
            self._talk(text)

    def detail(self, text: str) -> None:
        """Talk that only `--verbose` asks for."""
        if self.verbose:
            self._talk(text)

    def warn(self, findings: Iterable[Diagnostic]) -> None:
        """Show findings that do not stop the work."""
        for found in findings:
            self._talk(render_diagnostic(found, _palette(self._err), self.width))

    def fail(self, error: PolpkgError, exit_code: int | None = None) -> int:
        """Show why the command failed, and return the exit code that goes with it."""
        code = int(error.exit_code if exit_code is None else exit_code)
        if self.json:
            from polpkg.cli.render import error_document

            self._document(error_document(error, code))
        else:
            self._out.flush()
            self._talk(render_error(error, _palette(self._err), self.width, whole=self.verbose))
        return code

    def confirm(self, question: str, *, yes: bool) -> None:
        """Ask whether to go on.  `yes` answers in advance; a no, and nobody to ask, is a `PendingError`."""
        if yes:
            return
        if not (sys.stdin.isatty() and self._err.isatty()):
            hint = "add --yes to go ahead, or --dry-run to only look"
            raise PendingError("confirmation-needed", "this needs a confirmation and there is no terminal", hint=hint)
        self._clear_line()
        self._err.write(f"{question} [y/N] ")
        self._err.flush()
        if sys.stdin.readline().strip().lower() not in {"y", "yes"}:
            raise PendingError("not-confirmed", "nothing was changed")

    def _talk(self, text: str) -> None:
        self._clear_line()
        self._err.write(f"{text}\n")

    def _clear_line(self) -> None:
        if self._line is not None:
            self._line.clear()

    def _document(self, document: Mapping[str, Any]) -> None:
        from json import dumps

        whole = {"schema": f"polpkg.{self.verb}/1", **document}
        text = dumps(whole)
        self._out.write(f"{dumps(whole, indent=2) if len(text) <= _READABLE else text}\n")


class _Line:
    """The line of a terminal that tells how far downloads are; it is drawn from the thread that fetches."""

    def __init__(self, stream: TextIO, width: int) -> None:
        from threading import Lock

        from polpkg.cli.progress import Downloads

        self._stream = stream
        self._width = width
        self._downloads = Downloads()
        self._lock = Lock()
        self._drawn = 0.0

    def update(self, label: str, done: int, total: int) -> None:
        """Draw the line, unless that was done a moment ago; when all is there, take it away."""
        from time import monotonic

        with self._lock:
            self._downloads.update(label, done, total)
            if self._downloads.is_complete:
                self._downloads.clear()
                self._erase()
            elif monotonic() - self._drawn >= _REDRAW_SECONDS:
                self._stream.write(f"{_TO_EMPTY_LINE}{self._downloads.line(self._width)}")
                self._stream.flush()
                self._drawn = monotonic()

    def clear(self) -> None:
        """Take the line away, so that something else can be written there."""
        with self._lock:
            self._erase()

    def _erase(self) -> None:
        if self._drawn:
            self._stream.write(_TO_EMPTY_LINE)
            self._stream.flush()
            self._drawn = 0.0


def _palette(stream: TextIO) -> Palette:
    """Colours on a terminal only, and not when `NO_COLOR` (no-color.org) or a dumb terminal says so."""
    wanted = not os.environ.get("NO_COLOR") and os.environ.get("TERM", "") != "dumb"
    return COLOURS if wanted and stream.isatty() else PLAIN
