"""Writes TOML values by hand, so that the same value always gives the same bytes."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_ESCAPES = {'"': '\\"', "\\": "\\\\", "\b": "\\b", "\t": "\\t", "\n": "\\n", "\f": "\\f", "\r": "\\r"}


def toml_string(text: str) -> str:
    """A basic string."""
    return f'"{"".join(map(_escaped, text))}"'


def _escaped(character: str) -> str:
    if character in _ESCAPES:
        return _ESCAPES[character]
    return f"\\u{ord(character):04x}" if character < " " or character == "\x7f" else character


def toml_key(*keys: str) -> str:
    """A key, dotted when there are several; each bare where it can be."""
    return ".".join(key if _BARE_KEY.fullmatch(key) else toml_string(key) for key in keys)


def toml_value(value: object) -> str:
    """Any value that TOML has, on one line; tables inline, keys in their order."""
    if isinstance(value, str):
        return toml_string(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        pairs = (f"{toml_key(key)} = {toml_value(item)}" for key, item in cast("dict[str, object]", value).items())
        return f"{{ {', '.join(pairs)} }}" if value else "{}"
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(toml_value(item) for item in cast('Iterable[object]', value))}]"
    return str(value)


def toml_lines(values: Mapping[str, object]) -> list[str]:
    """`key = value` lines in the order of `values`."""
    return [f"{toml_key(key)} = {toml_value(value)}" for key, value in values.items()]
