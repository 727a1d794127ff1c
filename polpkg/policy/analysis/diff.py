"""What one policy says that another does not: by meaning, not by wording.

Rules are compared with attributes expanded and permissions one by one; conditions by what they mean.  A rule under a
condition says nothing where the same holds always.  Types, classes and permissions are the same when their names are,
so that policies for two hypervisors can be compared.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from polpkg.policy.abi.difference import difference
from polpkg.policy.analysis.sections import SECTIONS, describe
from polpkg.policy.analysis.view import render_condition
from polpkg.policy.ir.blocks import TypeSets
from polpkg.policy.ir.linked import LinkedAvRule, bits
from polpkg.policy.ir.quick import bit_set
from polpkg.policy.ir.statements import BooleanOperator
from polpkg.policy.policydb.conditions import meaning
from polpkg.policy.policydb.layout import CONDITION_BOOLEAN

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from polpkg.policy.abi.difference import Difference
    from polpkg.policy.ir.blocks import Block
    from polpkg.policy.ir.linked import LinkedConditional, LinkedPolicy, LinkedTypeRule


class RuleChange(NamedTuple):
    """One rule with types for attributes: `permissions` are those that it gives more, or less, than the other policy.

    `condition` is empty for a rule that always holds.
    """

    kind: str
    source: str
    target: str
    security_class: str
    permissions: tuple[str, ...]
    condition: str


class TypeRuleChange(NamedTuple):
    """One type rule, likewise."""

    kind: str
    source: str
    target: str
    security_class: str
    result: str
    condition: str


class Rules(NamedTuple):
    """Rules that came and rules that went, sorted."""

    added: tuple[RuleChange, ...]
    removed: tuple[RuleChange, ...]


class TypeRules(NamedTuple):
    """Type rules that came and that went, sorted."""

    added: tuple[TypeRuleChange, ...]
    removed: tuple[TypeRuleChange, ...]


class Changed(NamedTuple):
    """Something that is in both policies with other properties: the types of a role, the value of a boolean."""

    name: str
    added: tuple[str, ...]
    removed: tuple[str, ...]


class Section(NamedTuple):
    """What came, went and changed among the types, the roles, the constraints ..."""

    added: tuple[str, ...]
    removed: tuple[str, ...]
    changed: tuple[Changed, ...]


@dataclass(frozen=True, slots=True)
class PolicyDiff:
    """How a new policy differs from an old one; `sections` has every name of `SECTIONS`."""

    allow: Rules
    audit: Rules
    type_rules: TypeRules
    sections: dict[str, Section]
    abi: Difference

    @property
    def is_empty(self) -> bool:
        """Whether the two policies say the same."""
        return not any((*self.allow, *self.audit, *self.type_rules, self.abi)) and not any(
            part for section in self.sections.values() for part in section
        )


def diff_policies(old: LinkedPolicy, new: LinkedPolicy) -> PolicyDiff:
    """How `new` differs from `old`.

    Raises PolicyError `conf-inexpressible` for a constraint that the policy language has no words for.
    """
    shared = _SharedNumbers()
    before, after = _Blocks(old, shared), _Blocks(new, shared)
    added, removed = _more(after, before, shared), _more(before, after, shared)
    rules_before, rules_after = _type_rules(old), _type_rules(new)
    return PolicyDiff(
        Rules(*(tuple(r for r in found if r.kind == "allow") for found in (added, removed))),
        Rules(*(tuple(r for r in found if r.kind != "allow") for found in (added, removed))),
        TypeRules(tuple(sorted(rules_after - rules_before)), tuple(sorted(rules_before - rules_after))),
        {name: _section(describe(name, old), describe(name, new)) for name in SECTIONS},
        difference(old.abi, new.abi),
    )


def _section(old: dict[str, frozenset[str]], new: dict[str, frozenset[str]]) -> Section:
    changed = (
        Changed(name, tuple(sorted(new[name] - old[name])), tuple(sorted(old[name] - new[name])))
        for name in sorted(old.keys() & new.keys())
    )
    return Section(
        tuple(sorted(new.keys() - old.keys())),
        tuple(sorted(old.keys() - new.keys())),
        tuple(change for change in changed if change.added or change.removed),
    )


_Condition: TypeAlias = tuple[object, bool]
_Key: TypeAlias = tuple[str, str, str, "_Condition | None"]
"""Kind, class, permission, and the condition with the branch; None for what always holds."""


class _SharedNumbers:
    """Numbers for the names of types and booleans that both policies use, and texts for conditions."""

    def __init__(self) -> None:
        self.types: dict[str, int] = {}
        self.booleans: dict[str, int] = {}
        self.conditions: dict[_Condition, str] = {}
        self.sets = TypeSets()

    def type_number(self, name: str) -> int:
        return self.types.setdefault(name, len(self.types))

    def condition(self, policy: LinkedPolicy, conditional: LinkedConditional) -> tuple[_Condition, _Condition]:
        """What stands for the two branches of a conditional."""
        same, is_negated = meaning(
            tuple(
                (int(word), 0)
                if isinstance(word, BooleanOperator)
                else (CONDITION_BOOLEAN, self.booleans.setdefault(policy.booleans[word].name, len(self.booleans) + 1))
                for word in conditional.expression
            )
        )
        then, otherwise = (same, not is_negated), (same, is_negated)
        text = render_condition(policy, conditional.expression)
        self.conditions.setdefault(then, text)
        self.conditions.setdefault(otherwise, f"!({text})" if " " in text else f"!{text}")
        return then, otherwise


class _Blocks:
    """The access vector rules of a policy: for each key the pairs of a set of sources and one of targets, by number."""

    def __init__(self, policy: LinkedPolicy, shared: _SharedNumbers) -> None:
        self.found: dict[_Key, set[Block]] = defaultdict(set)
        self._policy = policy
        numbers = [-1 if symbol.is_attribute else shared.type_number(symbol.name) for symbol in policy.types]
        self._sets = [
            shared.sets.number(
                bit_set(numbers[bit] for bit in bits(symbol.members)) if symbol.is_attribute else 1 << own
            )
            for own, symbol in zip(numbers, policy.types, strict=True)
        ]
        for rule in policy.rules:
            self._add(rule, None)
        for conditional in policy.conditionals:
            branches = shared.condition(policy, conditional)
            for condition, rules in zip(branches, (conditional.then, conditional.otherwise), strict=True):
                for rule in rules:
                    if isinstance(rule, LinkedAvRule):
                        self._add(rule, condition)

    def _add(self, rule: LinkedAvRule, condition: _Condition | None) -> None:
        name, permissions = self._policy.abi.all_classes[rule.security_class]
        block = (self._sets[rule.source], self._sets[rule.target])
        for bit in bits(rule.permissions):
            self.found[rule.kind.name.lower(), name, permissions[bit], condition].add(block)

    def covering(self, key: _Key) -> set[Block]:
        """The blocks of a key, with those that hold always."""
        always = self.found.get((*key[:3], None), set())
        return always if key[3] is None else always | self.found.get(key, set())


def _more(policy: _Blocks, other: _Blocks, shared: _SharedNumbers) -> tuple[RuleChange, ...]:
    """The rules of `policy` that `other` has not."""
    names = list(shared.types)
    merged: dict[tuple[str, str, str, str, str], list[str]] = defaultdict(list)
    for key, blocks in policy.found.items():
        theirs = other.covering(key)
        if key[3] is not None:
            theirs = theirs | policy.covering((*key[:3], None))
        only = blocks - theirs
        if not only:
            continue
        condition = shared.conditions[key[3]] if key[3] is not None else ""
        for source, targets in _uncovered(only, theirs, shared.sets):
            for target in bits(targets):
                merged[key[0], names[source], names[target], key[1], condition].append(key[2])
    return tuple(
        RuleChange(kind, source, target, name, tuple(sorted(merged[kind, source, target, name, condition])), condition)
        for kind, source, target, name, condition in sorted(merged)
    )


def _uncovered(blocks: Iterable[Block], theirs: Iterable[Block], sets: TypeSets) -> Iterator[tuple[int, int]]:
    """For each source of `blocks` the targets that no block of `theirs` gives it."""
    reached = sets.by_source(blocks, sets.sources(blocks))
    covered = sets.by_source(theirs, reached)
    for source, targets in sorted(reached.items()):
        rest = targets - covered[source]
        more = sets.union(rest) & ~sets.union(covered[source]) if rest else 0
        if more:
            yield source, more


def _type_rules(policy: LinkedPolicy) -> set[TypeRuleChange]:
    found = {change for rule in policy.type_rules for change in _expanded(policy, rule, "")}
    for conditional in policy.conditionals:
        text = render_condition(policy, conditional.expression)
        opposite = f"!({text})" if " " in text else f"!{text}"
        for condition, rules in ((text, conditional.then), (opposite, conditional.otherwise)):
            for rule in rules:
                if not isinstance(rule, LinkedAvRule):
                    found.update(_expanded(policy, rule, condition))
    return found


def _expanded(policy: LinkedPolicy, rule: LinkedTypeRule, condition: str) -> Iterator[TypeRuleChange]:
    types, name = policy.types, policy.abi.all_classes[rule.security_class].name
    for source in bits(policy.expand(rule.source)):
        for target in bits(policy.expand(rule.target)):
            about = (types[source].name, types[target].name, name, types[rule.result].name)
            yield TypeRuleChange(rule.kind.name.lower(), *about, condition)
