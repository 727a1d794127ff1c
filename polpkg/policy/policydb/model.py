"""A policydb as a value: every field of the file, in the order of the file.

Nothing is interpreted here.  Numbers count from 1 as in the file, 0 is none; sets are encoded ebitmaps.  `reader` makes
these values and `writer` writes them back byte for byte; `lift` and `lower` go to and from the linked policy.  The
layout is that of libsepol's `write.c`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, NamedTuple, TypeVar

from polpkg.policy.policydb import layout
from polpkg.policy.policydb.avtab import AvTable
from polpkg.policy.policydb.ebitmap import EMPTY, Ebitmap

Datum = TypeVar("Datum")


class SymbolTable(NamedTuple, Generic[Datum]):
    """One symbol table.  `primary` is the highest number; aliases are entries without a number of their own."""

    primary: int
    entries: tuple[Datum, ...]


class PermissionDatum(NamedTuple):
    """A permission and its number in its class."""

    name: str
    value: int


class CommonDatum(NamedTuple):
    """A set of permissions that classes inherit.  Xen refuses policies that have one."""

    name: str
    value: int
    primary: int
    permissions: tuple[PermissionDatum, ...]


class ExpressionNode(NamedTuple):
    """One node of a constraint expression, in postfix order.

    `names` is for `layout.EXPRESSION_NAMES` only, and the three that follow from version 29 on: types and attributes as
    written, exclusions, and flags.
    """

    kind: int
    attribute: int
    operator: int
    names: Ebitmap = EMPTY
    written: Ebitmap = EMPTY
    excluded: Ebitmap = EMPTY
    flags: int = 0


class ConstraintNode(NamedTuple):
    """A constraint on permissions of the class that holds it."""

    permissions: int
    expression: tuple[ExpressionNode, ...]


class ClassDatum(NamedTuple):
    """A security class.  `defaults` are the user, role, range and type of new objects (from version 27 and 28 on)."""

    name: str
    value: int
    common: str
    primary: int
    permissions: tuple[PermissionDatum, ...]
    constraints: tuple[ConstraintNode, ...] = ()
    transitions: tuple[ConstraintNode, ...] = ()
    defaults: tuple[int, ...] = ()


class RoleDatum(NamedTuple):
    """A role: the roles that it dominates and the types that it may be combined with."""

    name: str
    value: int
    bounds: int
    dominates: Ebitmap
    types: Ebitmap


class TypeDatum(NamedTuple):
    """A type, an attribute or an alias, as `properties` says; an alias has the number of its type."""

    name: str
    value: int
    properties: int
    bounds: int = 0


class LevelDatum(NamedTuple):
    """A sensitivity by number and a set of categories."""

    sensitivity: int = 0
    categories: Ebitmap = EMPTY


class RangeDatum(NamedTuple):
    """From a low to a high level.  `levels` is how many of them are written: 1 when they are equal."""

    levels: int = 1
    low: LevelDatum = LevelDatum()
    high: LevelDatum = LevelDatum()


class UserDatum(NamedTuple):
    """A user, its roles, its range and its default level."""

    name: str
    value: int
    bounds: int
    roles: Ebitmap
    range: RangeDatum = RangeDatum()
    level: LevelDatum = LevelDatum()


class BooleanDatum(NamedTuple):
    """A boolean and its default."""

    name: str
    value: int
    state: int


class SensitivityDatum(NamedTuple):
    """A sensitivity or an alias of one; the number is in its level."""

    name: str
    is_alias: int
    level: LevelDatum


class CategoryDatum(NamedTuple):
    """A category or an alias of one."""

    name: str
    value: int
    is_alias: int


class ConditionalNode(NamedTuple):
    """Rules that depend on booleans.  `expression` is in postfix order: pairs of an operator and a boolean."""

    state: int
    expression: tuple[tuple[int, int], ...]
    then: AvTable
    otherwise: AvTable


class ContextDatum(NamedTuple):
    """A security context."""

    user: int
    role: int
    type: int
    range: RangeDatum = RangeDatum()


class RoleTransitionDatum(NamedTuple):
    """A role transition; `security_class` is 0 in version 24, which has none."""

    role: int
    type: int
    result: int
    security_class: int = 0


class FilenameTransitionDatum(NamedTuple):
    """A named type transition (from version 25 on).  Xen refuses policies that have one."""

    name: str
    source: int
    target: int
    security_class: int
    result: int


class ObjectContextDatum(NamedTuple):
    """An initial SID (its number is `low`) or a device label, by the list that it is in."""

    low: int
    high: int
    path: str
    context: ContextDatum


class FileContextDatum(NamedTuple):
    """One label of a file system.  Xen refuses policies that have one."""

    path: str
    security_class: int
    context: ContextDatum


class FileSystemDatum(NamedTuple):
    """Labels of one file system type."""

    name: str
    contexts: tuple[FileContextDatum, ...]


class RangeTransitionDatum(NamedTuple):
    """A range transition."""

    source: int
    target: int
    security_class: int
    range: RangeDatum


@dataclass(frozen=True, slots=True)
class PolicyDb:
    """A whole file.  `trailing` is what follows the policy; Xen ignores it.

    `object_contexts` has one list for each kind, initial SIDs first; `type_attributes` one row for each type number.
    `permissive` holds type numbers (from 1), unlike all other sets, whose bit n stands for number n + 1.
    """

    version: int
    config: int
    capabilities: Ebitmap
    permissive: Ebitmap
    commons: SymbolTable[CommonDatum]
    classes: SymbolTable[ClassDatum]
    roles: SymbolTable[RoleDatum]
    types: SymbolTable[TypeDatum]
    users: SymbolTable[UserDatum]
    booleans: SymbolTable[BooleanDatum]
    sensitivities: SymbolTable[SensitivityDatum]
    categories: SymbolTable[CategoryDatum]
    rules: AvTable
    conditionals: tuple[ConditionalNode, ...]
    role_transitions: tuple[RoleTransitionDatum, ...]
    role_allows: tuple[tuple[int, int], ...]
    filename_transitions: tuple[FilenameTransitionDatum, ...]
    object_contexts: tuple[tuple[ObjectContextDatum, ...], ...]
    file_systems: tuple[FileSystemDatum, ...]
    range_transitions: tuple[RangeTransitionDatum, ...]
    type_attributes: tuple[Ebitmap, ...]
    trailing: bytes = b""

    @property
    def is_mls(self) -> bool:
        """Whether levels are part of contexts."""
        return bool(self.config & layout.CONFIG_MLS)

    @property
    def handle_unknown(self) -> str:
        """What the policy says of permissions that it does not define: `deny`, `reject` or `allow`."""
        if self.config & layout.CONFIG_ALLOW_UNKNOWN:
            return "allow"
        return "reject" if self.config & layout.CONFIG_REJECT_UNKNOWN else "deny"
