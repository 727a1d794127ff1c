"""Statements of the kernel policy language, one class each, as a front end reads them: names, not numbers.

They are named tuples because a large policy has hundreds of thousands of them.  Every one has a `place`.  The language
is that of checkpolicy (`checkpolicy/policy_parse.y`) for the Xen target.
"""

from __future__ import annotations

from enum import Enum, IntEnum
from typing import NamedTuple, TypeAlias

from polpkg.diagnostics import Place


class AvKind(IntEnum):
    """What an access vector rule does."""

    ALLOW = 1
    AUDITALLOW = 2
    DONTAUDIT = 4
    NEVERALLOW = 128


class TypeRuleKind(IntEnum):
    """Which computed label a type rule gives."""

    TYPE_TRANSITION = 16
    TYPE_MEMBER = 32
    TYPE_CHANGE = 64


class NameSet(NamedTuple):
    """A set as written: `{ a b -c }`, `*`, `~{ a b }`.

    `names` and `excluded` are identifiers (`self` among them where the grammar allows it); `star` is `*`; `complement`
    is a leading `~`, which applies to the whole of the rest.
    """

    names: tuple[str, ...] = ()
    excluded: tuple[str, ...] = ()
    star: bool = False
    complement: bool = False

    def __str__(self) -> str:
        words = [*(("*",) if self.star else ()), *self.names, *(f"-{n}" for n in self.excluded)]
        text = words[0] if len(words) == 1 else "{ " + " ".join(words) + " }"
        return "~" + text if self.complement else text


class ClassDeclaration(NamedTuple):
    """`class C`: a security class; its number is its place in the order."""

    place: Place
    name: str


class CommonDeclaration(NamedTuple):
    """`common C { p ... }`: permissions that classes inherit."""

    place: Place
    name: str
    permissions: tuple[str, ...]


class AccessVector(NamedTuple):
    """`class C inherits D { p ... }`: the permissions of a class, in order."""

    place: Place
    name: str
    inherits: str
    permissions: tuple[str, ...]


class InitialSidDeclaration(NamedTuple):
    """`sid S`: an initial SID; its number is its place in the order."""

    place: Place
    name: str


class AttributeDeclaration(NamedTuple):
    """`attribute A;`"""

    place: Place
    name: str


class TypeDeclaration(NamedTuple):
    """`type T alias { ... }, A, ...;`"""

    place: Place
    name: str
    aliases: tuple[str, ...] = ()
    attributes: tuple[str, ...] = ()


class TypeAliasDeclaration(NamedTuple):
    """`typealias T alias { ... };`"""

    place: Place
    name: str
    aliases: tuple[str, ...]


class TypeAttribute(NamedTuple):
    """`typeattribute T A, ...;`"""

    place: Place
    name: str
    attributes: tuple[str, ...]


class ExpandAttribute(NamedTuple):
    """`expandattribute { A ... } true;`: rules about the attributes are written out for their types, or never."""

    place: Place
    names: tuple[str, ...]
    expand: bool


class SetOperator(Enum):
    """Operators of set expressions; `NOT` takes one operand, the others two."""

    AND = "and"
    OR = "or"
    XOR = "xor"
    NOT = "not"


class AttributeSet(NamedTuple):
    """`(typeattributeset A (and B (not (C))))` of CIL: types that attribute `name` has, as a set in postfix order.

    An attribute among the names stands for its types, all of them, wherever they are assigned.
    """

    place: Place
    name: str
    expression: tuple[NameSet | SetOperator, ...]


class TypeBounds(NamedTuple):
    """`typebounds P C, ...;`: a child has no more than its parent."""

    place: Place
    parent: str
    children: tuple[str, ...]


class Permissive(NamedTuple):
    """`permissive T;`"""

    place: Place
    name: str


class RoleDeclaration(NamedTuple):
    """`role R, A, ...;` or `role R types { ... };`; the second form declares nothing."""

    place: Place
    name: str
    types: NameSet = NameSet()
    attributes: tuple[str, ...] = ()


