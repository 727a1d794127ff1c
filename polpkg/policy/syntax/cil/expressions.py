"""Expressions: nested lists to postfix order, without recursion, and the value of set expressions.

Operators come first and take one operand (`not`) or two; a list without an operator is the union of its items
(`cil_gen_expr` and `cil_verify_expr_syntax` of libsepol).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import Enum
from typing import NamedTuple, TypeAlias, TypeVar

from polpkg.policy.ir.statements import BooleanOperator, ConstraintConnective, SetOperator
from polpkg.policy.syntax.cil.problem import CilProblem
from polpkg.policy.syntax.cil.reader import Form, Node

_Leaf = TypeVar("_Leaf")
_Operator = TypeVar("_Operator", bound=Enum)


class Everything(Enum):
    """`(all)`"""

    ALL = "all"


class Span(NamedTuple):
    """`(range c0 c3)`: categories from one to another."""

    first: str
    last: str


SetLeaf: TypeAlias = tuple[str, ...] | Everything | Span
SetExpression: TypeAlias = tuple[SetLeaf | SetOperator, ...]
"""A set of names in postfix order; a tuple of names is their union."""

SET_OPERATORS = {
    "and": SetOperator.AND,
    "or": SetOperator.OR,
    "xor": SetOperator.XOR,
    "not": SetOperator.NOT,
}
CONDITION_OPERATORS = {
    "and": BooleanOperator.AND,
    "or": BooleanOperator.OR,
    "xor": BooleanOperator.XOR,
    "not": BooleanOperator.NOT,
    "eq": BooleanOperator.EQ,
    "neq": BooleanOperator.NEQ,
}
CONNECTIVES = {
    "and": ConstraintConnective.AND,
    "or": ConstraintConnective.OR,
    "not": ConstraintConnective.NOT,
}
RESERVED = frozenset(("and", "or", "xor", "not", "all", "range", "eq", "neq", "self", "notself", "other", "*"))
"""Words with a meaning in expressions, which no name may be."""


def to_postfix(
    node: Node,
    form: Form,
    index: int,
    operators: Mapping[str, _Operator],
    leaf: Callable[[Node, Form, int], _Leaf],
) -> tuple[_Leaf | _Operator, ...]:
    """`node`, which is item `index` of `form`, in postfix order.

    What is no operator goes through `leaf`.  Raises CilProblem for a wrong number of operands.
    """
    found: list[_Leaf | _Operator] = []
    work: list[tuple[Node, Form, int] | _Operator] = [(node, form, index)]
    while work:
        task = work.pop()
        if isinstance(task, Enum):
            found.append(task)
            continue
        inner = task[0]
        if isinstance(inner, Form) and (operator := operators.get(inner.keyword)) is not None:
            _check_operands(inner, 1 if inner.keyword == "not" else 2)
            work.append(operator)
            work.extend((inner.items[n], inner, n) for n in range(len(inner.items) - 1, 0, -1))
            continue
        found.append(leaf(*task))
    return tuple(found)


def _check_operands(form: Form, count: int) -> None:
    if len(form.items) != count + 1:
        wanted = "one operand" if count == 1 else "two operands"
        raise CilProblem(form, -1, f"`{form.keyword}` takes {wanted}, and has {len(form.items) - 1}")


def set_expression(
    node: Node, form: Form, index: int, name: Callable[[str, Form, int], str], *, spans: bool = False
) -> SetExpression:
    """A set of names; each goes through `name`.  `spans` allows `range`."""
    found: list[SetLeaf | SetOperator] = []
    work: list[tuple[Node, Form, int] | SetOperator] = [(node, form, index)]
    while work:
        task = work.pop()
        if isinstance(task, SetOperator):
            found.append(task)
            continue
        inner, parent, at = task
        if isinstance(inner, str):
            found.append((name(inner, parent, at),))
        elif (operator := SET_OPERATORS.get(inner.keyword)) is not None:
            _check_operands(inner, 1 if inner.keyword == "not" else 2)
            work.append(operator)
            work.extend((inner.items[n], inner, n) for n in range(len(inner.items) - 1, 0, -1))
        elif spans and inner.keyword == "range" and len(inner.items) == 3:
            first, last = (_word(inner, n) for n in (1, 2))
            found.append(Span(name(first, inner, 1), name(last, inner, 2)))
        elif inner.keyword == "all" and len(inner.items) == 1:
            found.append(Everything.ALL)
        else:
            found.append(_union(inner, name, work))
    return tuple(found)


def _union(
    form: Form, name: Callable[[str, Form, int], str], work: list[tuple[Node, Form, int] | SetOperator]
) -> tuple[str, ...]:
    """The names of a list; the lists in it go to `work`, each to be added."""
    if not form.items:
        raise CilProblem(form, -1, "a set must not be empty")
    names = tuple(name(item, form, n) for n, item in enumerate(form.items) if isinstance(item, str))
    for n, item in enumerate(form.items):
        if isinstance(item, Form):
            work.append(SetOperator.OR)
            work.append((item, form, n))
    return names


def _word(form: Form, index: int) -> str:
    item = form.items[index]
    if not isinstance(item, str):
        raise CilProblem(form, index, "expected a name but found a list")
    return item


def members(
    expression: SetExpression, everything: frozenset[str], of: Callable[[tuple[str, ...] | Span], frozenset[str]]
) -> frozenset[str]:
    """The value of a set expression; `of` gives the members of names and spans."""
    stack: list[frozenset[str]] = []
    for word in expression:
        if isinstance(word, Everything):
            stack.append(everything)
        elif not isinstance(word, SetOperator):
            stack.append(of(word))
        elif word is SetOperator.NOT:
            stack.append(everything - stack.pop())
        else:
            right, left = stack.pop(), stack.pop()
            stack.append(_combine(word, left, right))
    return stack[0]


def _combine(operator: SetOperator, left: frozenset[str], right: frozenset[str]) -> frozenset[str]:
    if operator is SetOperator.AND:
        return left & right
    return left | right if operator is SetOperator.OR else left ^ right
