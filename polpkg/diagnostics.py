"""Where things are and what is wrong with them.

A `Source` is a text, a `Frame` is one macro expansion under way, and a `Place` is a point in a text reached through a
stack of frames.  An `Origin` is the same, flattened into a value that can be stored: the answer to "where does this
rule come from?".  A `Diagnostic` is one finding, with its place and a hint.

Nothing here prints; `polpkg.cli.console` does.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import NamedTuple

MANIFEST = "polpkg.toml"
"""The file that says what a package is, and calls the macros of its instances."""


@dataclass(frozen=True, slots=True)
class Source:
    """One text that is read: a fragment, a manifest, an index file.

    `file` is how a person names it: the path inside its package, or a path on disk.
    """

    file: str
    text: str = field(repr=False)
    package: str = ""
    version: str = ""

    def line(self, number: int) -> str:
        """Line `number` (from 1), without its end; empty when there is none."""
        lines = self.text.split("\n", number)
        return lines[number - 1].rstrip("\r") if 0 < number <= len(lines) else ""


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One level of a macro stack: text of `source` is being read because `macro` was called at `called_at`.

    The root frame, which reads the fragment itself, has no macro and no caller.  `missing` is the number of the first
    argument that the macro uses and the call leaves out or empty; 0 for none.
    """

    source: Source
    macro: str = ""
    called_at: Place | None = None
    missing: int = field(default=0, compare=False)


class Place(NamedTuple):
    """A point in the text of a frame; `line` and `column` count from 1, and a column of 0 means the whole line."""

    frame: Frame
    line: int
    column: int = 0

    @property
    def source(self) -> Source:
        """The text this point lies in."""
        return self.frame.source

    def stack(self) -> list[Place]:
        """The calls that lead here, outermost first, this place last."""
        places: list[Place] = [self]
        while (caller := places[-1].frame.called_at) is not None:
            places.append(caller)
        return places[::-1]

    def origin(self) -> Origin:
        """The same as a value: see `Origin`."""
        stack = self.stack()
        root = stack[0].source
        here = stack[1] if root.file == MANIFEST and len(stack) > 1 else stack[0]
        if not _same_package(here.source, root):
            here = stack[0]
        uses = tuple(MacroUse(p.frame.macro, _qualified(p.source, root), p.line) for p in stack[1:])
        return Origin(root.package, root.version, here.source.file, here.line, here.column, uses)


def _same_package(source: Source, root: Source) -> bool:
    return (source.package, source.version) == (root.package, root.version)


def _qualified(source: Source, root: Source) -> str:
    return source.file if _same_package(source, root) or not source.package else f"{source.package}:{source.file}"


class MacroUse(NamedTuple):
    """One step of a macro stack: inside the text of macro `name`, `file`:`line` is where the next step happened.

    `file` is `package:file` when the macro belongs to another package than the one that is answerable.
    """

    name: str
    file: str
    line: int


class Origin(NamedTuple):
    """Where something comes from.

    `package`, `version`: the package that is answerable, whose fragment began it.  `file`, `line`, `column`: the place
    in that fragment.  `macros`: the macro stack that leads on from there, outermost first; its last entry is the line
    that the text itself stands in.  What a manifest calls (the template of an instance) counts as begun in the macro's
    own text, since no fragment has a line for it.
    """

    package: str
    version: str
    file: str
    line: int
    column: int = 0
    macros: tuple[MacroUse, ...] = ()

    def __str__(self) -> str:
        label = f"{self.package} {self.version}".strip()
        return f"{label}: {self.location}" if label else self.location

    @property
    def location(self) -> str:
        """`file:line:column` as compilers write it, leaving out what is not known."""
        parts = [self.file, *(str(n) for n in (self.line, self.column) if n)]
        return ":".join(parts)


class Severity(Enum):
    """How much a finding matters, most first: an error stops the work; a note may be left alone."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


class Note(NamedTuple):
    """A second place that belongs to a finding: "first declared here"."""

    text: str
    origin: Origin | None = None


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One finding.

    `code`: stable and kebab-case.  `message`: what happened, one line, no full stop.  `origin`: where.  `excerpt`: the
    source line itself, and `caret` the column (from 1) that it is about.  `hint`: what to do about it.
    """

    code: str
    message: str
    origin: Origin | None = None
    hint: str = ""
    excerpt: str = ""
    caret: int = 0
    notes: tuple[Note, ...] = ()
    severity: Severity = Severity.ERROR

    @classmethod
    def at(
        cls,
        place: Place,
        code: str,
        message: str,
        *,
        hint: str = "",
        notes: tuple[Note, ...] = (),
        severity: Severity = Severity.ERROR,
    ) -> Diagnostic:
        """A finding at `place`, with the source line that it points into."""
        return cls(code, message, place.origin(), hint, place.source.line(place.line), place.column, notes, severity)
