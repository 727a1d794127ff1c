"""Turning expressions in postfix order into text, for any notation."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, TypeVar

from polpkg.policy.ir.linked import LinkedTerm
from polpkg.policy.ir.statements import BooleanOperator, ConstraintConnective, ConstraintOperator

if TYPE_CHECKING:
    from polpkg.policy.ir.linked import LinkedPolicy

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


def without_empty_sets(
    policy: LinkedPolicy, expression: Iterable[LinkedTerm | ConstraintConnective]
) -> Iterator[LinkedTerm | ConstraintConnective]:
    """A constraint in which nothing is compared with an empty set, which no language has words for.

    Such a set is left of a role attribute without roles.  `r1 == {}` is never true, as is `r1 == r and r1 != r`.
    """
    for term in expression:
        if isinstance(term, ConstraintConnective) or term.right or term.names or term.written:
            yield term
            continue
        symbols = {"u": policy.users, "r": policy.roles, "t": policy.types}[term.left[0]]
        known = term._replace(names=1 << len(symbols) - 1, written=(len(symbols) - 1,) if term.left[0] == "t" else ())
        yield known._replace(operator=ConstraintOperator.EQ)
        yield known._replace(operator=ConstraintOperator.NEQ)
        yield ConstraintConnective.AND if term.operator is ConstraintOperator.EQ else ConstraintConnective.OR
