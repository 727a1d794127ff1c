"""Conditions as libsepol must be given them, which both compilers are made of.

It compares conditions over the same booleans by truth tables that have the booleans in the order in which each
condition names them (`cond_expr_equal` and `cond_normalize_expr` in `conditional.c`, still so in 3.4).  So it takes
`a && !b` and `b && !a` for one condition, and what is allowed under the second would be allowed under the first.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING

from polpkg.policy.ir.statements import BooleanOperator
from polpkg.policy.policydb.conditions import MAX_TABLE_BOOLEANS, normalise, truth_table
from polpkg.policy.policydb.layout import CONDITION_BOOLEAN

if TYPE_CHECKING:
    from polpkg.policy.ir.linked import LinkedConditional, LinkedExpression


def told_apart(conditionals: Sequence[LinkedConditional]) -> tuple[LinkedConditional, ...]:
    """`conditionals`, those that libsepol would take for others spelt so that they name their booleans in order."""
    confused = _confused(conditionals)
    if not confused:
        return tuple(conditionals)
    return tuple(
        item._replace(expression=_in_order(item.expression))
        if frozenset(_named(item.expression)) in confused and not _is_in_order(item.expression)
        else item
        for item in conditionals
    )


def _confused(conditionals: Sequence[LinkedConditional]) -> set[frozenset[int]]:
    """The sets of booleans over which two conditions differ that libsepol takes for the same."""
    meanings: defaultdict[object, set[tuple[bool, ...]]] = defaultdict(set)
    confused: set[frozenset[int]] = set()
    for item in conditionals:
        named = _named(item.expression)
        if not 1 < len(named) <= MAX_TABLE_BOOLEANS:
            continue
        condition, _ = normalise(
            tuple((int(w), 0) if isinstance(w, BooleanOperator) else (CONDITION_BOOLEAN, w) for w in item.expression)
        )
        known = meanings[frozenset(named), truth_table(condition, named)]
        known.add(truth_table(condition, sorted(named)))
        if len(known) > 1:
            confused.add(frozenset(named))
    return confused


def _named(expression: LinkedExpression) -> tuple[int, ...]:
    """The booleans of an expression, each where it is named first."""
    return tuple(dict.fromkeys(word for word in expression if not isinstance(word, BooleanOperator)))


def _is_in_order(expression: LinkedExpression) -> bool:
    named = _named(expression)
    return named == tuple(sorted(named))


def _in_order(expression: LinkedExpression) -> LinkedExpression:
    """The same below something that is always true and names the booleans in order: `a == a && b == b && ...`"""
    words: list[int | BooleanOperator] = []
    for boolean in sorted(_named(expression)):
        words += (boolean, boolean, BooleanOperator.EQ, *((BooleanOperator.AND,) if words else ()))
    return (*words, *expression, BooleanOperator.AND)
