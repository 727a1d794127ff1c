"""Pass `constraints`: `constrain`, `mlsconstrain` and the unused `validatetrans`, one for each class."""

from __future__ import annotations

from typing import TYPE_CHECKING

from polpkg.policy.ir.linked import LinkedConstraint, LinkedTerm, bits
from polpkg.policy.ir.statements import Constraint, ConstraintConnective, ConstraintTerm
from polpkg.policy.link.depth import DEEPEST_CONSTRAINT, stack_height

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from polpkg.diagnostics import Place
    from polpkg.policy.ir.module import PolicyModule
    from polpkg.policy.link.binder import Binder


def link_constraints(modules: Iterable[PolicyModule], binder: Binder, *, mls: bool) -> tuple[LinkedConstraint, ...]:
    """Every constraint of every module, in the order of the modules."""
    found: list[LinkedConstraint] = []
    for module in modules:
        for statement in module.others:
            if isinstance(statement, Constraint):
                if statement.keyword.startswith("mls") and not mls:
                    message = f"`{statement.keyword}` needs a policy with MLS"
                    binder.report.error(statement.place, "mls-disabled", message, "link with --mls")
                    continue
                found.extend(_bind_constraint(statement, module, binder))
    return tuple(found)


def _bind_constraint(statement: Constraint, module: PolicyModule, binder: Binder) -> Iterator[LinkedConstraint]:
    place = statement.place
    if statement.keyword.endswith("validatetrans"):
        binder.report.warn(place, "ignored-by-xen", f"`{statement.keyword}` is read by Xen and never used")
    _check_expression(statement, binder)
    expression = tuple(_bind_term(term, module, place, binder) for term in statement.expression)
    for name in statement.classes:
        number = binder.class_number(name, place)
        if number is None:
            continue
        permissions = binder.permission_bits(statement.permissions, name, place)
        if permissions or statement.keyword.endswith("validatetrans"):
            yield LinkedConstraint(statement.keyword, number, permissions, expression, place)


def _check_expression(statement: Constraint, binder: Binder) -> None:
    """Xen evaluates no deeper one, and knows a third context for `validatetrans` only (`constraint_expr_read`)."""
    place = statement.place
    if stack_height(statement.expression, {ConstraintConnective.NOT}) > DEEPEST_CONSTRAINT:
        message = f"this constraint needs more than {DEEPEST_CONSTRAINT} values at once to be evaluated; Xen refuses it"
        binder.report.error(place, "expression-too-deep", message, "nest to the left, or write several constraints")
    third = next((t.left for t in statement.expression if isinstance(t, ConstraintTerm) and t.left[1] == "3"), "")
    if third and not statement.keyword.endswith("validatetrans"):
        binder.report.error(place, "syntax-error", f"`{third}` is for `validatetrans` only")


def _bind_term(
    term: ConstraintTerm | ConstraintConnective, module: PolicyModule, place: Place, binder: Binder
) -> LinkedTerm | ConstraintConnective:
    if not isinstance(term, ConstraintTerm):
        return term
    if isinstance(term.right, str):
        return LinkedTerm(term.left, term.operator, term.right)
    match term.left[0]:
        case "t":
            bound = binder.type_set(term.right, module, place)
            return LinkedTerm(term.left, term.operator, "", bound.types, bound.symbols)
        case "r":
            roles = binder.role_set(term.right.names, module, place)
            return LinkedTerm(term.left, term.operator, "", roles, tuple(bits(roles)))
        case _:
            numbers = [binder.user_number(name, module, place) for name in term.right.names]
    known = sorted({n for n in numbers if n is not None})
    return LinkedTerm(term.left, term.operator, "", sum(1 << n for n in known), tuple(known))
