"""What a change of policy means for those who live under it: what is newly allowed, what is lost, and who says so.

The gravest comes first.  How grave a permission is follows from the mildest function that needs it (`GRAVITY`), so that
what every backend has does not look like what only a builder has.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

from polpkg.policy.analysis.diff import PolicyDiff, RuleChange, diff_policies
from polpkg.policy.powers import ORDINARY, read_powers

if TYPE_CHECKING:
    from collections.abc import Iterable

    from polpkg.policy.analysis.view import PolicyView, TracedRule


GRAVITY = (
    ORDINARY,
    "net-backend",
    "block-backend",
    "console",
    "xenstore",
    "domain-manager",
    "migration",
    "device-model",
    "hardware",
    "platform",
    "domain-builder",
    "introspection",
    "debug",
    "policy-admin",
)
"""Functions, from those that talk to a guest to the one that can do anything."""

_COMMON = frozenset({"always", "host", "in-owner", "dom0", "every-domain"})
"""Rows of the table of powers that are for every owner, not for an odd one."""


class ReviewedRule(NamedTuple):
    """One rule that came or went, and the packages that grant it, each as "name version" (none when not known).

    `function`: the function whose owners typically have the gravest of its permissions.
    """

    change: RuleChange
    packages: tuple[str, ...]
    function: str


@dataclass(frozen=True, slots=True)
class Review:
    """What a new policy allows that an old one did not, and the other way round.

    `diff` is the whole difference; `gained` and `lost` are its allow rules with their packages, the gravest first.
    """

    diff: PolicyDiff
    gained: tuple[ReviewedRule, ...]
    lost: tuple[ReviewedRule, ...]


def review_policies(old: PolicyView, new: PolicyView) -> Review:
    """How `new` differs from `old`, with the packages of both."""
    diff = diff_policies(old.policy, new.policy)
    return Review(diff, _reviewed(diff.allow.added, new), _reviewed(diff.allow.removed, old))


def _reviewed(changes: Iterable[RuleChange], view: PolicyView) -> tuple[ReviewedRule, ...]:
    grants = _Grants(view)
    rules = [ReviewedRule(change, grants.packages(change), gravest_function(change)) for change in changes]
    return tuple(sorted(rules, key=lambda rule: (-GRAVITY.index(rule.function), rule.change)))


def gravest_function(change: RuleChange) -> str:
    """The function that stands for the gravest permission of a rule; see `GRAVITY`."""
    on_itself = change.target in {change.source, f"{change.source}_self"}
    if on_itself:
        return ORDINARY
    return max(
        (_mildest_function(change.security_class, permission) for permission in change.permissions), key=GRAVITY.index
    )


@cache
def _mildest_function(security_class: str, permission: str) -> str:
    """The mildest function whose owners generally need a permission on others; ordinary when none does."""
    rows = [row for row in read_powers() if row.security_class == security_class and permission in row.permissions]
    common = [row for row in rows if row.when in _COMMON] or rows
    needed = {function for row in common for function in row.functions} - {ORDINARY}
    return min(needed, key=GRAVITY.index, default=ORDINARY)


class _Grants:
    """The rules of a policy by class and source: those of one type apart from those of attributes, which are few."""

    def __init__(self, view: PolicyView) -> None:
        self._policy = view.policy
        self._of_types: dict[tuple[int, int], list[TracedRule]] = defaultdict(list)
        self._of_attributes: dict[int, list[TracedRule]] = defaultdict(list)
        types = view.policy.types
        for rule in view.rules:
            if types[rule.source].is_attribute:
                self._of_attributes[rule.security_class].append(rule)
            else:
                self._of_types[rule.security_class, rule.source].append(rule)

    def packages(self, change: RuleChange) -> tuple[str, ...]:
        """Whose rules grant any of what `change` is about, sorted."""
        policy = self._policy
        number = policy.abi.class_id(change.security_class) - 1
        source, target = policy.number_of_type(change.source), policy.number_of_type(change.target)
        wanted = sum(1 << policy.abi.permission_bit(change.security_class, name) for name in change.permissions)
        candidates = (*self._of_types[number, source], *self._of_attributes[number])
        return tuple(
            sorted(
                {
                    f"{rule.origin.package} {rule.origin.version}"
                    for rule in candidates
                    if rule.origin is not None
                    and rule.kind.name.lower() == change.kind
                    and rule.permissions & wanted
                    and policy.expand(rule.source) >> source & 1
                    and policy.expand(rule.target) >> target & 1
                }
            )
        )
