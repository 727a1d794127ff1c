"""The linked policy: one policy, every name bound to a number, every set a bit set, every rule with its place.

Symbols of each kind are sorted by name and numbered from 0 in that order (`object_r` is always role 0, as in every
policydb), so that equal policies are equal values whatever order their packages came in.  Classes, permissions and
initial SIDs have the order of the ABI.  A bit set is an int whose bit n stands for number n.

Types and attributes share one numbering.  Rules may name attributes as source and target, as a policydb may; computed
labels never do.  `self` and sets with exclusions are expanded by the linker.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from polpkg.policy.ir.statements import (
    AvKind,
    AvRule,
    BooleanOperator,
    ConstraintConnective,
    ConstraintOperator,
    NameSet,
    ObjectContextKind,
    TypeRuleKind,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from polpkg.diagnostics import Place
    from polpkg.policy.abi import Abi


class TypeSymbol(NamedTuple):
    """A type or an attribute.

    `members` is the bit set of the types of an attribute, and 0 for a type.  `bounds` is the number of the type that
    bounds this one, or -1.
    """

    name: str
    is_attribute: bool = False
    aliases: tuple[str, ...] = ()
    members: int = 0
    bounds: int = -1
    permissive: bool = False
    place: Place | None = None


class RoleSymbol(NamedTuple):
    """A role, the bit set of the types that it may be combined with, and that of other roles that it dominates."""

    name: str
    types: int
    place: Place | None = None
    dominates: int = 0


class LinkedLevel(NamedTuple):
    """A sensitivity, by number in dominance order, and a bit set of categories."""

    sensitivity: int
    categories: int


class LinkedRange(NamedTuple):
    """From a low to a high level."""

    low: LinkedLevel
    high: LinkedLevel


class UserSymbol(NamedTuple):
    """A user, the bit set of its roles, and with MLS its default level and range."""

    name: str
    roles: int
    level: LinkedLevel | None = None
    range: LinkedRange | None = None
    place: Place | None = None


class BooleanSymbol(NamedTuple):
    """A boolean and the value it has after boot."""

    name: str
    default: bool
    place: Place | None = None


class LinkedAvRule(NamedTuple):
    """`allow`, `auditallow` or `dontaudit`; `permissions` is a bit set over the permissions of the class."""

    kind: AvKind
    source: int
    target: int
    security_class: int
    permissions: int
    place: Place | None = None


class LinkedTypeRule(NamedTuple):
    """A computed label for one source type, one target type and one class."""

    kind: TypeRuleKind
    source: int
    target: int
    security_class: int
    result: int
    place: Place | None = None


class LinkedNeverallow(NamedTuple):
    """An assertion: no source type may have `permissions` on a target type.

    `sources` and `targets` are bit sets of types, attributes expanded; `on_self` adds each source on itself.
    `written` is the statement, where there is one; `name` is what its package calls it, or empty.
    """

    sources: int
    targets: int
    on_self: bool
    security_class: int
    permissions: int
    written: AvRule | None
    name: str
    place: Place | None = None

    @property
    def text(self) -> str:
        """The assertion as written; put together when it is asked for, since hardly any of many ever is."""
        if self.written is None:
            return ""
        _, _, source, target, classes, permissions = self.written
        return f"neverallow {source} {target}:{NameSet(classes)} {permissions};"


LinkedExpression: TypeAlias = tuple[int | BooleanOperator, ...]
"""A conditional expression in postfix order.  Booleans are plain ints, operators are `BooleanOperator`."""


class LinkedConditional(NamedTuple):
    """Rules that hold while an expression over booleans is true, and rules that hold while it is false."""

    expression: LinkedExpression
    then: tuple[LinkedAvRule | LinkedTypeRule, ...]
    otherwise: tuple[LinkedAvRule | LinkedTypeRule, ...]
    place: Place | None = None


class LinkedTerm(NamedTuple):
    """One comparison of a constraint: `left` and a word `right` (`u2`), or `right` empty and a bit set of `names`.

    `names` are users, roles or types after the letter of `left`; `written` keeps types and attributes as the source
    had them, since a policydb stores both forms.
    """

    left: str
    operator: ConstraintOperator
    right: str
    names: int = 0
    written: tuple[int, ...] = ()


class LinkedConstraint(NamedTuple):
    """A constraint on one class.  `permissions` is 0 for `validatetrans` and `mlsvalidatetrans`."""

    keyword: str
    security_class: int
    permissions: int
    expression: tuple[LinkedTerm | ConstraintConnective, ...]
    place: Place | None = None


class LinkedContext(NamedTuple):
    """A security context by number."""

    user: int
    role: int
    type: int
    range: LinkedRange | None = None


class LinkedObjectContext(NamedTuple):
    """A device label; see `polpkg.policy.ir.statements.ObjectContext`."""

    kind: ObjectContextKind
    low: int
    high: int
    path: str
    context: LinkedContext
    place: Place | None = None


class LinkedRoleTransition(NamedTuple):
    """`role_transition`, for one role, one type and one class."""

    role: int
    type: int
    security_class: int
    result: int
    place: Place | None = None


class LinkedNamedTransition(NamedTuple):
    """`type_transition` for objects of one name, for one source, one target and one class."""

    source: int
    target: int
    security_class: int
    result: int
    object_name: str
    place: Place | None = None


class LinkedRangeTransition(NamedTuple):
    """`range_transition`, for one source, one target and one class."""

    source: int
    target: int
    security_class: int
    range: LinkedRange
    place: Place | None = None


class LinkedDefault(NamedTuple):
    """`default_user` and its like, for one class; see `polpkg.policy.ir.statements.DefaultRule`.  Xen ignores it."""

    security_class: int
    part: str
    value: str
    place: Place | None = None


class SensitivitySymbol(NamedTuple):
    """A sensitivity, in dominance order, with the categories that it may have."""

    name: str
    aliases: tuple[str, ...]
    categories: int


class CategorySymbol(NamedTuple):
    """A category, in the order of declaration."""

    name: str
    aliases: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Foreign:
    """What a policy has that is for no Xen, because its classes and permissions are those of none.

    `commons`: common name to permissions.  `inherits`: the common of a class, whose permissions come before its own.
    """

    commons: dict[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    inherits: dict[str, str] = field(default_factory=dict[str, str])
    transitions: tuple[LinkedNamedTransition, ...] = ()


@dataclass(frozen=True, slots=True)
class LinkedPolicy:
    """One whole policy for one ABI.

    `initial_sids[n]` is the context of the ABI's SID n, or None if it has none.  `foreign` is for a policy that no Xen
    takes: it can be linked, compiled and asked about, but not installed.
    """

    abi: Abi
    types: tuple[TypeSymbol, ...]
    roles: tuple[RoleSymbol, ...]
    users: tuple[UserSymbol, ...]
    booleans: tuple[BooleanSymbol, ...]
    rules: Sequence[LinkedAvRule]
    type_rules: Sequence[LinkedTypeRule]
    conditionals: tuple[LinkedConditional, ...]
    neverallows: tuple[LinkedNeverallow, ...]
    constraints: tuple[LinkedConstraint, ...]
    initial_sids: tuple[LinkedContext | None, ...]
    object_contexts: tuple[LinkedObjectContext, ...]
    role_allows: tuple[tuple[int, int], ...] = ()
    role_transitions: tuple[LinkedRoleTransition, ...] = ()
    range_transitions: tuple[LinkedRangeTransition, ...] = ()
    sensitivities: tuple[SensitivitySymbol, ...] = ()
    categories: tuple[CategorySymbol, ...] = ()
    capabilities: tuple[str, ...] = ()
    defaults: tuple[LinkedDefault, ...] = ()
    mls: bool = False
    foreign: Foreign | None = None
    _numbers: dict[str, int] = field(default_factory=dict[str, int], repr=False, compare=False)

    def number_of_type(self, name: str) -> int:
        """The number of the type or attribute `name`, aliases included; -1 when there is none."""
        if not self._numbers:
            for number, symbol in enumerate(self.types):
                for known in (symbol.name, *symbol.aliases):
                    self._numbers[known] = number
        return self._numbers.get(name, -1)

    def expand(self, number: int) -> int:
        """The bit set of types that the type or attribute `number` stands for."""
        symbol = self.types[number]
        return symbol.members if symbol.is_attribute else 1 << number


_FEW = 12
"""Up to this many numbers a bit set is taken apart number by number, which costs less than writing it out."""


def bits(value: int) -> Iterator[int]:
    """The numbers in a bit set, lowest first, in time linear in the length of the set."""
    if value.bit_count() <= _FEW:
        while value:
            at = (value & -value).bit_length() - 1
            yield at
            value ^= 1 << at
        return
    digits = bin(value)[:1:-1]
    at = digits.find("1")
    while at >= 0:
        yield at
        at = digits.find("1", at + 1)
