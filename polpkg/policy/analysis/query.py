"""Which rules there are: the answer to `query`, with attributes expanded only as far as the question needs."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, NamedTuple

from polpkg.errors import UsageError
from polpkg.policy.ir.linked import bits
from polpkg.policy.ir.statements import AvKind

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from polpkg.policy.analysis.view import PolicyView, TracedRule
    from polpkg.policy.ir.linked import LinkedPolicy


@dataclass(frozen=True, slots=True)
class RuleQuery:
    """What to look for; empty means anything.

    A type matches rules on every attribute that it has.  With `expand`, answers name types only.
    """

    source: str = ""
    target: str = ""
    security_class: str = ""
    permissions: frozenset[str] = frozenset()
    kind: AvKind = AvKind.ALLOW
    expand: bool = False


class RuleAnswer(NamedTuple):
    """One rule that matches, by name."""

    source: str
    target: str
    security_class: str
    permissions: tuple[str, ...]
    condition: str


def find_rules(view: PolicyView, query: RuleQuery) -> tuple[RuleAnswer, ...]:
    """The rules that match, merged by source, target, class and condition, sorted.

    Raises UsageError for a name that the policy does not have.
    """
    policy = view.policy
    sources, targets = _types(policy, query.source), _types(policy, query.target)
    number, mask = _class_and_permissions(policy, query)
    merged: dict[tuple[str, str, int, str], int] = {}
    for rule in view.rules:
        if rule.kind is not query.kind or (number >= 0 and rule.security_class != number):
            continue
        if mask and not rule.permissions & mask:
            continue
        for source, target in _pairs(policy, rule, sources, targets, expand=query.expand):
            key = (source, target, rule.security_class, rule.condition)
            merged[key] = merged.get(key, 0) | rule.permissions
    return tuple(_answers(policy, merged))


def _answers(policy: LinkedPolicy, merged: dict[tuple[str, str, int, str], int]) -> Iterator[RuleAnswer]:
    classes = policy.abi.all_classes
    for (source, target, number, condition), permissions in sorted(merged.items()):
        name, known = classes[number]
        yield RuleAnswer(source, target, name, tuple(known[b] for b in bits(permissions)), condition)


def _types(policy: LinkedPolicy, name: str) -> int:
    return policy.expand(type_number(policy, name)) if name else -1


def type_number(policy: LinkedPolicy, name: str) -> int:
    """The number of a type or attribute.  Raises UsageError with the nearest name when there is none."""
    number = policy.number_of_type(name)
    if number < 0:
        raise UsageError(
            "unknown-type", f"the policy has no type `{name}`", hint=_nearest(name, (t.name for t in policy.types))
        )
    return number


def class_number(policy: LinkedPolicy, name: str) -> int:
    """The position of a class.  Raises UsageError with the nearest name when there is none."""
    if not policy.abi.has_class(name):
        known = (c.name for c in policy.abi.all_classes)
        raise UsageError("unknown-class", f"the policy has no class `{name}`", hint=_nearest(name, known))
    return policy.abi.class_id(name) - 1


def permission_mask(policy: LinkedPolicy, class_name: str, permission: str) -> int:
    """The bit of a permission.  Raises UsageError with the nearest name when there is none."""
    if not policy.abi.has_permission(class_name, permission):
        message = f"class `{class_name}` has no permission `{permission}`"
        hint = _nearest(permission, policy.abi.permissions(class_name))
        raise UsageError("unknown-permission", message, hint=hint)
    return 1 << policy.abi.permission_bit(class_name, permission)


def _nearest(name: str, known: Iterable[str]) -> str:
    close = get_close_matches(name, list(known), 1)
    return f"did you mean `{close[0]}`?" if close else ""


def _class_and_permissions(policy: LinkedPolicy, query: RuleQuery) -> tuple[int, int]:
    if not query.security_class:
        if query.permissions:
            raise UsageError("missing-class", "permissions can be asked for together with a class only")
        return -1, 0
    number = class_number(policy, query.security_class)
    mask = 0
    for permission in query.permissions:
        mask |= permission_mask(policy, query.security_class, permission)
    return number, mask


def _pairs(
    policy: LinkedPolicy, rule: TracedRule, sources: int, targets: int, *, expand: bool
) -> Iterator[tuple[str, str]]:
    """The sources and targets of a rule that were asked for: the attribute as it stands, or its types."""
    left = policy.expand(rule.source) & sources
    right = policy.expand(rule.target) & targets
    if not left or not right:
        return
    names = policy.types
    if not expand:
        yield names[rule.source].name, names[rule.target].name
        return
    for source in bits(left):
        for target in bits(right):
            yield names[source].name, names[target].name
