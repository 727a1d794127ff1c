"""Why an access is allowed: the rules that grant it and their origins; or why not, and what comes near."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from polpkg.policy.analysis.query import class_number, permission_mask, type_number
from polpkg.policy.ir.linked import bits
from polpkg.policy.ir.statements import AvKind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from polpkg.diagnostics import Origin
    from polpkg.policy.analysis.view import PolicyView, TracedRule
    from polpkg.policy.ir.linked import LinkedPolicy


class Grant(NamedTuple):
    """One rule, as text, with its condition and origin."""

    text: str
    condition: str
    origin: Origin | None


@dataclass(frozen=True, slots=True)
class Explanation:
    """The answer for one source, target, class and permission.

    `rules` grant it; a rule with a condition grants it while that holds.  `missing` says in words what stands in the
    way when it is not allowed, nearest first.  `bounded_by` is a type whose bounds take the permission away again.
    """

    allowed: bool
    rules: tuple[Grant, ...]
    missing: tuple[str, ...]
    bounded_by: str = ""


def explain_access(view: PolicyView, source: str, target: str, class_name: str, permission: str) -> Explanation:
    """Explains one access.  Raises UsageError for a name that the policy does not have."""
    policy = view.policy
    left, right = policy.expand(type_number(policy, source)), policy.expand(type_number(policy, target))
    number = class_number(policy, class_name)
    mask = permission_mask(policy, class_name, permission)
    found = tuple(r for r in _matching(view, number, mask) if _covers(policy, r, left, right))
    rules = tuple(Grant(render_rule(policy, r), r.condition, r.origin) for r in found)
    if rules:
        bound = _bound(view, type_number(policy, source), right, number, mask)
        return Explanation(not bound, rules, (), bound)
    return Explanation(allowed=False, rules=(), missing=tuple(_near_misses(view, left, right, number, mask)))


def _matching(view: PolicyView, number: int, mask: int) -> Iterator[TracedRule]:
    for rule in view.rules:
        if rule.kind is AvKind.ALLOW and rule.security_class == number and rule.permissions & mask:
            yield rule


def _covers(policy: LinkedPolicy, rule: TracedRule, left: int, right: int) -> bool:
    """Whether a rule is about some of `left` on some of `right`."""
    return bool(policy.expand(rule.source) & left) and bool(policy.expand(rule.target) & right)


def _bound(view: PolicyView, source: int, right: int, number: int, mask: int) -> str:
    """The type that bounds `source` and lacks the permission (`type_attribute_bounds_av` in Xen's services.c)."""
    policy = view.policy
    parent = policy.types[source].bounds
    if parent < 0:
        return ""
    granted = any(_covers(policy, r, 1 << parent, right) for r in _matching(view, number, mask))
    return "" if granted else policy.types[parent].name


def _near_misses(view: PolicyView, left: int, right: int, number: int, mask: int) -> Iterator[str]:
    policy = view.policy
    same_pair = [r for r in view.rules if r.kind is AvKind.ALLOW and _covers(policy, r, left, right)]
    others = 0
    for rule in same_pair:
        if rule.security_class == number:
            others |= rule.permissions
    known = policy.abi.all_classes[number]
    if others:
        yield f"on this target it may only: {' '.join(known.permissions[b] for b in bits(others))} ({known.name})"
    elif same_pair:
        classes = sorted({policy.abi.all_classes[r.security_class].name for r in same_pair})
        yield f"on this target it has permissions of other classes only: {' '.join(classes)}"
    else:
        yield "no rule allows it anything on this target"
    holders = 0
    for rule in _matching(view, number, mask):
        if policy.expand(rule.target) & right:
            holders |= policy.expand(rule.source)
    names = [policy.types[n].name for n in bits(holders)]
    if names:
        shown = ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")
        yield f"allowed for: {shown}"
    else:
        yield "no type at all is allowed this on that target"


def render_rule(policy: LinkedPolicy, rule: TracedRule) -> str:
    """A rule in the policy language."""
    name, known = policy.abi.all_classes[rule.security_class]
    permissions = " ".join(known[b] for b in bits(rule.permissions))
    names = policy.types
    shown = permissions if " " not in permissions else f"{{ {permissions} }}"
    return f"{rule.kind.name.lower()} {names[rule.source].name} {names[rule.target].name}:{name} {shown};"
