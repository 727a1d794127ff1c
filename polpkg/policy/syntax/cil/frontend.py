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
from polpkg.policy.syntax.cil.flatten import MOST_PROBLEMS, Flattener
from polpkg.policy.syntax.cil.optionals import kept_groups
from polpkg.policy.syntax.cil.problem import CilProblem
from polpkg.policy.syntax.cil.reader import read_forms

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from polpkg.diagnostics import Diagnostic, Source
    from polpkg.policy.ir.statements import Statement
    from polpkg.policy.syntax.cil.arguments import Reference
    from polpkg.policy.syntax.cil.flatten import Group, Item
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
    known = _Known(flat, context)
    groups = kept_groups(flat.groups, known.knows)
    items = [item for group in groups for item in group.items]
    flat.problems.extend(_undeclared(groups, items, known))
    try:
        definitions = Definitions(items, context.classes)
    except CilProblem as problem:
        return (), (*flat.problems, problem.diagnostic())
    statements, found = build(items, definitions, context.sids, mls=context.mls)
    said = {problem.message for problem in flat.problems}
    return statements, (*flat.problems, *(problem for problem in found if problem.message not in said))


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


_LOCAL_KINDS = {
    "level": "level",
    "range": "levelrange",
    "context": "context",
    "permissions": "classpermission",
    "user": "user",
}
"""Kinds of names that must be declared in the CIL fragments, users also elsewhere, and what declares them."""


def _undeclared(groups: Sequence[Group], items: Sequence[Item], known: _Known) -> Iterator[Diagnostic]:
    """The first use of each name of these kinds that nobody declares, also where no rule needs it."""
    declared = {reference for group in groups for reference in group.declared}
    used = dict.fromkeys(reference for group in groups for reference in group.used)
    missing = [r for r in used if r.kind in _LOCAL_KINDS and r not in declared and not known.knows(r)]
    for kind, name in missing[:MOST_PROBLEMS]:
        message = f"{_LOCAL_KINDS[kind]} `{name}` is not declared in the CIL fragments of this package"
        for item in items:
            if (index := _index_of(name, item.form)) >= 0:
                yield CilProblem(item.form, index, message, code=f"unknown-{_LOCAL_KINDS[kind]}").diagnostic(item.frame)
                break


def _index_of(name: str, form: Form) -> int:
    """The item of `form` that has `name` in it; -1 when none has."""
    for index, item in enumerate(form.items):
        work = [item]
        while work:
            node = work.pop()
            if node == name:
                return index
            if not isinstance(node, str):
                work.extend(node.items)
    return -1


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
