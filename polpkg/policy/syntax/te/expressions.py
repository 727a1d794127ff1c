"""Boolean and constraint expressions, brought into postfix order.

Precedence is checkpolicy's (`policy_parse.y`): of booleans `== !=` bind most tightly, then `!`, `&&`, `^`, `||`; of
constraints `not`, `and`, `or`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from polpkg.policy.ir.statements import (
    BooleanExpression,
    BooleanOperator,
    ConstraintConnective,
    ConstraintExpression,
    ConstraintOperator,
    ConstraintTerm,
    NameSet,
)
from polpkg.policy.syntax.te.cursor import SyntaxProblem

if TYPE_CHECKING:
    from polpkg.policy.syntax.te.cursor import Cursor

_DEEPEST = 64
"""Nesting of parentheses; libsepol allows ten levels of evaluation, so this refuses nothing that could be used."""

_BINARY = {
    "or": (1, BooleanOperator.OR),
    "||": (1, BooleanOperator.OR),
    "xor": (2, BooleanOperator.XOR),
    "^": (2, BooleanOperator.XOR),
    "and": (3, BooleanOperator.AND),
    "&&": (3, BooleanOperator.AND),
    "==": (5, BooleanOperator.EQ),
    "eq": (5, BooleanOperator.EQ),
    "!=": (5, BooleanOperator.NEQ),
}
_NOT_BINDS = 4


def read_boolean_expression(cursor: Cursor) -> BooleanExpression:
    """The condition of an `if`, with its parentheses."""
    output: list[str | BooleanOperator] = []
    _boolean(cursor, output, 0, 0)
    return tuple(output)


def _boolean(cursor: Cursor, output: list[str | BooleanOperator], binds: int, depth: int) -> None:
    """Reads operators that bind more tightly than `binds` (precedence climbing; all are left-associative)."""
    if depth > _DEEPEST:
        raise SyntaxProblem(cursor.at, f"an expression may not be nested more than {_DEEPEST} deep")
    word = _operator_word(cursor.word)
    if word in ("!", "not"):
        cursor.at += 1
        _boolean(cursor, output, _NOT_BINDS, depth + 1)
        output.append(BooleanOperator.NOT)
    elif cursor.accept("("):
        _boolean(cursor, output, 0, depth + 1)
        cursor.expect(")")
    else:
        output.append(cursor.read_name("a boolean, `!` or `(`"))
    while (found := _BINARY.get(_operator_word(cursor.word))) and found[0] > binds:
        cursor.at += 1
        _boolean(cursor, output, found[0], depth + 1)
        output.append(found[1])


def _operator_word(word: str) -> str:
    return word.lower() if word.isupper() else word


_CONNECTIVES = {
    "or": (1, ConstraintConnective.OR),
    "||": (1, ConstraintConnective.OR),
    "and": (2, ConstraintConnective.AND),
    "&&": (2, ConstraintConnective.AND),
}
_COMPARISONS = {
    "==": ConstraintOperator.EQ,
    "eq": ConstraintOperator.EQ,
    "!=": ConstraintOperator.NEQ,
    "dom": ConstraintOperator.DOM,
    "domby": ConstraintOperator.DOMBY,
    "incomp": ConstraintOperator.INCOMP,
}
_PAIRS = {
    "u1": ("u2",),
    "r1": ("r2",),
    "t1": ("t2",),
    "l1": ("l2", "h2", "h1"),
    "h1": ("l2", "h2"),
    "l2": ("h2",),
}
_NAMED = frozenset(("u1", "u2", "u3", "r1", "r2", "r3", "t1", "t2", "t3"))


def read_constraint_expression(cursor: Cursor) -> ConstraintExpression:
    """The expression of a constraint."""
    output: list[ConstraintTerm | ConstraintConnective] = []
    _constraint(cursor, output, 0, 0)
    return tuple(output)


def _constraint(cursor: Cursor, output: list[ConstraintTerm | ConstraintConnective], binds: int, depth: int) -> None:
    if depth > _DEEPEST:
        raise SyntaxProblem(cursor.at, f"an expression may not be nested more than {_DEEPEST} deep")
    word = _operator_word(cursor.word)
    if word in ("!", "not"):
        cursor.at += 1
        _constraint(cursor, output, 3, depth + 1)
        output.append(ConstraintConnective.NOT)
    elif cursor.accept("("):
        _constraint(cursor, output, 0, depth + 1)
        cursor.expect(")")
    else:
        output.append(_term(cursor))
    while (found := _CONNECTIVES.get(_operator_word(cursor.word))) and found[0] > binds:
        cursor.at += 1
        _constraint(cursor, output, found[0], depth + 1)
        output.append(found[1])


def _term(cursor: Cursor) -> ConstraintTerm:
    left = _operator_word(cursor.word)
    if left == "sameuser":
        cursor.at += 1
        return ConstraintTerm("u1", ConstraintOperator.EQ, "u2")
    if left in ("source", "target"):
        return _old_style_term(cursor, "1" if left == "source" else "2")
    if left == "role":
        cursor.at += 1
        return ConstraintTerm("r1", _comparison(cursor), "r2")
    if left not in _NAMED and left not in _PAIRS:
        cursor.fail("a comparison (`u1`, `r1`, `t1`, `l1`, ...), `not` or `(`")
    cursor.at += 1
    start = cursor.at
    operator = _comparison(cursor)
    right = _operator_word(cursor.word)
    if right in _PAIRS.get(left, ()):
        cursor.at += 1
        _check_operator(start, left, operator, ordered=left[0] not in "ut")
        return ConstraintTerm(left, operator, right)
    if left not in _NAMED:
        cursor.fail(" or ".join(f"`{word}`" for word in _PAIRS[left]))
    _check_operator(start, left, operator, ordered=False)
    return ConstraintTerm(left, operator, _pushed_names(cursor))


def _old_style_term(cursor: Cursor, side: str) -> ConstraintTerm:
    """`source role { ... }`, `target type { ... }`: spellings that the grammar still knows."""
    cursor.at += 1
    word = _operator_word(cursor.word)
    if word not in ("role", "type"):
        cursor.fail("`role` or `type`")
    cursor.at += 1
    return ConstraintTerm(word[0] + side, ConstraintOperator.EQ, _pushed_names(cursor))


def _comparison(cursor: Cursor) -> ConstraintOperator:
    operator = _COMPARISONS.get(_operator_word(cursor.word))
    if operator is None:
        cursor.fail("a comparison (`==`, `!=`, `dom`, `domby`, `incomp`)")
    cursor.at += 1
    return operator


def _check_operator(index: int, left: str, operator: ConstraintOperator, *, ordered: bool) -> None:
    if operator > ConstraintOperator.NEQ and not ordered:
        raise SyntaxProblem(index, f"`{left}` can be compared by `==` and `!=` only")


def _pushed_names(cursor: Cursor) -> NameSet:
    """A set in a constraint, which is a plain list (`names_push` of the grammar, `set_types` without `*` and `~`)."""
    if cursor.word in ("*", "~"):
        raise SyntaxProblem(cursor.at, "`*` and `~` are not allowed in a constraint")
    if cursor.word == "{":
        return NameSet(cursor.read_name_block())
    return NameSet((cursor.read_name("a name or `{`"),))
