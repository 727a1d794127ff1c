"""Turning expressions in postfix order into text, for any notation."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, TypeVar

from polpkg.policy.ir.statements import BooleanOperator, ConstraintConnective

if TYPE_CHECKING:
    from polpkg.policy.ir.linked import LinkedTerm

Term = TypeVar("Term")


def fold(expression: Iterable[Term], arity: Callable[[Term], int], write: Callable[[Term, Sequence[str]], str]) -> str:
    """The text of an expression in postfix order.

    `arity` says how many operands a term takes; `write` writes a term, given the texts of its operands.
    """
    stack: list[str] = []
    for term in expression:
        first = len(stack) - arity(term)
        stack[first:] = [write(term, stack[first:])]
    return stack[0]


def boolean_arity(term: int | BooleanOperator) -> int:
    """How many operands a term of a conditional expression takes."""
    if not isinstance(term, BooleanOperator):
        return 0
    return 1 if term is BooleanOperator.NOT else 2


def constraint_arity(term: LinkedTerm | ConstraintConnective) -> int:
    """How many operands a term of a constraint takes."""
    if not isinstance(term, ConstraintConnective):
        return 0
    return 1 if term is ConstraintConnective.NOT else 2
