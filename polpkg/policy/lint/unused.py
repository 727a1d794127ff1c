"""Types and attributes that nothing is about."""

from __future__ import annotations

from typing import TYPE_CHECKING

from polpkg.policy.ir.statements import AttributeDeclaration, RoleDeclaration, TypeDeclaration
from polpkg.policy.lint.table import finding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from polpkg.diagnostics import Diagnostic
    from polpkg.policy.lint.subject import Subject


def unused_types(subject: Subject) -> Iterator[Diagnostic]:
    """Types that no statement names, nor any attribute that they have."""
    policy = subject.policy
    wanted = [symbol for symbol in policy.types if symbol.is_attribute and symbol.name in subject.used_names]
    for statement in subject.module.statements:
        if isinstance(statement, TypeDeclaration):
            names = (statement.name, *statement.aliases)
            number = policy.number_of_type(statement.name)
            if subject.used_names.isdisjoint(names) and not any(a.members >> number & 1 for a in wanted):
                message = f"no rule, context or assertion is about type `{statement.name}`"
                yield finding("unused-type", statement.place, message, "remove it, or give it a rule")


def unused_attributes(subject: Subject) -> Iterator[Diagnostic]:
    """Attributes that no statement names, but for those that say which types have them."""
    in_roles = {
        name
        for module in subject.modules
        for statement in module.statements
        if isinstance(statement, RoleDeclaration)
        for name in (*statement.types.names, *statement.types.excluded)
    }
    for statement in subject.module.statements:
        if isinstance(statement, AttributeDeclaration) and statement.name not in subject.used_names | in_roles:
            message = f"no rule, constraint or assertion is about attribute `{statement.name}`"
            yield finding("unused-attribute", statement.place, message, "remove it, or say why it is there")