class RoleAttributeDeclaration(NamedTuple):
    """`attribute_role A;`: a name for several roles."""

    place: Place
    name: str


class RoleAttribute(NamedTuple):
    """`roleattribute R A, ...;`"""

    place: Place
    name: str
    attributes: tuple[str, ...]


class RoleDominance(NamedTuple):
    """`dominance { role R { role S; } }`: R dominates S and itself, and may have its types; (R, S), innermost first."""

    place: Place
    pairs: tuple[tuple[str, str], ...]


class RoleAllow(NamedTuple):
    """`allow R1 R2;`"""

    place: Place
    source: NameSet
    target: NameSet


class RoleTransition(NamedTuple):
    """`role_transition R T [: C] R2;`; without a class it is for `domain`, the process class of the Xen target."""

    place: Place
    source: NameSet
    target: NameSet
    classes: tuple[str, ...]
    result: str


class UserDeclaration(NamedTuple):
    """`user U roles { ... } [level L range R];`"""

    place: Place
    name: str
    roles: NameSet
    level: Level | None = None
    range: LevelRange | None = None


class BooleanDeclaration(NamedTuple):
    """`bool B true;`, or `tunable B true;`, which is decided when the policy is linked."""

    place: Place
    name: str
    default: bool
    tunable: bool = False


class AvRule(NamedTuple):
    """`allow S T:C { p ... };` and its like.  `classes` is non-empty."""

    place: Place
    kind: AvKind
    source: NameSet
    target: NameSet
    classes: tuple[str, ...]
    permissions: NameSet


class TypeRule(NamedTuple):
    """`type_transition S T:C N;` and its like."""

    place: Place
    kind: TypeRuleKind
    source: NameSet
    target: NameSet
    classes: tuple[str, ...]
    result: str


class NamedTransition(NamedTuple):
    """`type_transition S T:C N "name";`: for new objects with that name, of which a Xen has none."""

    place: Place
    source: NameSet
    target: NameSet
    classes: tuple[str, ...]
    result: str
    object_name: str


class RangeTransition(NamedTuple):
    """`range_transition S T:C R;`"""

    place: Place
    source: NameSet
    target: NameSet
    classes: tuple[str, ...]
    range: LevelRange


class BooleanOperator(IntEnum):
    """Operators of conditional expressions, numbered as in libsepol's `conditional.h` (`COND_*`)."""

    NOT = 2
    OR = 3
    AND = 4
    XOR = 5
    EQ = 6
    NEQ = 7


BooleanExpression: TypeAlias = tuple["str | BooleanOperator", ...]
"""A conditional expression in postfix order: names of booleans and operators."""


class Conditional(NamedTuple):
    """`if (E) { ... } else { ... }`; the branches hold AV and type rules only."""

    place: Place
    expression: BooleanExpression
    then: tuple[AvRule | TypeRule, ...]
    otherwise: tuple[AvRule | TypeRule, ...]


class ConstraintOperator(IntEnum):
    """Comparisons of constraint expressions, numbered as in libsepol's `constraint.h` (`CEXPR_EQ` ...)."""

    EQ = 1
    NEQ = 2
    DOM = 3
    DOMBY = 4
    INCOMP = 5


class ConstraintConnective(IntEnum):
    """Connectives of constraint expressions, numbered as in libsepol's `constraint.h` (`CEXPR_NOT` ...)."""

    NOT = 1
    AND = 2
    OR = 3


class ConstraintTerm(NamedTuple):
    """One comparison: `left` is `u1 r1 t1 l1 h1 u2 ...`; `right` is another such word or a set of names."""

    left: str
    operator: ConstraintOperator
    right: str | NameSet


ConstraintExpression: TypeAlias = tuple[ConstraintTerm | ConstraintConnective, ...]
"""A constraint expression in postfix order."""


class Constraint(NamedTuple):
    """`constrain C P E;`, `mlsconstrain C P E;`, and with no permissions `validatetrans`, `mlsvalidatetrans`."""

    place: Place
    keyword: str
    classes: tuple[str, ...]
    permissions: NameSet
    expression: ConstraintExpression


