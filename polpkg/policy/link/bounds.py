"""Pass `bounds`: a type that another bounds may have no permission that the other lacks.

As in libsepol (`bounds_check_type` in `hierarchy.c`): the bounding type needs each permission on the same target, or on
the type that bounds the target.  What it is allowed in both branches of a conditional, it is allowed always.
"""

from __future__ import annotations

from operator import itemgetter
from typing import TYPE_CHECKING, TypeAlias, TypeGuard

from polpkg.diagnostics import Diagnostic, Note
from polpkg.policy.ir.linked import LinkedAvRule, bits
from polpkg.policy.ir.statements import AvKind

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from polpkg.policy.ir.linked import LinkedPolicy, LinkedTypeRule
    from polpkg.policy.link.report import Report

DEEPEST = 3
"""Types above one another that Xen follows (`type_bounds_sanity_check`, POLICYDB_BOUNDS_MAXDEPTH in its policydb.c)."""

_Grants: TypeAlias = dict[tuple[int, int], int]
"""Permissions by target type and class."""


def check_bounds(policy: LinkedPolicy, report: Report) -> None:
    """Reports bounds that are too deep or go in a circle, and rules that exceed them."""
    bounded = [number for number, symbol in enumerate(policy.types) if symbol.bounds >= 0]
    for number in bounded:
        if _height(policy, number) > DEEPEST:
            _report_depth(policy, number, report)
            return
    if bounded:
        always = _BySource(policy, policy.rules)
        branches = [(_BySource(policy, c.then), _BySource(policy, c.otherwise)) for c in policy.conditionals]
        for number in bounded:
            _Bounded(policy, number, report, always, branches).check()


class _BySource:
    """Allow rules by their source, in their order."""

    def __init__(self, policy: LinkedPolicy, rules: Iterable[LinkedAvRule | LinkedTypeRule]) -> None:
        self._found: dict[int, list[tuple[int, LinkedAvRule]]] = {}
        for at, rule in enumerate(rules):
            if _allows(rule):
                self._found.setdefault(rule.source, []).append((at, rule))
        self._attributes = [(n, policy.types[n].members) for n in self._found if policy.types[n].is_attribute]

    def about(self, number: int) -> list[LinkedAvRule]:
        """The rules of a type, those of its attributes among them."""
        found = [*self._found.get(number, ())]
        for attribute, members in self._attributes:
            if members >> number & 1:
                found += self._found[attribute]
        return [rule for _, rule in sorted(found, key=itemgetter(0))]


def _height(policy: LinkedPolicy, number: int) -> int:
    height = 0
    while policy.types[number].bounds >= 0 and height <= DEEPEST:
        number = policy.types[number].bounds
        height += 1
    return height


def _report_depth(policy: LinkedPolicy, number: int, report: Report) -> None:
    symbol = policy.types[number]
    message = (
        f"type `{symbol.name}` has more than {DEEPEST} types above it, or bounds itself; Xen refuses such a policy"
    )
    if symbol.place is not None:
        report.error(symbol.place, "bounds-too-deep", message)


class _Bounded:
    """One bounded type, and what the type above it is allowed."""

    def __init__(
        self,
        policy: LinkedPolicy,
        number: int,
        report: Report,
        always: _BySource,
        branches: Sequence[tuple[_BySource, _BySource]],
    ) -> None:
        self._policy, self._number, self._report = policy, number, report
        above = policy.types[number].bounds
        self._above = above
        self._rules, self._conditional = always, branches
        self._always = self._granted(always.about(above))
        self._branches = [(self._granted(a.about(above)), self._granted(b.about(above))) for a, b in branches]
        for then, otherwise in self._branches:
            for about in then.keys() & otherwise.keys():
                self._always[about] = self._always.get(about, 0) | then[about] & otherwise[about]

    def _granted(self, rules: Iterable[LinkedAvRule]) -> _Grants:
        found: _Grants = {}
        for rule in rules:
            for target in bits(self._policy.expand(rule.target)):
                about = (target, rule.security_class)
                found[about] = found.get(about, 0) | rule.permissions
        return found

    def check(self) -> None:
        """Reports every rule that gives this type more than the one above it has."""
        self._check(self._rules.about(self._number), {})
        for (then, otherwise), granted in zip(self._conditional, self._branches, strict=True):
            self._check(then.about(self._number), granted[0])
            self._check(otherwise.about(self._number), granted[1])

    def _check(self, rules: Iterable[LinkedAvRule], here: _Grants) -> None:
        for rule in rules:
            for target in bits(self._policy.expand(rule.target)):
                bound = self._policy.types[target].bounds
                about = (bound if bound >= 0 else target, rule.security_class)
                missing = rule.permissions & ~(self._always.get(about, 0) | here.get(about, 0))
                if missing:
                    self._report_rule(rule, target, missing)
                    break

    def _report_rule(self, rule: LinkedAvRule, target: int, missing: int) -> None:
        types = self._policy.types
        name, permissions = self._policy.abi.all_classes[rule.security_class]
        child, above = types[self._number], types[self._above]
        said = " ".join(permissions[bit] for bit in bits(missing))
        message = (
            f"type `{child.name}` is bounded by `{above.name}`, and gets {{ {said} }} on {types[target].name}:{name}"
        )
        notes = (Note(f"`{child.name}` is declared here", child.place.origin() if child.place else None),)
        hint = f"allow `{above.name}` the same, or leave it out"
        if rule.place is None:
            self._report.errors.append(Diagnostic("bounds-exceeded", message, hint=hint, notes=notes))
        else:
            self._report.error(rule.place, "bounds-exceeded", message, hint, notes)


def _allows(rule: LinkedAvRule | LinkedTypeRule) -> TypeGuard[LinkedAvRule]:
    return isinstance(rule, LinkedAvRule) and rule.kind is AvKind.ALLOW
