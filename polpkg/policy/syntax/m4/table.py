"""What names mean: macros, and tables of them.

A `MacroTable` is a value: everything that changes one gives a new table.  Each name has a stack of definitions, as
`pushdef` makes them; the last one counts.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, TypeAlias

from polpkg.diagnostics import Source

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

    from polpkg.policy.syntax.m4.invocation import Invocation
    from polpkg.policy.syntax.m4.provenance import Text

    Native: TypeAlias = Callable[[Sequence[str]], str]

BodyMark: TypeAlias = tuple[int, Source, int, str]
"""Where a body's characters stand, from a start on: `(start, source, offset, author)`; see `provenance`."""

Piece: TypeAlias = tuple[int, int, int]
"""Part of a body: literal text from a start to an end, then a reference: `$n`, or one of the constants below."""

NOTHING, COUNT, JOINED, QUOTED = -1, -2, -3, -4
_REFERENCE = re.compile(r"\$(?:([0-9]+)|([#*@]))")
_SPECIAL = {"#": COUNT, "*": JOINED, "@": QUOTED}


@dataclass(frozen=True, slots=True)
class Builtin:
    """A macro that the processor itself carries out.

    `blind`: recognised only with arguments.  `minimum` and `maximum` count the arguments; a maximum of -1 is no bound.
    `takes_builtins`: an argument may be what `defn` gives for another builtin.  `function` is None for a builtin of
    GNU m4 that packages may not use.
    """

    name: str
    function: Callable[[Invocation], str | Text | None] | None = field(repr=False)
    minimum: int = 0
    maximum: int = -1
    blind: bool = True
    takes_builtins: bool = False


@dataclass(frozen=True, slots=True)
class Macro:
    """One definition of a name: a body of text, a builtin or a native function.

    `owner` is the package whose fragments were being expanded when it was defined, whoever wrote the text.  A `shown`
    native is a level of the macro stack, as a macro of text is, named with its first argument: what it gave says
    what it was called for.
    """

    name: str
    body: str = field(repr=False)
    owner: str = ""
    marks: tuple[BodyMark, ...] = field(default=(), repr=False)
    builtin: Builtin | None = None
    native: Native | None = field(default=None, repr=False)
    blind: bool = False
    pieces: tuple[Piece, ...] = field(default=(), repr=False)
    shown: bool = False

    @classmethod
    def of_text(cls, name: str, body: str, marks: tuple[BodyMark, ...], owner: str) -> Macro:
        """A macro that expands to `body`; the marks say where that stands."""
        return cls(name, body, owner, marks, pieces=_parse_body(body) if "$" in body else ())

    @classmethod
    def of_builtin(cls, name: str, builtin: Builtin, owner: str = "") -> Macro:
        """A macro that does what `builtin` does."""
        return cls(name, "", owner, builtin=builtin, blind=builtin.blind)

    @property
    def source(self) -> Source:
        """The text that the body stands in; an empty one for builtins and natives."""
        return self.marks[0][1] if self.marks else Source("", "")

    @property
    def line(self) -> int:
        """The line of `source` on which the body begins; 0 for builtins and natives."""
        return self.source.text.count("\n", 0, self._offset) + 1 if self.marks else 0

    @property
    def column(self) -> int:
        """The column in which the body begins; 0 for builtins and natives."""
        return self._offset - self.source.text.rfind("\n", 0, self._offset) if self.marks else 0

    @property
    def _offset(self) -> int:
        offset = self.marks[0][2]
        return offset if offset >= 0 else ~offset


def _parse_body(body: str) -> tuple[Piece, ...]:
    pieces: list[Piece] = []
    start = 0
    for found in _REFERENCE.finditer(body):
        digits, special = found.groups()
        # A number longer than any argument list stands for an argument that is not there.
        reference = int(digits[-10:] if len(digits.lstrip("0")) <= 9 else "999999999") if digits else _SPECIAL[special]
        pieces.append((start, found.start(), reference))
        start = found.end()
    pieces.append((start, len(body), NOTHING))
    return tuple(pieces)


@dataclass(frozen=True, slots=True)
class MacroTable:
    """The definitions of all names."""

    stacks: Mapping[str, tuple[Macro, ...]] = field(default_factory=dict[str, "tuple[Macro, ...]"], repr=False)

    @classmethod
    def standard(cls) -> MacroTable:
        """The builtins, and those of GNU m4 that are refused when they are called."""
        from polpkg.policy.syntax.m4.builtins import BUILTINS

        return cls({builtin.name: (Macro.of_builtin(builtin.name, builtin),) for builtin in BUILTINS})

    def get(self, name: str) -> Macro | None:
        """The definition of `name` that counts, or None."""
        stack = self.stacks.get(name)
        return stack[-1] if stack else None

    def __contains__(self, name: object) -> bool:
        return name in self.stacks

    def __iter__(self) -> Iterator[str]:
        return iter(self.stacks)

    def with_definitions(self, definitions: Mapping[str, str], source: Source) -> MacroTable:
        """Add `definitions` (name to body) as `m4 -D` does; `source` says whose they are."""
        return self._with(
            Macro.of_text(name, body, (_body_mark(body, source),), source.package) for name, body in definitions.items()
        )

    def with_natives(
        self, natives: Mapping[str, Native], *, blind: bool = True, owner: str = "", shown: Collection[str] = ()
    ) -> MacroTable:
        """Add macros that Python functions carry out.

        A function gets the arguments and returns text, which is read again; it raises `NativeError` for what the caller
        did wrong.  `blind` ones are recognised only with arguments.  Those in `shown` are seen in macro stacks.
        """
        return self._with(
            Macro(name, "", owner, native=native, blind=blind, shown=name in shown) for name, native in natives.items()
        )

    def with_table(self, other: MacroTable) -> MacroTable:
        """Add the definition stacks of `other`, in place of those that are there."""
        return MacroTable({**self.stacks, **other.stacks})

    def owned_by(self, packages: Collection[str]) -> MacroTable:
        """Only the definitions that `packages` made: what a package that requires these gets to see."""
        kept = {name: tuple(m for m in stack if m.owner in packages) for name, stack in self.stacks.items()}
        return MacroTable({name: stack for name, stack in kept.items() if stack})

    def _with(self, macros: Iterator[Macro]) -> MacroTable:
        stacks = dict(self.stacks)
        for macro in macros:
            stacks[macro.name] = (*stacks.get(macro.name, ())[:-1], macro)
        return MacroTable(stacks)


def _body_mark(body: str, source: Source) -> BodyMark:
    """Where `body` stands in the text of `source`; a source that does not have it is given it."""
    offset = source.text.find(body)
    return (0, source, offset, source.package) if offset >= 0 else (0, replace(source, text=body), 0, source.package)
