"""The order of sections that a whole policy.conf has (`base_policy` in checkpolicy's `policy_parse.y`).

Fragments of packages need none: the linker sorts.  A policy.conf that is imported is held to it, so that what is taken
here is what checkpolicy takes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from polpkg.diagnostics import Diagnostic
from polpkg.policy.ir.statements import (
    AccessVector,
    CategoryDeclaration,
    ClassDeclaration,
    CommonDeclaration,
    Constraint,
    ConstraintTerm,
    DefaultRule,
    Dominance,
    InitialSidContext,
    InitialSidDeclaration,
    LevelDeclaration,
    NameSet,
    ObjectContext,
    Require,
    SensitivityDeclaration,
    Statement,
    UserDeclaration,
)

if TYPE_CHECKING:
    from polpkg.diagnostics import Place

_SECTIONS = (
    "classes",
    "initial SIDs",
    "commons",
    "access vectors",
    "defaults of new objects",
    "sensitivities",
    "the dominance of sensitivities",
    "categories",
    "levels",
    "constraints on levels",
    "types, roles and rules",
    "users",
    "constraints",
    "contexts of initial SIDs",
    "labels of devices",
)
_LEVEL_CONSTRAINTS = _SECTIONS.index("constraints on levels")
_RULES = _SECTIONS.index("types, roles and rules")
_CONSTRAINTS = _SECTIONS.index("constraints")
_SECTION_OF: dict[type[Statement], int] = {
    ClassDeclaration: 0,
    InitialSidDeclaration: 1,
    CommonDeclaration: 2,
    AccessVector: 3,
    DefaultRule: 4,
    SensitivityDeclaration: 5,
    Dominance: 6,
    CategoryDeclaration: 7,
    LevelDeclaration: 8,
    UserDeclaration: 11,
    InitialSidContext: 13,
    ObjectContext: 14,
}


def find_disorder(statements: Iterable[Statement]) -> tuple[Diagnostic, ...]:
    """What checkpolicy would say about the order of a policy.conf; once for each section that comes too late."""
    return tuple(_disorder(statements))


def _disorder(statements: Iterable[Statement]) -> Iterator[Diagnostic]:
    last, late = 0, set[int]()
    first_sensitivity: Place | None = None
    has_constraint = False
    for statement in statements:
        section = _section(statement)
        place = statement.place
        if isinstance(statement, Require):
            message = "`require` and `module` belong to loadable modules, or into an optional block"
            yield Diagnostic.at(place, "out-of-order", message, hint="leave it out: a policy.conf is whole")
        elif section < last and section not in late:
            late.add(section)
            message = f"in a policy.conf {_SECTIONS[section]} come before {_SECTIONS[last]}"
            yield Diagnostic.at(place, "out-of-order", message, hint=f"move it up, above all {_SECTIONS[section + 1]}")
        last = max(last, section)
        if isinstance(statement, SensitivityDeclaration):
            first_sensitivity = first_sensitivity or place
        elif isinstance(statement, Constraint) and section == _LEVEL_CONSTRAINTS:
            has_constraint = True
            yield from _unknown_users(statement)
    if first_sensitivity and not has_constraint:
        message = "a policy.conf with sensitivities has an `mlsconstrain` or `mlsvalidatetrans` too"
        yield Diagnostic.at(first_sensitivity, "missing-level-constraint", message, hint="checkpolicy insists on one")


def _section(statement: Statement) -> int:
    if isinstance(statement, Constraint):
        return _LEVEL_CONSTRAINTS if statement.keyword.startswith("mls") else _CONSTRAINTS
    return _SECTION_OF.get(type(statement), _RULES)


def _unknown_users(statement: Constraint) -> Iterator[Diagnostic]:
    """Users are declared further down, where checkpolicy cannot know them yet."""
    for term in statement.expression:
        if isinstance(term, ConstraintTerm) and term.left.startswith("u") and isinstance(term.right, NameSet):
            message = (
                f"user `{' '.join(term.right.names)}` is declared below the constraints on levels, which cannot name it"
            )
            yield Diagnostic.at(statement.place, "out-of-order", message, hint="say it with `constrain`")
