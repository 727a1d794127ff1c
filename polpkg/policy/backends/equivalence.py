"""Where two compiled policies differ, in words, and by which rule they may.

Policies with equal canonical forms are the same.  Others are compared component by component, rules with attributes
expanded to types.  A difference has the name of a rule from `RULES` when compilers may differ in it without granting
anything else; one without a name is a real difference.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple, TypeAlias

from polpkg.policy.backends.cil import statements
from polpkg.policy.backends.naming import Naming
from polpkg.policy.ir.blocks import Block, TypeSets
from polpkg.policy.ir.linked import LinkedAvRule, LinkedExpression, LinkedPolicy, LinkedTerm, LinkedTypeRule, bits
from polpkg.policy.ir.quick import bit_set
from polpkg.policy.ir.statements import BooleanOperator
from polpkg.policy.policydb.canonical import canonical
from polpkg.policy.policydb.conditions import meaning
from polpkg.policy.policydb.layout import CONDITION_BOOLEAN
from polpkg.policy.policydb.lift import lift
from polpkg.policy.policydb.model import PolicyDb

RULES = {
    "unused-attribute": "an attribute that no rule and no constraint uses may be left out",
    "expanded-attribute": "rules on an attribute may be written out for its types instead",
    "written-out-attribute": "an attribute that rules were written out for may keep its types if no rule names it",
    "unused-role": "a role without types may be left out: no context can have it",
    "constraint-names": "a constraint may name attributes or their types, as long as the types are the same",
    "condition-spelling": "a condition may be spelt in another way that means the same",
    "redundant-conditional": "a conditional rule may be left out when the same holds unconditionally or for no type",
}
"""The rules by which compilers may differ, and what each says."""


class PolicyDifference(NamedTuple):
    """One difference: in which component, in words, and by which rule it is allowed (empty: by none)."""

    component: str
    text: str
    rule: str = ""


_COMPONENTS = {
    "class": "class",
    "common": "class",
    "classcommon": "class",
    "typetransition": "type transition by name",
    "classorder": "class",
    "type": "type",
    "typealias": "type",
    "typealiasactual": "type",
    "typebounds": "type",
    "typepermissive": "type",
    "role": "role",
    "roletype": "role",
    "user": "user",
    "userrole": "user",
    "userlevel": "user",
    "userrange": "user",
    "boolean": "boolean",
    "roleallow": "role rule",
    "roletransition": "role rule",
    "rangetransition": "range transition",
    "constrain": "constraint",
    "mlsconstrain": "constraint",
    "validatetrans": "constraint",
    "mlsvalidatetrans": "constraint",
    "policycap": "capability",
    "pirqcon": "device",
    "ioportcon": "device",
    "iomemcon": "device",
    "pcidevicecon": "device",
    "devicetreecon": "device",
}
"""What a statement belongs to; statements about levels are named by their own word."""

_NOT_COMPARED = frozenset({"sid", "sidorder", "typeattribute", "typeattributeset", "expandtypeattribute"})

Grants: TypeAlias = dict[tuple[Hashable, ...], set[Block]]
"""For each kind, class, permission (or result) and condition: which sources have it on which targets."""

_NOTHING: frozenset[Block] = frozenset()


def explain_differences(left: PolicyDb, right: PolicyDb) -> tuple[PolicyDifference, ...]:
    """How `right` differs from `left`; empty when they are the same.

    Raises PolicyError when one of them cannot be lifted.
    """
    headers = tuple(_header_differences(left, right))
    left, right = canonical(left), canonical(right)
    if left == right:
        return headers
    a, b = lift(left), lift(right)
    found = [*headers, *_statement_differences(a, b), *_attribute_differences(a, b), *_grant_differences(a, b)]
    if len(found) == len(headers):
        found += _spelling_differences(left, right)
    return tuple(found)


def _spelling_differences(left: PolicyDb, right: PolicyDb) -> Iterator[PolicyDifference]:
    """What is left when two policies that are not the same bytes say the same."""
    one, other = ({node.expression for node in policy.conditionals} for policy in (left, right))
    if one - other and other - one:
        yield PolicyDifference("rule", "the same conditions are spelt otherwise", "condition-spelling")
    elif left.conditionals != right.conditionals:
        message = "conditional rules that change nothing are left out, or written for other attributes"
        yield PolicyDifference("rule", message, "redundant-conditional")
    if replace(left, conditionals=()) != replace(right, conditionals=()):
        yield PolicyDifference("constraint", "the same types are named otherwise", "constraint-names")


def are_equivalent(left: PolicyDb, right: PolicyDb) -> bool:
    """Whether two policies differ only by the rules of `RULES`."""
    return all(difference.rule for difference in explain_differences(left, right))


def _header_differences(left: PolicyDb, right: PolicyDb) -> Iterator[PolicyDifference]:
    for component, a, b in (
        ("unknown permissions", left.handle_unknown, right.handle_unknown),
        ("MLS", left.is_mls, right.is_mls),
        ("version", left.version, right.version),
    ):
        if a != b:
            yield PolicyDifference(component, f"{a} on the left, {b} on the right")


def _set_differences(
    component: str, left: Iterable[str], right: Iterable[str], rule: str = ""
) -> Iterator[PolicyDifference]:
    a, b = set(left), set(right)
    yield from (PolicyDifference(component, f"only on the left: {text}", rule) for text in sorted(a - b))
    yield from (PolicyDifference(component, f"only on the right: {text}", rule) for text in sorted(b - a))


def _statement_differences(a: LinkedPolicy, b: LinkedPolicy) -> Iterator[PolicyDifference]:
    """Differences in everything but rules and attributes."""
    left, right = _statements(a), _statements(b)
    without_types = {f"(role {role.name})" for policy in (a, b) for role in policy.roles if not role.types}
    for side, only in (("left", left - right), ("right", right - left)):
        for component, statement in sorted(only):
            rule = "unused-role" if statement in without_types else ""
            yield PolicyDifference(component, f"only on the {side}: {statement}", rule)


def _statements(policy: LinkedPolicy) -> set[tuple[str, str]]:
    """Components and statements; initial SIDs by number, since a compiled policy does not have their names."""
    numbers = {name: str(number) for number, name in enumerate(policy.abi.initial_sids, 1)}
    found: set[tuple[str, str]] = set()
    for statement in statements(_without_rules(policy)):
        word, *rest = statement.strip("()").split(" ")
        if word == "sidcontext":
            found.add(("initial SID", f"sid {numbers[rest[0]]} {' '.join(rest[1:])}"))
        elif word not in _NOT_COMPARED:
            found.add((_COMPONENTS.get(word, word), statement))
    return found


def _without_rules(policy: LinkedPolicy) -> LinkedPolicy:
    """The policy without rules, and with constraints on types rather than attributes."""
    constraints = [
        constraint._replace(
            expression=tuple(
                term._replace(written=()) if isinstance(term, LinkedTerm) else term for term in constraint.expression
            )
        )
        for constraint in policy.constraints
    ]
    return replace(policy, rules=(), type_rules=(), conditionals=(), constraints=tuple(constraints))


def _attribute_differences(a: LinkedPolicy, b: LinkedPolicy) -> Iterator[PolicyDifference]:
    members = [_members(policy) for policy in (a, b)]
    used = [_used_attributes(policy) for policy in (a, b)]
    for name in sorted(members[0].keys() ^ members[1].keys()):
        is_left = name in members[0]
        rule = "expanded-attribute" if name in used[0 if is_left else 1] else "unused-attribute"
        yield PolicyDifference("attribute", f"only on the {'left' if is_left else 'right'}: {name}", rule)
    in_rules = _named_in_rules(a) | _named_in_rules(b)
    for name in sorted(members[0].keys() & members[1].keys()):
        left, right = members[0][name], members[1][name]
        if left != right:
            may_differ = not (left and right) and name not in in_rules
            rule = "written-out-attribute" if may_differ else ""
            yield from _set_differences(f"attribute {name}", left, right, rule)


def _members(policy: LinkedPolicy) -> dict[str, frozenset[str]]:
    names = Naming(policy).types
    return {
        symbol.name: frozenset(names[bit] for bit in bits(symbol.members))
        for symbol in policy.types
        if symbol.is_attribute
    }


def _used_attributes(policy: LinkedPolicy) -> set[str]:
    used = _named_in_rules(policy)
    for constraint in policy.constraints:
        for term in constraint.expression:
            names = term.written if isinstance(term, LinkedTerm) else ()
            used.update(policy.types[number].name for number in names)
    return used


def _named_in_rules(policy: LinkedPolicy) -> set[str]:
    rules = [*policy.rules, *(rule for c in policy.conditionals for rule in (*c.then, *c.otherwise))]
    return {policy.types[number].name for rule in rules for number in (rule.source, rule.target)}


def _grant_differences(a: LinkedPolicy, b: LinkedPolicy) -> Iterator[PolicyDifference]:
    number: dict[str, int] = {}
    every = sorted({symbol.name for policy in (a, b) for symbol in policy.booleans})
    shared = {name: n for n, name in enumerate(every, 1)}
    sets = TypeSets()
    left, right = (_grants(policy, number, shared, sets) for policy in (a, b))
    names = list(number)
    for key in sorted(left.keys() | right.keys(), key=str):
        concerned = sets.sources(left.get(key, _NOTHING) ^ right.get(key, _NOTHING))
        one, other = (sets.by_source(found.get(key, ()), concerned) for found in (left, right))
        always = [sets.by_source(found.get((*key[:-1], ()), ()), concerned) for found in (left, right) if key[-1]]
        for source in sorted(concerned, key=names.__getitem__):
            if one[source] == other[source]:
                continue
            on_left = sets.union(one[source])
            differing = on_left ^ sets.union(other[source])
            if differing:
                anyhow = [sets.union(reached[source]) for reached in always]
                is_said_anyhow = bool(anyhow) and not differing & ~(anyhow[0] & anyhow[1])
                rule = "redundant-conditional" if is_said_anyhow else ""
                yield _grant_difference(key, names[source], differing, on_left, names, rule)


def _grant_difference(
    key: tuple[Hashable, ...], source: str, differing: int, on_left: int, names: list[str], rule: str
) -> PolicyDifference:
    target = names[(differing & -differing).bit_length() - 1]
    side = "left" if differing & -differing & on_left else "right"
    kind, security_class, what, condition = key
    more = f" and {differing.bit_count() - 1} more targets" if differing.bit_count() > 1 else ""
    where = " under a condition" if condition else ""
    return PolicyDifference(
        "rule", f"only on the {side}{where}: {kind} {source} {target}:{security_class} {what}{more}", rule
    )


def _grants(policy: LinkedPolicy, number: dict[str, int], shared: Mapping[str, int], sets: TypeSets) -> Grants:
    """Every rule with attributes expanded; `number` gives types, `shared` booleans the same number in both policies."""
    names = Naming(policy)
    booleans = [shared[name] for name in names.booleans]
    mine = [number.setdefault(symbol.name, len(number)) if not symbol.is_attribute else -1 for symbol in policy.types]
    expanded = [
        sets.number(bit_set(mine[bit] for bit in bits(symbol.members)) if symbol.is_attribute else 1 << own)
        for own, symbol in zip(mine, policy.types, strict=True)
    ]
    found: Grants = defaultdict(set)

    def add(rule: LinkedAvRule | LinkedTypeRule, condition: tuple[Hashable, ...]) -> None:
        if isinstance(rule, LinkedAvRule):
            whats = names.permissions(rule.security_class, rule.permissions)
        else:
            whats = [names.types[rule.result]]
        block = (expanded[rule.source], expanded[rule.target])
        for what in whats:
            found[rule.kind.name.lower(), names.classes[rule.security_class], what, condition].add(block)

    for rule in (*policy.rules, *policy.type_rules):
        add(rule, ())
    for conditional in policy.conditionals:
        condition, is_negated = _condition(conditional.expression, booleans)
        for branch, rules in ((not is_negated, conditional.then), (is_negated, conditional.otherwise)):
            for rule in rules:
                add(rule, (condition, branch))
    return found


def _condition(expression: LinkedExpression, booleans: Sequence[int]) -> tuple[object, bool]:
    """What all spellings of a condition have in common, and whether this one is its negation."""
    return meaning(
        tuple(
            (int(term), 0) if isinstance(term, BooleanOperator) else (CONDITION_BOOLEAN, booleans[term])
            for term in expression
        )
    )
