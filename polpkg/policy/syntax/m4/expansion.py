"""What comes out of the macro processor."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, NamedTuple

from polpkg.policy.syntax.m4.provenance import find_mark, offset_at

if TYPE_CHECKING:
    from polpkg.diagnostics import Place
    from polpkg.policy.syntax.m4.provenance import Level, Mark, Places
    from polpkg.policy.syntax.m4.table import MacroTable


class MessageKind(Enum):
    """Whether a fragment said something (`errprint`), or GNU m4 would have warned."""

    PRINTED = "errprint"
    WARNING = "warning"


class Message(NamedTuple):
    """Something that GNU m4 writes to its standard error while it carries on."""

    kind: MessageKind
    text: str
    place: Place


class Call(NamedTuple):
    """The first call of the macro `name`, defined by the package `owner`, that the package `caller` wrote.

    A call that a macro passes on for its caller (`apply(`name', x)`) is the caller's, although `place` is in the macro.
    """

    name: str
    owner: str
    caller: str
    place: Place


@dataclass(frozen=True, slots=True, eq=False)
class Expansion:
    """The expanded text, and where each character of it comes from.

    `table`: the definitions after it.  `messages`: see `Message`.  `calls`: see `Call`; builtins are not among them.
    """

    text: str = field(repr=False)
    table: MacroTable
    messages: tuple[Message, ...]
    calls: tuple[Call, ...]
    _marks: list[Mark] = field(repr=False)
    _end: tuple[Level, int] = field(repr=False)
    _places: Places = field(repr=False)

    def place_at(self, offset: int) -> Place:
        """Where the character at `offset` comes from; for the end of the text, the end of the last source."""
        if offset >= len(self.text):
            return self._places.place(*self._end)
        mark = find_mark(self._marks, offset)
        return self._places.place(mark[1], offset_at(mark, offset))

    def author_at(self, offset: int) -> str:
        """The package that wrote the character at `offset`: for the argument of a macro, the one that passes it."""
        return self._end[0].source.package if offset >= len(self.text) else find_mark(self._marks, offset)[3]