class Level(NamedTuple):
    """`s0:c0.c3,c5`: a sensitivity and spans of categories (first, last)."""

    sensitivity: str
    categories: tuple[tuple[str, str], ...] = ()


class LevelRange(NamedTuple):
    """`L` or `L - H`."""

    low: Level
    high: Level


class Context(NamedTuple):
    """`user:role:type[:range]`, by name."""

    user: str
    role: str
    type: str
    range: LevelRange | None = None


class SensitivityDeclaration(NamedTuple):
    """`sensitivity S alias A ...;`"""

    place: Place
    name: str
    aliases: tuple[str, ...]


class CategoryDeclaration(NamedTuple):
    """`category C alias A ...;`"""

    place: Place
    name: str
    aliases: tuple[str, ...]


class Dominance(NamedTuple):
    """`dominance { s0 s1 ... }`: sensitivities, lowest first."""

    place: Place
    sensitivities: tuple[str, ...]


class LevelDeclaration(NamedTuple):
    """`level s0:c0.c3;`: the categories that a sensitivity may have."""

    place: Place
    level: Level


class InitialSidContext(NamedTuple):
    """`sid S user:role:type`"""

    place: Place
    name: str
    context: Context


class ObjectContextKind(Enum):
    """Kinds of device labels, numbered as in libsepol's `policydb.h` (`OCON_XEN_*`)."""

    PIRQ = 1
    IOPORT = 2
    IOMEM = 3
    PCI_DEVICE = 4
    DEVICE_TREE = 5


class ObjectContext(NamedTuple):
    """`pirqcon N C`, `ioportcon N[-M] C`, `iomemcon N[-M] C`, `pcidevicecon N C`, `devicetreecon PATH C`.

    `low` and `high` are the interrupt, the ports, the page frame numbers or the encoded device; `path` is for the
    device tree only.
    """

    place: Place
    kind: ObjectContextKind
    low: int
    high: int
    path: str
    context: Context


class PolicyCapability(NamedTuple):
    """`policycap P;`"""

    place: Place
    name: str


class DefaultRule(NamedTuple):
    """`default_user { C ... } source;` and its like: where a new object gets that part of its label from.

    `part` is `user`, `role`, `type` or `range`; `value` is as written: `source`, `target high`, `glblub`, ...
    """

    place: Place
    part: str
    classes: tuple[str, ...]
    value: str


class Require(NamedTuple):
    """`require { ... }`: symbols that others declare, by kind (`type`, `class`, `role`, ...).

    `permissions` are those that it asks for, each behind its class.
    """

    place: Place
    symbols: tuple[tuple[str, str], ...]
    permissions: tuple[tuple[str, str], ...] = ()


class Optional(NamedTuple):
    """`optional { ... } else { ... }`: the first block if all that it requires is there, otherwise the second."""

    place: Place
    body: tuple[Statement, ...]
    otherwise: tuple[Statement, ...] = ()


Statement: TypeAlias = (
    ClassDeclaration
    | CommonDeclaration
    | AccessVector
    | InitialSidDeclaration
    | AttributeDeclaration
    | TypeDeclaration
    | TypeAliasDeclaration
    | TypeAttribute
    | AttributeSet
    | ExpandAttribute
    | TypeBounds
    | Permissive
    | RoleDeclaration
    | RoleAttributeDeclaration
    | RoleAttribute
    | RoleDominance
    | RoleAllow
    | RoleTransition
    | UserDeclaration
    | BooleanDeclaration
    | AvRule
    | TypeRule
    | NamedTransition
    | RangeTransition
    | Conditional
    | Constraint
    | SensitivityDeclaration
    | CategoryDeclaration
    | Dominance
    | LevelDeclaration
    | InitialSidContext
    | ObjectContext
    | PolicyCapability
    | DefaultRule
    | Require
    | Optional
)
"""Any statement."""
