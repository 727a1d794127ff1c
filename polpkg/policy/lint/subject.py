"""What is linted: one package, in the policy that it was linked into."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple, cast

from polpkg.policy.ir.statements import (
    AttributeDeclaration,
    BooleanDeclaration,
    RoleDeclaration,
    Statement,
    TypeAliasDeclaration,
    TypeAttribute,
    TypeDeclaration,
    UserDeclaration,
)

if TYPE_CHECKING:
    from polpkg.diagnostics import Place, Source
    from polpkg.policy.abi import Abi
    from polpkg.policy.ir.linked import LinkedPolicy
    from polpkg.policy.ir.module import PolicyModule

DECLARATIONS = (TypeDeclaration, TypeAliasDeclaration, TypeAttribute, AttributeDeclaration, RoleDeclaration)
"""Statements that say what there is; they are no use of a type."""


class Release(NamedTuple):
    """The module that the package is on other releases of Xen, with the same tables."""

    versions: tuple[str, ...]
    abi: Abi
    module: PolicyModule


@dataclass(frozen=True)
class Subject:
    """A package to lint.

    `module` is its own, one of `modules`, which make up `policy`.  `fragments` are its sources.  `requirements` are
    those of its manifest, with their places there.  `releases` are the others that it is for.
    """

    module: PolicyModule
    modules: tuple[PolicyModule, ...]
    policy: LinkedPolicy
    fragments: tuple[Source, ...] = ()
    requirements: Mapping[str, Place] = field(default_factory=dict[str, "Place"])
    releases: tuple[Release, ...] = ()

    @cached_property
    def declared_by(self) -> dict[str, str]:
        """The package of every name that is declared."""
        return {name: m.package for m in self.modules for s in m.statements for name in declared_names(s)}

    @cached_property
    def used_names(self) -> frozenset[str]:
        """Every name that any package uses in a statement that is no declaration."""
        return frozenset(
            word
            for module in self.modules
            for statement in module.statements
            if not isinstance(statement, DECLARATIONS)
            for word in words_of(statement)
        )


def declared_names(statement: Statement) -> tuple[str, ...]:
    """The names that a statement declares."""
    match statement:
        case TypeDeclaration(_, name, aliases) | TypeAliasDeclaration(_, name, aliases):
            return (name, *aliases) if isinstance(statement, TypeDeclaration) else aliases
        case AttributeDeclaration(_, name) | BooleanDeclaration(_, name) | UserDeclaration(_, name):
            return (name,)
        case RoleDeclaration(_, name):
            return (name,)
        case _:
            return ()


def words_of(value: object) -> Iterator[str]:
    """Every word of a statement, at whatever depth."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, tuple):
        for part in cast("Iterable[object]", value):
            if not _is_place(part):
                yield from words_of(part)


def _is_place(value: object) -> bool:
    return hasattr(value, "frame")


def written_at(place: Place, package: str) -> bool:
    """Whether a statement stands in a fragment of `package`, outside of any macro."""
    return not place.frame.macro and place.source.package == package
