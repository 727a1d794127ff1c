"""Which names a statement declares, and which it uses: what the scopes of optional blocks are about.

Classes, permissions and levels are left out: no block can declare them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from polpkg.policy.ir.statements import (
    AttributeDeclaration,
    AvRule,
    BooleanDeclaration,
    Conditional,
    ExpandAttribute,
    NamedTransition,
    Permissive,
    RangeTransition,
    RoleAllow,
    RoleAttribute,
    RoleAttributeDeclaration,
    RoleDeclaration,
    RoleTransition,
    TypeAliasDeclaration,
    TypeAttribute,
    TypeBounds,
    TypeDeclaration,
    TypeRule,
    UserDeclaration,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from polpkg.policy.ir.statements import NameSet, Statement

Name: TypeAlias = tuple[str, str]
"""A kind (`type`, `role`, `user` or `boolean`; attributes are types and roles) and a name."""


def declarations(statement: Statement) -> Iterator[Name]:
    """What `statement` declares."""
    match statement:
        case TypeDeclaration(_, name, aliases):
            yield from _named("type", (name, *aliases))
        case TypeAliasDeclaration(_, _, aliases):
            yield from _named("type", aliases)
        case AttributeDeclaration(_, name):
            yield "type", name
        case RoleDeclaration(_, name, types) if not types.names and not types.excluded:
            yield "role", name
        case RoleAttributeDeclaration(_, name):
            yield "role", name
        case UserDeclaration(_, name):
            yield "user", name
        case BooleanDeclaration(_, name):
            yield "boolean", name
        case _:
            pass


def references(statement: Statement) -> Iterator[Name]:
    """What `statement` uses."""
    match statement:
        case AvRule(_, _, source, target):
            yield from _in_sets("type", source, target)
        case TypeRule(_, _, source, target, _, result) | NamedTransition(_, source, target, _, result):
            yield from _in_sets("type", source, target)
            yield "type", result
        case RangeTransition(_, source, target):
            yield from _in_sets("type", source, target)
        case Conditional(_, expression, then, otherwise):
            yield from _named("boolean", (word for word in expression if isinstance(word, str)))
            for rule in (*then, *otherwise):
                yield from references(rule)
        case TypeDeclaration(_, _, _, names) | ExpandAttribute(_, names):
            yield from _named("type", names)
        case TypeAttribute(_, name, names) | TypeBounds(_, name, names):
            yield from _named("type", (name, *names))
        case TypeAliasDeclaration(_, name) | Permissive(_, name):
            yield "type", name
        case _:
            yield from _about_roles(statement)


def _about_roles(statement: Statement) -> Iterator[Name]:
    match statement:
        case RoleDeclaration(_, name, types, attributes):
            yield from _named("role", (name, *attributes))
            yield from _in_sets("type", types)
        case RoleAttribute(_, name, names):
            yield from _named("role", (name, *names))
        case RoleAllow(_, source, target):
            yield from _in_sets("role", source, target)
        case RoleTransition(_, source, target, _, result):
            yield from _in_sets("role", source)
            yield from _in_sets("type", target)
            yield "role", result
        case UserDeclaration(_, _, roles):
            yield from _in_sets("role", roles)
        case _:
            pass


def _named(kind: str, names: Iterable[str]) -> Iterator[Name]:
    return ((kind, name) for name in names)


def _in_sets(kind: str, *sets: NameSet) -> Iterator[Name]:
    return ((kind, name) for names in sets for name in (*names.names, *names.excluded) if name not in _EVERYWHERE)


_EVERYWHERE = frozenset(("self", "object_r"))
