"""A policy to ask questions of, whoever made it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from polpkg.policy.ir.linked import LinkedAvRule
from polpkg.policy.ir.quick import new_tuple
from polpkg.policy.ir.statements import AvKind, BooleanOperator, TypeRuleKind

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from polpkg.diagnostics import Origin, Place
    from polpkg.policy.ir.linked import LinkedExpression, LinkedPolicy, LinkedTypeRule


class TracedRule(NamedTuple):
    """An access vector rule with its condition ("" when it has none) and its origin (None when that is not known).

    Numbers are those of the policy it belongs to.  A rule of an `else` branch has the negated condition.
    """

    kind: AvKind
    source: int
    target: int
    security_class: int
    permissions: int
    condition: str = ""
    origin: Origin | None = None


class TracedTypeRule(NamedTuple):
    """A type rule, likewise."""

    kind: TypeRuleKind
    source: int
    target: int
    security_class: int
    result: int
    condition: str = ""
    origin: Origin | None = None


@dataclass(frozen=True, slots=True)
class PolicyView:
    """A policy and its rules with all that is known of them."""

    policy: LinkedPolicy
    rules: tuple[TracedRule, ...]
    type_rules: tuple[TracedTypeRule, ...]


def view_of(policy: LinkedPolicy) -> PolicyView:
    """The view of a policy with whatever places its rules have."""
    rules: list[TracedRule] = []
    type_rules: list[TracedTypeRule] = []
    origins: dict[Place | None, Origin | None] = {None: None}
    for condition, rule in _all_rules(policy):
        place = rule.place
        if place not in origins:
            origins[place] = place.origin() if place else None
        fields = (*rule[:5], condition, origins[place])
        if isinstance(rule, LinkedAvRule):
            rules.append(new_tuple(TracedRule, fields))
        else:
            type_rules.append(new_tuple(TracedTypeRule, fields))
    return PolicyView(policy, tuple(rules), tuple(type_rules))


def _all_rules(policy: LinkedPolicy) -> Iterator[tuple[str, LinkedAvRule | LinkedTypeRule]]:
    unconditional: Iterable[LinkedAvRule | LinkedTypeRule] = (*policy.rules, *policy.type_rules)
    for rule in unconditional:
        yield "", rule
    for conditional in policy.conditionals:
        text = render_condition(policy, conditional.expression)
        for rule in conditional.then:
            yield text, rule
        for rule in conditional.otherwise:
            yield f"!({text})" if " " in text else f"!{text}", rule


_SIGNS = {
    BooleanOperator.OR: "||",
    BooleanOperator.AND: "&&",
    BooleanOperator.XOR: "^",
    BooleanOperator.EQ: "==",
    BooleanOperator.NEQ: "!=",
}


def render_condition(policy: LinkedPolicy, expression: LinkedExpression) -> str:
    """A conditional expression as a person writes it, fully parenthesised inside."""
    stack: list[str] = []
    for word in expression:
        if not isinstance(word, BooleanOperator):
            stack.append(policy.booleans[word].name)
        elif word is BooleanOperator.NOT:
            stack.append("!" + _wrap(stack.pop()))
        else:
            right = _wrap(stack.pop())
            stack.append(f"{_wrap(stack.pop())} {_SIGNS[word]} {right}")
    return stack.pop()


def _wrap(text: str) -> str:
    return f"({text})" if " " in text else text
