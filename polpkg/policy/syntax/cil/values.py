"""What the arguments of statements are once they are read: names, and the forms that may stand in their place."""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

from polpkg.policy.ir.statements import BooleanExpression, ConstraintExpression
from polpkg.policy.syntax.cil.expressions import SetExpression


class LevelForm(NamedTuple):
    """`(s0 (c0 c1))`"""

    sensitivity: str
    categories: SetExpression = ()


LevelValue: TypeAlias = str | LevelForm


class RangeForm(NamedTuple):
    """`(LOW HIGH)`"""

    low: LevelValue
    high: LevelValue


RangeValue: TypeAlias = str | RangeForm


class ContextForm(NamedTuple):
    """`(USER ROLE TYPE RANGE)`"""

    user: str
    role: str
    type: str
    range: RangeValue


ContextValue: TypeAlias = str | ContextForm


class PermissionForm(NamedTuple):
    """`(CLASS PERMISSIONS)`; the class may be a class map."""

    security_class: str
    permissions: SetExpression


PermissionValue: TypeAlias = str | PermissionForm


class SpanForm(NamedTuple):
    """`N` or `(N M)`"""

    low: int
    high: int


class Words(NamedTuple):
    """A list of names; `unordered` when it begins with that word."""

    names: tuple[str, ...]
    unordered: bool = False


Value: TypeAlias = (
    str
    | bool
    | SpanForm
    | Words
    | LevelForm
    | RangeForm
    | ContextForm
    | PermissionForm
    | SetExpression
    | BooleanExpression
    | ConstraintExpression
)
"""Any argument."""
