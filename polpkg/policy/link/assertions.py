"""Pass `assertions`: every neverallow rule against every allow rule, conditional ones included.

Constraints are not taken into account, so a rule that a constraint would stop counts as a violation: sound, and what
libsepol does (`assertion.c`).
"""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

from polpkg.diagnostics import Diagnostic, Note
from polpkg.policy.ir.linked import LinkedAvRule, bits
from polpkg.policy.ir.statements import AvKind

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from polpkg.policy.ir.linked import LinkedNeverallow, LinkedPolicy
    from polpkg.policy.link.report import Report

_SHOWN = 5
"""How many rules that break one assertion are shown."""


def check_assertions(policy: LinkedPolicy, report: Report) -> None:
    """Reports every allow rule that an assertion forbids, with the place of both."""
    grants = _Grants(policy)
    for assertion in policy.neverallows:
        offenders = list(grants.against(assertion))
        for rule in offenders[:_SHOWN]:
            report.errors.append(_violation(policy, assertion, rule, len(offenders)))


class _Grants:
    """The allow rules of a policy by class, source and target, so that an assertion on few types looks at few rules."""

    def __init__(self, policy: LinkedPolicy) -> None:
        self._policy = policy
        self._by_source: dict[int, _Index] = {}
        self._by_target: dict[int, _Index] = {}
        for rule in _allow_rules(policy):
            for indexes, number in ((self._by_source, rule.source), (self._by_target, rule.target)):
                index = indexes.get(rule.security_class)
                if index is None:
                    index = indexes[rule.security_class] = _Index()
                index.add(number, rule, is_attribute=policy.types[number].is_attribute)

    def against(self, assertion: LinkedNeverallow) -> Iterator[LinkedAvRule]:
        """The rules that grant what `assertion` forbids."""
        for rule in self._candidates(assertion):
            if rule.permissions & assertion.permissions and self._touches(rule, assertion):
                yield rule

    def _candidates(self, assertion: LinkedNeverallow) -> Iterable[LinkedAvRule]:
        """The rules found by source or by target, whichever are fewer types."""
        by_target = self._by_target.get(assertion.security_class)
        if by_target is None:
            return ()
        sources, targets = assertion.sources.bit_count(), assertion.targets.bit_count()
        if not assertion.on_self and targets <= sources:
            return by_target.find(assertion.targets, targets)
        return self._by_source[assertion.security_class].find(assertion.sources, sources)

    def _touches(self, rule: LinkedAvRule, assertion: LinkedNeverallow) -> bool:
        sources = self._policy.expand(rule.source) & assertion.sources
        if not sources:
            return False
        targets = self._policy.expand(rule.target)
        return bool(targets & assertion.targets) or (assertion.on_self and bool(targets & sources))


class _Index:
    """Rules by one of their types; those on attributes apart, since they may be about any type."""

    def __init__(self) -> None:
        self._on_types: dict[int, list[LinkedAvRule]] = {}
        self._on_attributes: list[LinkedAvRule] = []

    def add(self, number: int, rule: LinkedAvRule, *, is_attribute: bool) -> None:
        if is_attribute:
            self._on_attributes.append(rule)
        elif number in self._on_types:
            self._on_types[number].append(rule)
        else:
            self._on_types[number] = [rule]

    def find(self, types: int, count: int) -> Iterator[LinkedAvRule]:
        """The rules that may be about one of `types`, which are `count`."""
        known = self._on_types
        if count > len(known):
            return chain(chain.from_iterable(known.values()), self._on_attributes)
        return chain(chain.from_iterable(known.get(number, ()) for number in bits(types)), self._on_attributes)


def _allow_rules(policy: LinkedPolicy) -> Iterator[LinkedAvRule]:
    conditional = (
        rule for c in policy.conditionals for rule in (*c.then, *c.otherwise) if isinstance(rule, LinkedAvRule)
    )
    return (rule for rule in chain(policy.rules, conditional) if rule.kind is AvKind.ALLOW)


def _violation(policy: LinkedPolicy, assertion: LinkedNeverallow, rule: LinkedAvRule, count: int) -> Diagnostic:
    security_class = policy.abi.all_classes[rule.security_class]
    shared = " ".join(security_class.permissions[b] for b in bits(rule.permissions & assertion.permissions))
    source, target = policy.types[rule.source].name, policy.types[rule.target].name
    what = f"assertion {assertion.name!r}" if assertion.name else "a neverallow rule"
    message = f"allow {source} {target}:{security_class.name} {{ {shared} }} breaks {what}"
    notes = [Note(f"the assertion: {_shorten(assertion.text)}", assertion.place.origin() if assertion.place else None)]
    example = _example(policy, assertion, rule)
    if example:
        notes.append(Note(example))
    if count > _SHOWN:
        notes.append(Note(f"{count} rules in all break this assertion"))
    if rule.place is None:
        return Diagnostic("assertion-violated", message, notes=tuple(notes))
    return Diagnostic.at(rule.place, "assertion-violated", message, notes=tuple(notes))


def _example(policy: LinkedPolicy, assertion: LinkedNeverallow, rule: LinkedAvRule) -> str:
    """One pair of types for which it goes wrong, when the rule is about attributes."""
    if not (policy.types[rule.source].is_attribute or policy.types[rule.target].is_attribute):
        return ""
    sources = policy.expand(rule.source) & assertion.sources
    targets = policy.expand(rule.target) & (assertion.targets or sources)
    source, target = next(bits(sources)), next(bits(targets), -1)
    if target < 0:
        return ""
    return f"for example, {policy.types[source].name} gets it on {policy.types[target].name}"


def _shorten(text: str) -> str:
    return text if len(text) <= 160 else text[:157] + "..."
