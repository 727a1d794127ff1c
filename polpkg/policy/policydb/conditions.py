"""Conditions over booleans: their value, and one form for those that mean the same.

In the form of a policydb: pairs of an operator and a boolean (from 1) in postfix order.  libsepol takes conditions for
the same when their truth tables are (`cond_expr_equal` in `conditional.c`, up to five booleans), and turns a condition
that is negated as a whole around, exchanging its branches (`cond_normalize_expr`).

Its tables have the booleans in the order in which each condition names them.  So it takes `a && !b` and `b && !a` for
the same, which they are not, and `a && !b` and `!b && a` for different.
"""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, TypeAlias

from polpkg.policy.ir.statements import BooleanOperator
from polpkg.policy.policydb.layout import CONDITION_BOOLEAN

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Condition: TypeAlias = tuple[tuple[int, int], ...]

MAX_TABLE_BOOLEANS = 5
"""Up to this many booleans a condition is known by its truth table."""

MAX_COMPARED_BOOLEANS = 12
"""Up to this many booleans `meaning` looks at every world."""

_NOT = (int(BooleanOperator.NOT), 0)


def normalise(condition: Condition) -> tuple[Condition, bool]:
    """The condition without what negates it as a whole, and whether the branches have to be exchanged."""
    result, is_swapped = condition, False
    while result[-1] == _NOT:
        result, is_swapped = result[:-1], not is_swapped
    return result, is_swapped


def identity(condition: Condition) -> object:
    """A value that is equal for conditions that libsepol takes for the same and that are."""
    named = tuple(dict.fromkeys(boolean for kind, boolean in condition if kind == CONDITION_BOOLEAN))
    if len(named) > MAX_TABLE_BOOLEANS:
        return condition
    booleans = tuple(sorted(named))
    return booleans, truth_table(condition, booleans), truth_table(condition, named)


def truth_table(condition: Condition, booleans: Sequence[int]) -> tuple[bool, ...]:
    """The values of a condition in all worlds, the last of its `booleans` changing fastest."""
    worlds = product((False, True), repeat=len(booleans))
    return tuple(evaluate(condition, dict(zip(booleans, world, strict=True))) for world in worlds)


def meaning(condition: Condition) -> tuple[object, bool]:
    """A value that is equal for all spellings of a condition and of its negation, and which of the two it is.

    Booleans that make no difference are left out.  Conditions over more than `MAX_COMPARED_BOOLEANS` are compared by
    their words.
    """
    booleans = sorted({boolean for kind, boolean in condition if kind == CONDITION_BOOLEAN})
    if len(booleans) > MAX_COMPARED_BOOLEANS:
        return normalise(condition)
    table = truth_table(condition, booleans)
    for position in range(len(booleans) - 1, -1, -1):
        off, on = _halves(table, len(table) >> (position + 1))
        if off == on:
            table = off
            del booleans[position]
    is_negated = table[0]
    return (tuple(booleans), tuple(value != is_negated for value in table)), is_negated


def _halves(table: tuple[bool, ...], step: int) -> tuple[tuple[bool, ...], tuple[bool, ...]]:
    """The values while one boolean is off and while it is on; `step` worlds lie between the two."""
    off = tuple(value for number, value in enumerate(table) if not number & step)
    return off, tuple(value for number, value in enumerate(table) if number & step)


def evaluate(condition: Condition, values: Mapping[int, bool]) -> bool:
    """The value of a condition when the booleans have `values`."""
    stack: list[bool] = []
    for kind, boolean in condition:
        if kind == CONDITION_BOOLEAN:
            stack.append(values[boolean])
        elif kind == BooleanOperator.NOT:
            stack.append(not stack.pop())
        else:
            stack.append(_apply(kind, stack.pop(), stack.pop()))
    return stack[0]


def _apply(operator: int, right: bool, left: bool) -> bool:  # noqa: FBT001 - the operands of an operator
    match operator:
        case BooleanOperator.AND:
            return left and right
        case BooleanOperator.OR:
            return left or right
        case BooleanOperator.EQ:
            return left == right
        case _:
            return left != right
