"""From the statements of CIL to the IR, which other languages share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from polpkg.policy.ir.statements import (
    AttributeDeclaration,
    AttributeSet,
    AvKind,
    AvRule,
    BooleanDeclaration,
    Conditional,
    Constraint,
    ConstraintTerm,
    DefaultRule,
    ExpandAttribute,
    InitialSidContext,
    NameSet,
    ObjectContext,
    ObjectContextKind,
    Permissive,
    PolicyCapability,
    RangeTransition,
    Require,
    RoleAllow,
    RoleDeclaration,
    RoleTransition,
    TypeAliasDeclaration,
    TypeBounds,
    TypeDeclaration,
    TypeRule,
    TypeRuleKind,
)
from polpkg.policy.syntax.cil.expressions import Everything
from polpkg.policy.syntax.cil.problem import CilProblem
from polpkg.policy.syntax.cil.summaries import OBJECT_ROLE, Summaries

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from polpkg.diagnostics import Diagnostic
    from polpkg.policy.ir.statements import Statement
    from polpkg.policy.syntax.cil.definitions import Definitions
    from polpkg.policy.syntax.cil.expressions import SetExpression
    from polpkg.policy.syntax.cil.flatten import Item
    from polpkg.policy.syntax.cil.values import Words

REQUIRED_NAMES = "cil_gen_require"
"""An attribute that checkpolicy declares for what its `require` blocks name, and that libsepol never writes."""

_TYPE_RULES = {
    "typetransition": TypeRuleKind.TYPE_TRANSITION,
    "typechange": TypeRuleKind.TYPE_CHANGE,
    "typemember": TypeRuleKind.TYPE_MEMBER,
}
_DEVICES = {
    "pirqcon": ObjectContextKind.PIRQ,
    "ioportcon": ObjectContextKind.IOPORT,
    "iomemcon": ObjectContextKind.IOMEM,
    "pcidevicecon": ObjectContextKind.PCI_DEVICE,
    "devicetreecon": ObjectContextKind.DEVICE_TREE,
}

_DEFAULT_RANGES = ("glblub", *(f"{a} {b}" for a in ("source", "target") for b in ("low", "high", "low-high")))


def build(
    items: Iterable[Item], definitions: Definitions, sids: tuple[str, ...], *, mls: bool
) -> tuple[tuple[Statement, ...], tuple[Diagnostic, ...]]:
    """The IR of `items`, and what is wrong with them.

    `sids` are the initial SIDs of the hypervisor.  `mls` is whether the policy is linked with levels; without,
    everything about them is left out.
    """
    builder = _Builder(definitions, mls=mls)
    summaries = Summaries(definitions, sids, builder.problems, mls=mls)
    builder.sid_names = summaries.sid_names
    statements = (*summaries.tables(), *summaries.levels(), *builder.build(items), *summaries.users())
    return statements, tuple(builder.problems)


class _Builder:
    """Makes IR of single items; findings go to `problems`."""

    def __init__(self, definitions: Definitions, *, mls: bool) -> None:
        self._definitions = definitions
        self._mls = mls
        self.problems: list[Diagnostic] = []
        self.sid_names: dict[str, str] = {}

    def build(self, items: Iterable[Item]) -> Iterator[Statement]:
        for item in items:
            method = _METHODS.get(item.keyword)
            if method is None:
                continue
            try:
                yield from method(self, item, *item.values)
            except CilProblem as problem:
                self.problems.append(problem.diagnostic(item.frame))

    # Names

    def type(self, item: Item, name: str) -> Iterator[Statement]:
        yield TypeDeclaration(item.place, name)

    def type_alias(self, item: Item, alias: str, name: str) -> Iterator[Statement]:
        yield TypeAliasDeclaration(item.place, name, (alias,))

    def attribute(self, item: Item, name: str) -> Iterator[Statement]:
        if name != REQUIRED_NAMES:
            yield AttributeDeclaration(item.place, name)

    def attribute_set(self, item: Item, name: str, expression: SetExpression) -> Iterator[Statement]:
        if name == REQUIRED_NAMES:
            return
        words = tuple(
            NameSet(star=True) if isinstance(w, Everything) else NameSet(w) if isinstance(w, tuple) else w
            for w in expression
        )
        yield AttributeSet(item.place, name, words)

    def expand(self, item: Item, expression: SetExpression, expand: Any) -> Iterator[Statement]:
        names = tuple(n for leaf in expression if isinstance(leaf, tuple) for n in leaf if n != REQUIRED_NAMES)
        if names:
            yield ExpandAttribute(item.place, names, expand)

    def default(self, item: Item, classes: Words, origin: str, *levels: str) -> Iterator[Statement]:
        part, value = item.keyword.removeprefix("default"), " ".join((origin, *levels))
        if value not in (_DEFAULT_RANGES if part == "range" else ("source", "target")):
            hint = "source low, source high, source low-high, the same with target, or glblub"
            raise CilProblem(item.form, 2, f"`{value}` is nowhere to take a {part} from", hint if levels else "")
        names = tuple(name for word in classes.names for name in self._definitions.class_names(word))
        yield DefaultRule(item.place, part, names, value)

    def bounds(self, item: Item, parent: str, child: str) -> Iterator[Statement]:
        yield TypeBounds(item.place, parent, (child,))

    def permissive(self, item: Item, name: str) -> Iterator[Statement]:
        yield Permissive(item.place, name)

    def boolean(self, item: Item, name: str, default: Any) -> Iterator[Statement]:
        yield BooleanDeclaration(item.place, name, default)

    def capability(self, item: Item, name: str) -> Iterator[Statement]:
        yield PolicyCapability(item.place, name)

    def unknown_permissions(self, item: Item, answer: str) -> Iterator[Statement]:
        if answer != "deny":
            message = f"`handleunknown {answer}` is not possible: polpkg always writes `deny`"
            hint = "with anything else an unknown call gets past FLASK, or the policy is refused"
            raise CilProblem(item.form, 1, message, hint, "not-for-xen")
        yield from ()

    def levels_wanted(self, item: Item, wanted: object) -> Iterator[Statement]:
        if wanted and not self._mls:
            message = "this policy is one with MLS, and is linked without"
            raise CilProblem(item.form, 1, message, "link with --mls", "mls-disabled")
        yield from ()

    # Roles and users

    def role(self, item: Item, name: str) -> Iterator[Statement]:
        if name != OBJECT_ROLE:
            yield RoleDeclaration(item.place, name)

    def role_type(self, item: Item, role: str, type_: str) -> Iterator[Statement]:
        for name in self._definitions.roles(role):
            if name == OBJECT_ROLE:
                yield Require(item.place, (("type", type_),))
            else:
                yield RoleDeclaration(item.place, name, NameSet((type_,)))

    def role_allow(self, item: Item, source: str, target: str) -> Iterator[Statement]:
        sources, targets = self._definitions.roles(source), self._definitions.roles(target)
        if sources and targets:
            yield RoleAllow(item.place, NameSet(sources), NameSet(targets))

    def role_transition(self, item: Item, role: str, type_: str, name: str, result: str) -> Iterator[Statement]:
        classes = self._definitions.class_names(name)
        roles = self._definitions.roles(role)
        if roles:
            yield RoleTransition(item.place, NameSet(roles), NameSet((type_,)), classes, result)

    # Rules

    def av_rule(self, item: Item, source: str, target: str, permissions: Any) -> Iterator[AvRule]:
        kind = AvKind[item.keyword.upper()]
        for name, names in self._definitions.permissions(permissions, item):
            yield AvRule(item.place, kind, NameSet((source,)), NameSet((target,)), (name,), names)

    def type_rule(self, item: Item, source: str, target: str, name: str, result: str) -> Iterator[TypeRule]:
        classes = self._definitions.class_names(name)
        kind = _TYPE_RULES[item.keyword]
        yield TypeRule(item.place, kind, NameSet((source,)), NameSet((target,)), classes, result)

    def range_transition(self, item: Item, source: str, target: str, name: str, span: Any) -> Iterator[Statement]:
        if self._mls:
            classes = self._definitions.class_names(name)
            range_ = self._definitions.range(span, item)
            yield RangeTransition(item.place, NameSet((source,)), NameSet((target,)), classes, range_)

    def conditional(self, item: Item, condition: Any) -> Iterator[Statement]:
        then, otherwise = (tuple(self._branch(branch)) for branch in (item.then, item.otherwise))
        yield Conditional(item.place, condition, then, otherwise)

    def _branch(self, items: tuple[Item, ...]) -> Iterator[AvRule | TypeRule]:
        for item in items:
            method: Any = self.type_rule if item.keyword in _TYPE_RULES else self.av_rule
            yield from method(item, *item.values)

    def constraint(self, item: Item, about: Any, expression: Any) -> Iterator[Statement]:
        if item.keyword.startswith("mls") and not self._mls:
            return
        terms = tuple(self._term(term) if isinstance(term, ConstraintTerm) else term for term in expression)
        if item.keyword.endswith("validatetrans"):
            for name in self._definitions.class_names(about):
                yield Constraint(item.place, item.keyword, (name,), NameSet(), terms)
            return
        for name, names in self._definitions.permissions(about, item):
            yield Constraint(item.place, item.keyword, (name,), names, terms)

    def _term(self, term: ConstraintTerm) -> ConstraintTerm:
        if term.left[0] != "r" or isinstance(term.right, str):
            return term
        names = tuple(role for name in term.right.names for role in self._definitions.roles(name))
        return term._replace(right=NameSet(names))

    # Labels

    def initial_sid(self, item: Item, name: str, context: Any) -> Iterator[Statement]:
        name = self.sid_names.get(name, name)
        yield InitialSidContext(item.place, name, self._definitions.context(context, item, mls=self._mls))

    def device(self, item: Item, about: Any, context: Any) -> Iterator[Statement]:
        kind = _DEVICES[item.keyword]
        label = self._definitions.context(context, item, mls=self._mls)
        if kind is ObjectContextKind.DEVICE_TREE:
            yield ObjectContext(item.place, kind, 0, 0, about, label)
        else:
            yield ObjectContext(item.place, kind, about.low, about.high, "", label)


_METHODS: dict[str, Callable[..., Iterator[Statement]]] = {
    "handleunknown": _Builder.unknown_permissions,
    "mls": _Builder.levels_wanted,
    "policycap": _Builder.capability,
    **dict.fromkeys(("defaultuser", "defaultrole", "defaulttype", "defaultrange"), _Builder.default),
    "type": _Builder.type,
    "typealiasactual": _Builder.type_alias,
    "typeattribute": _Builder.attribute,
    "typeattributeset": _Builder.attribute_set,
    "expandtypeattribute": _Builder.expand,
    "typebounds": _Builder.bounds,
    "typepermissive": _Builder.permissive,
    "role": _Builder.role,
    "roletype": _Builder.role_type,
    "roleallow": _Builder.role_allow,
    "roletransition": _Builder.role_transition,
    "boolean": _Builder.boolean,
    **dict.fromkeys(("allow", "auditallow", "dontaudit", "neverallow"), _Builder.av_rule),
    **dict.fromkeys(_TYPE_RULES, _Builder.type_rule),
    "rangetransition": _Builder.range_transition,
    "booleanif": _Builder.conditional,
    **dict.fromkeys(("constrain", "mlsconstrain", "validatetrans", "mlsvalidatetrans"), _Builder.constraint),
    "sidcontext": _Builder.initial_sid,
    **dict.fromkeys(_DEVICES, _Builder.device),
}
"""What makes IR of each statement; the others are definitions, which are looked up."""
