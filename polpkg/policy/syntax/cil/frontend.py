"""All CIL fragments of a package in, statements of the IR out."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from polpkg.policy.ir.statements import (
    AttributeDeclaration,
    BooleanDeclaration,
    CategoryDeclaration,
    RoleDeclaration,
    SensitivityDeclaration,
    TypeAliasDeclaration,
    TypeDeclaration,
    UserDeclaration,
)
from polpkg.policy.syntax.cil.build import build
from polpkg.policy.syntax.cil.definitions import Definitions
from polpkg.policy.syntax.cil.flatten import Flattener
from polpkg.policy.syntax.cil.optionals import kept_groups
from polpkg.policy.syntax.cil.problem import CilProblem
from polpkg.policy.syntax.cil.reader import read_forms

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from polpkg.diagnostics import Diagnostic, Source
    from polpkg.policy.ir.statements import Statement
    from polpkg.policy.syntax.cil.arguments import Reference
    from polpkg.policy.syntax.cil.reader import Form


@dataclass(frozen=True, slots=True)
class CilContext:
    """What the meaning of CIL depends on besides its text.

    `classes`: the classes of the hypervisor with their permissions, and `sids` its initial SIDs in their order.
    `declared`: what other fragments and packages declare, as pairs of a kind (`type`, `role`, `user`, `boolean`) and a
    name; optionals ask for it.
    """

    classes: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    sids: tuple[str, ...] = ()
    declared: frozenset[tuple[str, str]] = frozenset()
    mls: bool = False


def read_cil(sources: Sequence[Source], context: CilContext) -> tuple[tuple[Statement, ...], tuple[Diagnostic, ...]]:
    """The statements of all `sources` together, and what is wrong with them."""
    forms: list[Form] = []
    problems: list[Diagnostic] = []
    for source in sources:
        read, wrong = read_forms(source)
        forms += read
        problems += wrong
    if problems:
        return (), tuple(problems)
    flat = Flattener(forms)
    groups = kept_groups(flat.groups, _Known(flat, context).knows)
    items = [item for group in groups for item in group.items]
    try:
        definitions = Definitions(items, context.classes)
    except CilProblem as problem:
        return (), (*flat.problems, problem.diagnostic())
    statements, found = build(items, definitions, context.sids, mls=context.mls)
    return statements, (*flat.problems, *found)


def declared_names(statements: Iterable[Statement]) -> Iterator[tuple[str, str]]:
    """What `statements` declare, as `CilContext.declared` wants it."""
    for statement in statements:
        match statement:
            case TypeDeclaration(_, name, aliases):
                yield from (("type", known) for known in (name, *aliases))
            case TypeAliasDeclaration(_, _, aliases):
                yield from (("type", known) for known in aliases)
            case AttributeDeclaration(_, name):
                yield "type", name
            case RoleDeclaration(_, name):
                yield "role", name
            case UserDeclaration(_, name):
                yield "user", name
            case BooleanDeclaration(_, name):
                yield "boolean", name
            case SensitivityDeclaration(_, name, aliases):
                yield from (("sensitivity", known) for known in (name, *aliases))
            case CategoryDeclaration(_, name, aliases):
                yield from (("category", known) for known in (name, *aliases))
            case _:
                pass


class _Known:
    """What is declared outside the CIL fragments, and the permissions that exist in them."""

    def __init__(self, flat: Flattener, context: CilContext) -> None:
        self._context = context
        every = (item for group in flat.groups for item in group.items)
        items = [item for item in every if item.keyword in ("class", "classcommon", "classmap", "common")]
        self._tables = Definitions(items, context.classes)
        maps = {i.values[0]: set(i.values[1].names) for i in items if i.keyword == "classmap"}
        self._permissions = {**{name: set(known) for name, known in self._tables.classes.items()}, **maps}

    def knows(self, reference: Reference) -> bool:
        """Whether a name is known although no CIL fragment declares it."""
        kind, name = reference
        if kind.startswith("permission of "):
            return name in self._permissions.get(kind.removeprefix("permission of "), ())
        if kind == "class":
            return name in self._permissions
        if kind == "sid":
            return name in self._context.sids
        return (kind, name) in self._context.declared or reference == ("role", "object_r")
