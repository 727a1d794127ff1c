"""`polpkg diff`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from polpkg.cli.console import Console
from polpkg.cli.options import IndexOptions, TargetOptions

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from polpkg.ops.diff import DiffAnswer
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


def command(
    console: Console,
    old: Annotated[str, typer.Argument(metavar="A", help="A generation, a policydb, a lock file or a requirement.")],
    new: Annotated[str, typer.Argument(metavar="B", help="What to compare it with, likewise.")],
    target: TargetOptions,
    indexes: IndexOptions,
) -> None:
    """Show what one policy says that another does not.

    What it allows, declares and labels: attributes are expanded, conditions compared by what they mean.

    For example:
      polpkg diff vmv "netdom>=1" --xen 4.17
      polpkg diff 1 2 --root build/demo
      polpkg diff /boot/xenpolicy-4.17.7 policy.bin
    """
    from polpkg.cli.session import make_context, open_target
    from polpkg.ops.diff import diff_named

    context = make_context(console, indexes)
    answer = diff_named(context, old, new, lambda: open_target(context, target), target.xen or "")
    console.answer(_document(answer), "\n".join(_lines(answer)))


def _document(answer: DiffAnswer) -> dict[str, Any]:
    diff = answer.diff
    document: dict[str, Any] = {
        "old": answer.old.label,
        "new": answer.new.label,
        "same": diff.is_empty,
        "allow": {"added": _rules(diff.allow.added), "removed": _rules(diff.allow.removed)},
        "audit": {"added": _rules(diff.audit.added), "removed": _rules(diff.audit.removed)},
        "type_rules": {"added": _type_rules(diff.type_rules.added), "removed": _type_rules(diff.type_rules.removed)},
        "abi": {
            "old": {"fingerprint": answer.old.policy.abi.fingerprint, "xen": answer.old.policy.abi.version or None},
            "new": {"fingerprint": answer.new.policy.abi.fingerprint, "xen": answer.new.policy.abi.version or None},
            "changes": diff.abi.to_json(),
        },
    }
    return document | {name: _section(section) for name, section in diff.sections.items()}


def _rules(found: Iterable[RuleChange]) -> list[dict[str, Any]]:
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


def _lines(answer: DiffAnswer) -> Iterator[str]:
    diff = answer.diff
    if diff.is_empty:
        yield f"{answer.old.label} and {answer.new.label} say the same"
        return
    yield f"from {answer.old.label} to {answer.new.label}:"
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
