"""Pass `roles`: role attributes get their members, roles their types and the roles that they dominate."""

from __future__ import annotations

from typing import TYPE_CHECKING

from polpkg.policy.ir.linked import RoleSymbol, bits
from polpkg.policy.ir.statements import NameSet, RoleAttribute, RoleDeclaration, RoleDominance

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from polpkg.diagnostics import Place
    from polpkg.policy.ir.module import PolicyModule
    from polpkg.policy.link.binder import Binder
    from polpkg.policy.link.symbols import SymbolTable


def assign_role_attributes(modules: Iterable[PolicyModule], binder: Binder) -> None:
    """Fills `Binder.role_members`; an attribute may be put into another, and gives it its roles."""
    nested: list[tuple[str, str]] = []
    for module in modules:
        for statement in module.others:
            match statement:
                case RoleDeclaration(place, name, _, attributes) | RoleAttribute(place, name, attributes):
                    for attribute in _attributes(attributes, module, place, binder):
                        if name in binder.role_members:
                            nested.append((name, attribute))
                        else:
                            binder.role_members[attribute] |= binder.role_set((name,), module, place)
                case _:
                    pass
    for _ in nested:
        for inner, outer in nested:
            binder.role_members[outer] |= binder.role_members[inner]


def _attributes(names: Iterable[str], module: PolicyModule, place: Place, binder: Binder) -> Iterable[str]:
    for name in names:
        if name in binder.role_members:
            binder.role_set((name,), module, place)
            yield name
        elif binder.role_number(name, module, place) is not None:
            message = f"`{name}` is a role; a role attribute is needed here"
            binder.report.error(place, "not-an-attribute", message, word=name)


def link_roles(modules: Sequence[PolicyModule], table: SymbolTable, binder: Binder) -> tuple[RoleSymbol, ...]:
    """The roles of the linked policy, in the order of their numbers."""
    by_name = _types_by_name(modules, binder)
    types = [by_name.get(name, 0) for name in binder.role_names]
    for attribute, members in binder.role_members.items():
        for role in bits(members):
            types[role] |= by_name.get(attribute, 0)
    dominates = _dominated(modules, types, binder)
    return tuple(
        RoleSymbol(name, types[number], table.roles[name].place if name in table.roles else None, dominates[number])
        for number, name in enumerate(binder.role_names)
    )


def _types_by_name(modules: Iterable[PolicyModule], binder: Binder) -> dict[str, int]:
    """The types that the statements about a role, or role attribute, give it.

    A type that one statement excludes is kept from the role whatever others say (`define_role_types` of checkpolicy
    adds up what is included and what is excluded).
    """
    types: dict[str, int] = {}
    excluded: dict[str, int] = {}
    for module in modules:
        for statement in module.others:
            match statement:
                case RoleDeclaration(place, name, names) if names.names or names.excluded or names.star:
                    if names.star or names.complement:
                        binder.report.error(place, "syntax-error", "`*` and `~` are not allowed in the types of a role")
                        continue
                    binder.role_set((name,), module, place)
                    included = binder.type_set(NameSet(names.names), module, place, only_types=True)
                    without = binder.type_set(NameSet(names.excluded), module, place, only_types=True)
                    types[name] = types.get(name, 0) | included.types
                    excluded[name] = excluded.get(name, 0) | without.types
                case _:
                    pass
    return {name: found & ~excluded[name] for name, found in types.items()}


def _dominated(modules: Iterable[PolicyModule], types: list[int], binder: Binder) -> list[int]:
    """For each role those that it dominates besides itself; it gets their types (`define_role_dom` of checkpolicy)."""
    found = [0] * len(types)
    for module in modules:
        for statement in module.others:
            if not isinstance(statement, RoleDominance):
                continue
            binder.report.warn(statement.place, "old-syntax", "role dominance is old; use role attributes instead")
            for name, below in statement.pairs:
                above = binder.regular_role(name, module, statement.place)
                lower = binder.regular_role(below, module, statement.place)
                if above is not None and lower is not None:
                    types[above] |= types[lower]
                    found[above] |= 1 << lower | found[lower]
    return [dominated & ~(1 << number) for number, dominated in enumerate(found)]
