"""Pass `assertions`: every neverallow rule against every allow rule, conditional ones included.

Constraints are not taken into account, so a rule that a constraint would stop counts as a violation: sound, and what
libsepol does (`assertion.c`).
"""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, NamedTuple

from polpkg.diagnostics import MANIFEST, Diagnostic, Note
from polpkg.policy.ir.columns import RuleColumns, parts_of
from polpkg.policy.ir.linked import LinkedAvRule, bits
from polpkg.policy.ir.statements import AvKind

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from polpkg.diagnostics import Frame, Place
    from polpkg.policy.ir.linked import LinkedNeverallow, LinkedPolicy
    from polpkg.policy.ir.module import PolicyModule
    from polpkg.policy.link.report import Report

_SHOWN = 5
"""How many rules that break one assertion are shown."""

_FEW = 12
"""The numbers of sets of up to this many types are kept."""

_SPREAD = 64
"""A rule about an attribute of up to this many types is found by each of them."""


def check_assertions(policy: LinkedPolicy, report: Report) -> None:
    """Reports every allow rule that an assertion forbids, with the place of both."""
    grants = _Grants(policy)
    for assertion, by_target in zip(policy.neverallows, grants.by_target, strict=True):
        offenders = grants.against(assertion, by_target=by_target)
        for rule in offenders[:_SHOWN]:
            report.errors.append(_violation(policy, assertion, rule, len(offenders)))


class AssertionNames:
    """What packages call their assertions, by the place of the neverallow rules that come of them."""

    def __init__(self, modules: Iterable[PolicyModule]) -> None:
        """The names that the manifests of `modules` have."""
        self._names = {(m.package, line): name for m in modules for line, name in m.assertions}
        self._by_frame: dict[Frame, str] = {}

    def name_of(self, place: Place) -> str:
        """The name of the assertion at `place`; empty for a rule that no manifest names."""
        if not self._names:
            return ""
        frame = place.frame
        if frame.called_at is None:
            return self._look_up(place)
        known = self._by_frame.get(frame)
        if known is None:
            known = self._by_frame[frame] = self.name_of(frame.called_at)
        return known

    def _look_up(self, root: Place) -> str:
        return self._names.get((root.source.package, root.line), "") if root.source.file == MANIFEST else ""


class _Types(NamedTuple):
    """A set of types: how many they are, their numbers when they are few, and the set itself."""

    size: int
    few: tuple[int, ...] | None
    value: int


class _Grants:
    """The allow rules of a policy by class, source and target, so that an assertion on few types looks at few rules."""

    def __init__(self, policy: LinkedPolicy) -> None:
        self._policy = policy
        self._attributes = frozenset(n for n, symbol in enumerate(policy.types) if symbol.is_attribute)
        self._rules: dict[int, list[LinkedAvRule]] = {}
        self._indexes: dict[tuple[int, bool], _Index] = {}
        self._sets: dict[int, _Types] = {}
        self.by_target = [self._is_about_targets(assertion) for assertion in policy.neverallows]
        for rule in _allow_rules(policy, self._looked_at()):
            self._rules.setdefault(rule.security_class, []).append(rule)

    def _looked_at(self) -> tuple[_Side, _Side]:
        """Which rules can matter because of their sources, and of their targets."""
        sides = (_Side(self._policy), _Side(self._policy))
        for assertion, by_target in zip(self._policy.neverallows, self.by_target, strict=True):
            sides[by_target].add(assertion, assertion.targets if by_target else assertion.sources)
        for side in sides:
            side.settle(self._attributes)
        return sides

    def against(self, assertion: LinkedNeverallow, *, by_target: bool) -> list[LinkedAvRule]:
        """The rules that grant what `assertion` forbids, found by its sources, or by its targets."""
        number = assertion.security_class
        if number not in self._rules:
            return []
        types = self._set(assertion.targets if by_target else assertion.sources)
        found = self._index(number, by_target=by_target).find(types, assertion.permissions)
        return [rule for rule in found if self._touches(rule, assertion)] if found else found

    def _is_about_targets(self, assertion: LinkedNeverallow) -> bool:
        """Whether it is faster to look for rules by target: whichever are fewer types."""
        return not assertion.on_self and self._set(assertion.targets).size <= self._set(assertion.sources).size

    def _index(self, security_class: int, *, by_target: bool) -> _Index:
        key = (security_class, by_target)
        index = self._indexes.get(key)
        if index is None:
            rules = self._rules[security_class]
            numbers = [rule.target if by_target else rule.source for rule in rules]
            spread = ((self._members(n), rule) for n, rule in zip(numbers, rules, strict=True))
            index = self._indexes[key] = _Index(spread)
        return index

    def _members(self, number: int) -> tuple[int, ...] | None:
        """The types that a type or attribute stands for; None for an attribute of many types."""
        if number not in self._attributes:
            return (number,)
        types = self._set(self._policy.expand(number))
        return tuple(bits(types.value)) if types.size <= _SPREAD else None

    def _set(self, types: int) -> _Types:
        """Looks at a set once: it may be as long as the policy has types, and many assertions share it."""
        known = self._sets.get(id(types))
        if known is None:
            size = types.bit_count()
            few = tuple(bits(types)) if size <= _FEW else None
            known = self._sets[id(types)] = _Types(size, few, types)
        return known

    def _touches(self, rule: LinkedAvRule, assertion: LinkedNeverallow) -> bool:
        if rule.source not in self._attributes and not assertion.sources >> rule.source & 1:
            return False
        sources = self._policy.expand(rule.source) & assertion.sources
        if not sources:
            return False
        targets = self._policy.expand(rule.target)
        return bool(targets & assertion.targets) or (assertion.on_self and bool(targets & sources))


