"""A policy.toml from the values of a playbook."""

from __future__ import annotations

import json
import re

_BARE = re.compile(r"[A-Za-z0-9_-]+")


def render_policy(policy):
    """The text of policy.toml: that of a mapping, or `policy` itself when it is text already.

    The same mapping gives the same text, whatever the order of its keys.  Raises ValueError for what TOML cannot hold.
    """
    if not isinstance(policy, dict):
        return str(policy)
    return "\n".join(_table((), policy)).strip() + "\n"


def _table(path, table):
    """The lines of a table: its own values first, then the tables in it."""
    inner = {key: value for key, value in table.items() if isinstance(value, dict)}
    if path and (not inner or len(inner) < len(table)):
        yield f"\n[{'.'.join(map(_key, path))}]"
    for key in sorted(table.keys() - inner.keys(), key=str):
        yield f"{_key(key)} = {_value(table[key], (*path, key))}"
    for key in sorted(inner, key=str):
        yield from _table((*path, key), inner[key])


def _value(value, path):
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return str(value)
    if isinstance(value, str):
        return _quoted(value)
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(_value(each, path) for each in value)}]"
    if isinstance(value, dict):
        pairs = (f"{_key(key)} = {_value(value[key], (*path, key))}" for key in sorted(value, key=str))
        return f"{{{', '.join(pairs)}}}"
    raise ValueError(f"{'.'.join(map(str, path))}: {value!r} is nothing that policy.toml can hold")


def _key(key):
    text = str(key)
    return text if _BARE.fullmatch(text) else _quoted(text)


def _quoted(text):
    """A basic string of TOML: JSON's, but that TOML wants DEL escaped as well."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
