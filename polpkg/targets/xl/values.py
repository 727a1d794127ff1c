"""What an xl configuration is made of: settings, whose values are texts and lists, each with its place."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterator

    from polpkg.diagnostics import Place


@dataclass(frozen=True, slots=True)
class TextValue:
    """A string or a number, which xl keeps as text too."""

    text: str
    place: Place = field(repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class ListValue:
    """`[ ... ]`, of texts and further lists."""

    items: tuple[Value, ...]
    place: Place = field(repr=False, compare=False)


Value: TypeAlias = TextValue | ListValue


@dataclass(frozen=True, slots=True)
class Setting:
    """`key = value`; the place is that of the key."""

    key: str
    value: Value
    place: Place = field(repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class Configuration:
    """All settings of a file in the order they are written; of several with one key the last counts."""

    settings: tuple[Setting, ...]

    def find(self, key: str) -> Setting | None:
        """The setting that counts for `key`."""
        return next((each for each in reversed(self.settings) if each.key == key), None)

    def text(self, key: str) -> TextValue | None:
        """The text that `key` is set to; None when it is not set, or to a list."""
        setting = self.find(key)
        return setting.value if setting and isinstance(setting.value, TextValue) else None

    def is_on(self, key: str) -> bool:
        """Whether a switch is on: xl reads it as a number."""
        value = self.text(key)
        return value is not None and value.text.strip().isdecimal() and int(value.text) != 0

    def texts(self, key: str) -> Iterator[TextValue]:
        """The texts of the list that `key` is set to; none when it is not set, or to something else."""
        setting = self.find(key)
        items = setting.value.items if setting and isinstance(setting.value, ListValue) else ()
        return (item for item in items if isinstance(item, TextValue))