class _Index:
    """Rules by each of the few types that they are about, with all that is granted there; those about many apart."""

    def __init__(self, rules: Iterable[tuple[tuple[int, ...] | None, LinkedAvRule]]) -> None:
        self._on_types: dict[int, list[LinkedAvRule]] = {}
        self._granted: dict[int, int] = {}
        self._on_attributes: list[LinkedAvRule] = []
        self._is_spread = False
        for numbers, rule in rules:
            if numbers is None:
                self._on_attributes.append(rule)
                continue
            self._is_spread |= len(numbers) > 1
            for number in numbers:
                self._on_types.setdefault(number, []).append(rule)
                self._granted[number] = self._granted.get(number, 0) | rule.permissions
        self._granted_on_attributes = 0
        for rule in self._on_attributes:
            self._granted_on_attributes |= rule.permissions

    def find(self, types: _Types, permissions: int) -> list[LinkedAvRule]:
        """The rules that may be about one of `types` and grant one of `permissions`."""
        granted = self._granted
        if types.few is not None:
            numbers = [number for number in types.few if granted.get(number, 0) & permissions]
        elif types.size > len(granted):
            numbers = [number for number in granted if granted[number] & permissions]
        else:
            numbers = [number for number in bits(types.value) if granted.get(number, 0) & permissions]
        found = [rule for number in numbers for rule in self._on_types[number] if rule.permissions & permissions]
        if self._is_spread:
            found = list({id(rule): rule for rule in found}.values())
        if self._granted_on_attributes & permissions:
            found += [rule for rule in self._on_attributes if rule.permissions & permissions]
        return found


class _Side:
    """For rules in columns: what assertions forbid, by class, to the types that they are looked up by."""

    def __init__(self, policy: LinkedPolicy) -> None:
        self._policy = policy
        self._types: dict[int, int] = {}
        self._permissions: dict[int, int] = {}
        self.classes = [0] * len(policy.types)
        """By the number of a type or attribute, the bit set of the classes in which it matters."""

    def add(self, assertion: LinkedNeverallow, types: int) -> None:
        """Adds an assertion that is looked up by `types`."""
        number = assertion.security_class
        self._types[number] = self._types.get(number, 0) | types
        self._permissions[number] = self._permissions.get(number, 0) | assertion.permissions

    def settle(self, attributes: Iterable[int]) -> None:
        """All assertions have been added."""
        for security_class, types in self._types.items():
            concerned = (n for n in attributes if self._policy.expand(n) & types)
            for number in chain(bits(types), concerned):
                self.classes[number] |= 1 << security_class

    def masks(self, rules: RuleColumns[LinkedAvRule]) -> list[int]:
        """By what rules are about, the bit set of their class if some of them grant what is forbidden."""
        found = [0] * len(rules.abouts)
        for number, granted in set(zip(rules.about, rules.values, strict=True)):
            kind, security_class = rules.abouts[number]
            if kind is AvKind.ALLOW and granted & self._permissions.get(security_class, 0):
                found[number] = 1 << security_class
        return found


def _that_matter(rules: RuleColumns[LinkedAvRule], sides: tuple[_Side, _Side]) -> Iterator[LinkedAvRule]:
    """The allow rules that can matter to an assertion; the others are not even made."""
    (sources, granted), (targets, exposed) = ((side.classes, side.masks(rules)) for side in sides)
    rows = enumerate(zip(rules.about, rules.sources, rules.targets, strict=True))
    return rules.picked(
        [
            at
            for at, (about, source, target) in rows
            if sources[source] & granted[about] or targets[target] & exposed[about]
        ]
    )


def _allow_rules(policy: LinkedPolicy, sides: tuple[_Side, _Side]) -> Iterator[LinkedAvRule]:
    """All allow rules, but those in columns that cannot matter."""
    for part in parts_of(policy.rules):
        rules = _that_matter(part, sides) if isinstance(part, RuleColumns) else part
        yield from (rule for rule in rules if rule.kind is AvKind.ALLOW)
    for conditional in policy.conditionals:
        for rule in (*conditional.then, *conditional.otherwise):
            if isinstance(rule, LinkedAvRule) and rule.kind is AvKind.ALLOW:
                yield rule


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
