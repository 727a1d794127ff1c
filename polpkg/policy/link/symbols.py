"""Pass `collect`: every declaration of every module, with the package that made it.

Types and attributes share one name space, aliases included; roles, users and booleans have their own (libsepol's
symbol tables).  A name has one declaring package, and that package must own it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, NamedTuple

from polpkg.diagnostics import Note
from polpkg.policy.ir.statements import (
    AttributeDeclaration,
    BooleanDeclaration,
    RoleAttributeDeclaration,
    RoleDeclaration,
    RoleDominance,
    TypeAliasDeclaration,
    TypeDeclaration,
    UserDeclaration,
)
from polpkg.policy.link.report import declared_at

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from polpkg.diagnostics import Place
    from polpkg.policy.ir.module import PolicyModule
    from polpkg.policy.link.report import Report


OBJECT_ROLE = "object_r"
"""The role of things that are not domains.  It exists in every policy, undeclared, and goes with every type."""


_DECLARING = frozenset(
    (
        TypeDeclaration,
        TypeAliasDeclaration,
        AttributeDeclaration,
        RoleDeclaration,
        RoleAttributeDeclaration,
        RoleDominance,
        UserDeclaration,
        BooleanDeclaration,
    )
)
"""Few of the statements of a large policy."""


class Kind(Enum):
    """Kinds of symbols; the value is how a person calls them."""

    TYPE = "type"
    ATTRIBUTE = "attribute"
    ALIAS = "alias"
    ROLE = "role"
    ROLE_ATTRIBUTE = "role attribute"
    USER = "user"
    BOOLEAN = "boolean"


class Declaration(NamedTuple):
    """Who declared a name, where; `target` is the type that an alias stands for."""

    kind: Kind
    package: str
    place: Place
    target: str = ""


@dataclass(slots=True)
class SymbolTable:
    """All declarations, by name.  `defaults` has the values of booleans, `tunables` are those decided by now."""

    types: dict[str, Declaration] = field(default_factory=dict[str, Declaration])
    roles: dict[str, Declaration] = field(default_factory=dict[str, Declaration])
    users: dict[str, Declaration] = field(default_factory=dict[str, Declaration])
    booleans: dict[str, Declaration] = field(default_factory=dict[str, Declaration])
    defaults: dict[str, bool] = field(default_factory=dict[str, bool])
    tunables: set[str] = field(default_factory=set[str])


def collect_symbols(modules: Iterable[PolicyModule], report: Report) -> SymbolTable:
    """Every declaration; a second one of the same name is an error that names both places."""
    table = SymbolTable()
    modules = tuple(modules)
    _check_overlapping_owners(modules, report)
    for module in modules:
        collector = _Collector(module, table, report)
        for statement in module.others:
            if type(statement) not in _DECLARING:
                continue
            match statement:
                case TypeDeclaration(place, name, aliases):
                    collector.declare(table.types, name, Declaration(Kind.TYPE, module.package, place))
                    collector.declare_aliases(place, name, aliases)
                case TypeAliasDeclaration(place, name, aliases):
                    collector.declare_aliases(place, name, aliases)
                case AttributeDeclaration(place, name):
                    collector.declare(table.types, name, Declaration(Kind.ATTRIBUTE, module.package, place))
                case RoleDeclaration(place, name, types) if not types.names and not types.excluded:
                    collector.declare_again(table.roles, name, Declaration(Kind.ROLE, module.package, place))
                case RoleAttributeDeclaration(place, name):
                    collector.declare(table.roles, name, Declaration(Kind.ROLE_ATTRIBUTE, module.package, place))
                case RoleDominance(place, pairs):
                    for name in (name for pair in pairs for name in pair if name not in table.roles):
                        collector.declare(table.roles, name, Declaration(Kind.ROLE, module.package, place))
                case UserDeclaration(place, name):
                    collector.declare_again(table.users, name, Declaration(Kind.USER, module.package, place))
                case BooleanDeclaration(place, name, default, tunable):
                    collector.declare(table.booleans, name, Declaration(Kind.BOOLEAN, module.package, place))
                    table.defaults[name] = default
                    table.tunables.update((name,) if tunable else ())
                case _:
                    pass
    return table


class _Collector:
    """Adds the declarations of one module to a table."""

    def __init__(self, module: PolicyModule, table: SymbolTable, report: Report) -> None:
        self._module, self._table, self._report = module, table, report
        self._exact = frozenset(o for o in module.owns if not o.endswith("*"))
        self._prefixes = tuple(o[:-1] for o in module.owns if o.endswith("*"))

    def declare(self, names: dict[str, Declaration], name: str, new: Declaration) -> None:
        """Records `new`, the only declaration that `name` may have."""
        self._check_spelling(name, new)
        first = names.setdefault(name, new)
        if first is not new:
            self._duplicate(name, first, new)
            return
        self._check_ownership(name, new)

    def declare_again(self, names: dict[str, Declaration], name: str, new: Declaration) -> None:
        """Records `new`; the same package may declare a role or user again, which adds to it."""
        first = names.get(name)
        if first is None or first.package != new.package or first.kind is not new.kind:
            self.declare(names, name, new)

    def declare_aliases(self, place: Place, name: str, aliases: tuple[str, ...]) -> None:
        """Records other names of type `name`."""
        for alias in aliases:
            self.declare(self._table.types, alias, Declaration(Kind.ALIAS, self._module.package, place, name))

    def _check_spelling(self, name: str, new: Declaration) -> None:
        if name == "self" and new.kind in (Kind.TYPE, Kind.ATTRIBUTE, Kind.ALIAS):
            self._report.error(
                new.place, "reserved-name", "`self` stands for the source of a rule and cannot be declared"
            )
        if "." in name and new.kind is not Kind.TYPE:
            message = f"{new.kind.value} `{name}` may not have a dot in its name"
            hint = "a dot says that something is bounded by what is named before it, and only types can be"
            self._report.error(new.place, "dotted-name", message, hint)

    def _duplicate(self, name: str, first: Declaration, new: Declaration) -> None:
        who = f"package `{first.package}`" if first.package != new.package else "this package"
        message = f"{new.kind.value} `{name}` is already declared by {who} as {_article(first.kind)}"
        note = declared_at("first declared here", first.place)
        hint = "an identifier has one declaring package" if first.package != new.package else ""
        self._report.error(new.place, "duplicate-symbol", message, hint, (note,), word=name)

    def _check_ownership(self, name: str, new: Declaration) -> None:
        if not self._module.owns or name in self._exact or name.startswith(self._prefixes):
            return
        owns = ", ".join(f"`{o}`" for o in self._module.owns)
        message = f"package `{new.package}` may not declare {new.kind.value} `{name}`: it owns {owns}"
        hint = "rename it, or add its prefix to `owns` in polpkg.toml"
        self._report.error(new.place, "not-owned", message, hint, word=name)


def _article(kind: Kind) -> str:
    return f"an {kind.value}" if kind.value[0] in "aeiou" else f"a {kind.value}"


def _check_overlapping_owners(modules: tuple[PolicyModule, ...], report: Report) -> None:
    """Two packages may not own one name: neither pattern may cover the other."""
    for index, module in enumerate(modules):
        for other in modules[:index]:
            for mine, theirs in _overlaps(module.owns, other.owns):
                place = _first_place(module) or _first_place(other)
                if place is not None:
                    message = f"packages `{other.package}` and `{module.package}` both own `{mine}`"
                    note = Note(f"`{other.package}` owns `{theirs}`")
                    report.error(place, "owned-twice", message, "a prefix belongs to one package", (note,))


def _overlaps(mine: tuple[str, ...], theirs: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    for a in mine:
        for b in theirs:
            if _covers(a, b) or _covers(b, a):
                yield a, b


def _covers(pattern: str, other: str) -> bool:
    return pattern == other or (pattern.endswith("*") and other.startswith(pattern[:-1]))


def _first_place(module: PolicyModule) -> Place | None:
    return module.statements[0].place if module.statements else None
