"""`--set KEY=VALUE`: the short form of instance parameters."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from polpkg.errors import UsageError
from polpkg.packages.manifest import ParameterType
from polpkg.packages.names import NAME_RULE, did_you_mean, is_identifier, is_name, why_reserved

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from polpkg.packages.manifest import Manifest, Parameter, ParameterValue

_PCI_FUNCTION = re.compile(r"[0-9a-f]{4}:[0-9a-f]{2}:[01][0-9a-f]\.[0-7]")


def parse_settings(texts: Iterable[str], manifest: Manifest) -> dict[str, ParameterValue]:
    """Parameter to value, for `KEY=VALUE` texts; the values fit the parameters of `manifest`.

    Items are separated by commas: `guests=web,db`.  Raises `UsageError` (`bad-setting`) for anything else.
    """
    template = manifest.instance
    parameters: Mapping[str, Parameter] = template.parameters if template else {}
    values: dict[str, ParameterValue] = {}
    for text in texts:
        key, separator, value = text.partition("=")
        if not separator:
            raise UsageError("bad-setting", f"`{text}` is not KEY=VALUE")
        if key not in parameters:
            raise UsageError(
                "unknown-parameter",
                f"{manifest.name} has no parameter `{key}`",
                hint=did_you_mean(key, parameters) or _offer(parameters),
            )
        if key in values:
            raise UsageError("bad-setting", f"`{key}` is set twice")
        values[key] = _value(parameters[key], value)
    return values


def _offer(parameters: Iterable[str]) -> str:
    names = ", ".join(sorted(parameters))
    return f"it has: {names}" if names else "it has none"


def _value(parameter: Parameter, text: str) -> ParameterValue:
    match parameter.type:
        case ParameterType.STRING:
            return _checked(parameter, (text,))[0]
        case ParameterType.BOOLEAN if text in ("true", "false"):
            return text == "true"
        case ParameterType.INTEGER if text.removeprefix("-").isdecimal() and text.isascii() and len(text) <= 20:
            return int(text)
        case ParameterType.TABLE | ParameterType.LIST | ParameterType.TYPES | ParameterType.PCI:
            return _checked(parameter, tuple(text.split(",")) if text else ())
        case _:
            raise UsageError("bad-setting", f"`{parameter.name}` takes {what_fits(parameter)}, and not `{text}`")


def _checked(parameter: Parameter, items: tuple[str, ...]) -> tuple[str, ...]:
    for problem in wrong_items(parameter, items):
        raise UsageError("bad-setting", problem, hint=f"`{parameter.name}` takes {what_fits(parameter)}")
    return items


def wrong_items(parameter: Parameter, items: Iterable[str]) -> list[str]:
    """What is wrong with the items of a value of `parameter`, or with a string alone, a sentence each."""
    problems: list[str] = []
    seen: set[str] = set()
    names_items = parameter.type in (ParameterType.TABLE, ParameterType.LIST) and not parameter.choices
    for item in items:
        if parameter.type.is_several and not item:
            problems.append(f"`{parameter.name}` has an empty name")
        elif not (item in parameter.choices if parameter.choices else fits_as_item(parameter.type, item)):
            problems.append(f"`{item}` cannot stand in `{parameter.name}`")
        elif names_items and (reason := why_reserved(item)):
            problems.append(f"`{item}` cannot stand in `{parameter.name}`: {reason}")
        elif item in seen:
            problems.append(f"`{parameter.name}` names `{item}` twice")
        seen.add(item)
    return problems


def fits_as_item(kind: ParameterType, text: str) -> bool:
    """Whether `text` can be a value of this kind, or one of its items."""
    match kind:
        case ParameterType.TYPES:
            return is_identifier(text)
        case ParameterType.PCI:
            return _PCI_FUNCTION.fullmatch(text) is not None
        case ParameterType.TABLE | ParameterType.LIST:
            return is_name(text)
        case _:
            return True


def what_fits(parameter: Parameter) -> str:
    """What a parameter takes, as hints put it."""
    if parameter.choices:
        several = ", any number of them, separated by commas" if parameter.type.is_several else ""
        return f"one of: {', '.join(parameter.choices)}{several}"
    match parameter.type:
        case ParameterType.PCI:
            return "PCI functions as in 0000:03:00.0, in lower case, separated by commas"
        case ParameterType.STRING:
            return "a string"
        case ParameterType.BOOLEAN:
            return "true or false"
        case ParameterType.INTEGER:
            return "a whole number"
        case ParameterType.TYPES:
            return "types, separated by commas"
        case ParameterType.TABLE | ParameterType.LIST:
            return f"names, separated by commas ({NAME_RULE})"
