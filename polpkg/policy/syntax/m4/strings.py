"""The builtins for strings: `len`, `index`, `substr`, `translit`, `regexp` and `patsubst`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from polpkg.policy.syntax.m4.arithmetic import read_number
from polpkg.policy.syntax.m4.pattern import Match, Pattern, PatternCostError, PatternError

if TYPE_CHECKING:
    from polpkg.policy.syntax.m4.invocation import Invocation

_REPLACEMENT = re.compile(r"\\(.?)", re.DOTALL)


def length(call: Invocation) -> str:
    """`len(text)`."""
    return str(len(call[0])) if call.arguments else ""


def index(call: Invocation) -> str:
    """`index(text, part)`: where `part` is in `text`, from 0; -1 when it is not."""
    if len(call) < 2:
        return "0" if call.arguments else ""
    return str(call[0].find(call[1]))


def substring(call: Invocation) -> str:
    """`substr(text, from, length)`."""
    if len(call) < 2:
        return call[0]
    text = call[0]
    start = read_number(call, call[1])
    if start is None:
        return ""
    size = read_number(call, call[2]) if len(call) > 2 else len(text)
    if size is None or start < 0 or size <= 0:
        return ""
    return text[start : start + size]


def transliterate(call: Invocation) -> str:
    """`translit(text, from, to)`: exchange characters; those without a partner are deleted."""
    if len(call) < 2:
        return call[0]
    old, new = (_spread(call, call[n]) if "-" in call[n] else call[n] for n in (1, 2))
    table: dict[int, str | None] = {}
    for position, char in enumerate(old):
        table.setdefault(ord(char), new[position] if position < len(new) else None)
    return call[0].translate(table)


def _spread(call: Invocation, text: str) -> str:
    """`a-e` written out, as are ranges that go backwards; a `-` at either end is itself."""
    parts: list[str] = []
    at = size = 0
    while at < len(text):
        if text[at] == "-" and at and at + 1 < len(text):
            low, high = ord(text[at - 1]), ord(text[at + 1])
            size += abs(high - low)
            if size > call.limits.text:
                call.processor.fail_limit("text", call.level, call.offset)
            step = 1 if low < high else -1
            parts.extend(map(chr, range(low + step, high + step, step) if low != high else ()))
            at += 2
        else:
            parts.append(text[at])
            at += 1
    return "".join(parts)


def find_pattern(call: Invocation) -> str:
    """`regexp(text, pattern, replacement)`: where the pattern matches, or what the replacement makes of the match."""
    if len(call) < 2:
        return "0" if call.arguments else ""
    pattern = _compile(call)
    if pattern is None:
        return ""
    found = _search(call, pattern, call[0], 0)
    if len(call) < 3:
        return str(found.spans[0][0] if found else -1)
    return _replace(call, call[0], call[2], found, pattern.groups) if found else ""


def substitute_pattern(call: Invocation) -> str:
    """`patsubst(text, pattern, replacement)`: every match replaced."""
    if len(call) < 2:
        return call[0]
    pattern = _compile(call)
    if pattern is None:
        return ""
    text, parts, size, at = call[0], list[str](), 0, 0
    while at <= len(text):
        found = _search(call, pattern, text, at)
        if found is None:
            parts.append(text[at:])
            break
        start, end = found.spans[0]
        parts += (text[at:start], _replace(call, text, call[2], found, pattern.groups))
        at = end
        if start == end:
            parts.append(text[end : end + 1])
            at += 1
        size += len(parts[-1]) + len(parts[-2])
        if size > call.limits.text:
            call.processor.fail_limit("text", call.level, call.offset)
    return "".join(parts)


def _compile(call: Invocation) -> Pattern | None:
    try:
        return Pattern(call[1], call.processor.patterns)
    except PatternCostError:
        call.processor.fail_limit("pattern_steps", call.level, call.offset)
    except PatternError as error:
        call.warn(f"bad regular expression: `{call[1]}': {error}")
        return None


def _search(call: Invocation, pattern: Pattern, text: str, start: int) -> Match | None:
    try:
        call.processor.patterns.spend(len(call[2]))
        return pattern.search(text, start)
    except PatternCostError:
        call.processor.fail_limit("pattern_steps", call.level, call.offset)


def _replace(call: Invocation, text: str, replacement: str, found: Match, groups: int) -> str:
    r"""The replacement, with `\&` for the match and `\1` to `\9` for its groups."""
    size = 0

    def part(escape: re.Match[str]) -> str:
        nonlocal size
        start, end = _group_span(call, escape[1], found, groups)
        size += max(end - start, 0)
        if size > call.limits.text:
            call.processor.fail_limit("text", call.level, call.offset)
        return text[start:end] if start >= 0 else escape[1] if start == _ITSELF else ""

    return _REPLACEMENT.sub(part, replacement)


_ITSELF = -2


def _group_span(call: Invocation, char: str, found: Match, groups: int) -> tuple[int, int]:
    if not char:
        call.warn("trailing \\ ignored in replacement")
        return -1, -1
    if char == "0":
        call.warn("\\0 will disappear, use \\& instead in replacements")
    if char in "&0":
        return found.spans[0]
    if char in "123456789":
        if int(char) <= groups:
            return found.spans[int(char)]
        call.warn(f"sub-expression {char} not present")
        return -1, -1
    return _ITSELF, _ITSELF
