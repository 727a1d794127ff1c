"""Which access vector rules count, for given values of the booleans."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING

from polpkg.policy.analysis.view import TracedRule, render_condition
from polpkg.policy.ir.linked import LinkedAvRule
from polpkg.policy.ir.statements import AvKind, BooleanOperator

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from polpkg.policy.ir.linked import LinkedExpression, LinkedPolicy

_MOST_TRIED = 12
"""A condition with more booleans than this whose values are free is taken to be possible."""


def rules_in_force(policy: LinkedPolicy, booleans: Mapping[str, bool], *, possible: bool) -> tuple[TracedRule, ...]:
    """The allow rules that hold when `booleans` have these values, with their conditions and origins.

    Other booleans have their defaults, or with `possible` whatever value makes a rule hold.
    """
    values = {n: booleans[b.name] for n, b in enumerate(policy.booleans) if b.name in booleans}
    if not possible:
        values = {n: b.default for n, b in enumerate(policy.booleans)} | values
    rules = [_traced(rule, "") for rule in policy.rules if rule.kind is AvKind.ALLOW]
    for conditional in policy.conditionals:
        text = render_condition(policy, conditional.expression)
        for wanted, branch in ((True, conditional.then), (False, conditional.otherwise)):
            if branch and _may_be(conditional.expression, wanted, values):
                shown = text if wanted else f"!({text})" if " " in text else f"!{text}"
                allowed = (r for r in branch if isinstance(r, LinkedAvRule) and r.kind is AvKind.ALLOW)
                rules += (_traced(rule, shown) for rule in allowed)
    return tuple(rules)


def _traced(rule: LinkedAvRule, condition: str) -> TracedRule:
    origin = rule.place.origin() if rule.place else None
    return TracedRule(rule.kind, rule.source, rule.target, rule.security_class, rule.permissions, condition, origin)


def _may_be(expression: LinkedExpression, wanted: bool, values: Mapping[int, bool]) -> bool:  # noqa: FBT001
    """Whether some choice of the booleans that `values` leaves open makes the expression `wanted`."""
    free = sorted({word for word in expression if not isinstance(word, BooleanOperator)} - values.keys())
    if len(free) > _MOST_TRIED:
        return True
    return any(
        evaluate(expression, {**values, **dict(zip(free, chosen, strict=True))}) is wanted for chosen in _choices(free)
    )


def _choices(free: list[int]) -> Iterator[tuple[bool, ...]]:
    return product((False, True), repeat=len(free))


def evaluate(expression: LinkedExpression, values: Mapping[int, bool]) -> bool:
    """The value of a conditional expression; `values` has every boolean in it, by number."""
    stack: list[bool] = []
    for word in expression:
        if not isinstance(word, BooleanOperator):
            stack.append(values[word])
        elif word is BooleanOperator.NOT:
            stack.append(not stack.pop())
        else:
            right, left = stack.pop(), stack.pop()
            stack.append(_apply(word, left=left, right=right))
    return stack.pop()


def _apply(operator: BooleanOperator, *, left: bool, right: bool) -> bool:
    match operator:
        case BooleanOperator.OR:
            return left or right
        case BooleanOperator.AND:
            return left and right
        case BooleanOperator.EQ:
            return left is right
        case _:  # XOR and NEQ
            return left is not right
