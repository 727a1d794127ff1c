"""The difference of two policies, as a document and in lines for people."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from polpkg.policy.analysis.diff import PolicyDiff, RuleChange, Section, TypeRuleChange

_PROPERTIES = {
    "types": "type",
    "attributes": "types of attribute",
    "roles": "types of role",
    "users": "roles of user",
    "booleans": "boolean",
    "levels": "",
}
"""What changes are called; sections that are not here have texts that stand for themselves."""

_NAMED = {"types": "type", "attributes": "attribute", "roles": "role", "users": "user", "booleans": "boolean"}
_SHOWN = 6


def diff_document(diff: PolicyDiff) -> dict[str, Any]:
    """All of a difference as JSON values (CLI.md), but for the ABIs."""
    document: dict[str, Any] = {
        "allow": {"added": rules_document(diff.allow.added), "removed": rules_document(diff.allow.removed)},
        "audit": {"added": rules_document(diff.audit.added), "removed": rules_document(diff.audit.removed)},
        "type_rules": {"added": _type_rules(diff.type_rules.added), "removed": _type_rules(diff.type_rules.removed)},
    }
    return document | {name: _section(section) for name, section in diff.sections.items()}


def rules_document(found: Iterable[RuleChange]) -> list[dict[str, Any]]:
    """Rules as JSON values."""
    return [
        {
            "kind": rule.kind,
            "source": rule.source,
            "target": rule.target,
            "class": rule.security_class,
            "permissions": list(rule.permissions),
            "condition": rule.condition or None,
        }
        for rule in found
    ]


def _type_rules(found: Iterable[TypeRuleChange]) -> list[dict[str, Any]]:
    return [
        {
            "kind": rule.kind,
            "source": rule.source,
            "target": rule.target,
            "class": rule.security_class,
            "result": rule.result,
            "condition": rule.condition or None,
        }
        for rule in found
    ]


def _section(section: Section) -> dict[str, Any]:
    return {
        "added": list(section.added),
        "removed": list(section.removed),
        "changed": [{"name": c.name, "added": list(c.added), "removed": list(c.removed)} for c in section.changed],
    }


def diff_lines(diff: PolicyDiff) -> Iterator[str]:
    """All of a difference: `+` came, `-` went, `~` became another."""
    yield from (f"  hypervisor: {line}" for line in diff.abi.lines())
    for mark, changes in (("+", _changes(diff, is_new=True)), ("-", _changes(diff, is_new=False))):
        yield from (f"  {mark} {line}" for line in _rule_lines(changes))
    yield from (f"  + {line}" for line in _type_rule_lines(diff.type_rules.added))
    yield from (f"  - {line}" for line in _type_rule_lines(diff.type_rules.removed))
    for name, section in diff.sections.items():
        yield from _section_lines(name, section)


def _section_lines(name: str, section: Section) -> Iterator[str]:
    word = f"{_NAMED[name]} " if name in _NAMED else ""
    yield from (f"  + {word}{each}" for each in section.added)
    yield from (f"  - {word}{each}" for each in section.removed)
    for changed in section.changed:
        yield f"  ~ {f'{_PROPERTIES[name]} {changed.name}'.strip()}:"
        yield from (f"      + {each}" for each in changed.added)
        yield from (f"      - {each}" for each in changed.removed)


def _changes(diff: PolicyDiff, *, is_new: bool) -> tuple[RuleChange, ...]:
    return (*diff.allow.added, *diff.audit.added) if is_new else (*diff.allow.removed, *diff.audit.removed)


def _type_rule_lines(rules: Iterable[TypeRuleChange]) -> Iterator[str]:
    words = ((r.kind, r.source, r.target, r.security_class, r.result, r.condition) for r in rules)
    return _merged_lines(words)


def _rule_lines(rules: Iterable[RuleChange]) -> Iterator[str]:
    words = ((r.kind, r.source, r.target, r.security_class, _braced(r.permissions), r.condition) for r in rules)
    return _merged_lines(words)


def _merged_lines(rules: Iterable[tuple[str, str, str, str, str, str]]) -> Iterator[str]:
    """Rules that are the same but for the target share a line."""
    merged: dict[tuple[str, str, str, str, str], list[str]] = {}
    for kind, source, target, security_class, gives, condition in rules:
        merged.setdefault((kind, source, security_class, gives, condition), []).append(target)
    for (kind, source, security_class, gives, condition), targets in merged.items():
        shown = targets if len(targets) <= _SHOWN else [*targets[:_SHOWN], f"(and {len(targets) - _SHOWN} more)"]
        while_true = f"  # while {condition}" if condition else ""
        yield f"{kind} {source} {_braced(shown)}:{security_class} {gives};{while_true}"


def _braced(names: Iterable[str]) -> str:
    found = list(names)
    return found[0] if len(found) == 1 else f"{{ {' '.join(found)} }}"
