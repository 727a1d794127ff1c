"""From the linked policy to CIL, for `secilc -t xen`: flat, without blocks or macros.

Statements are those of libsepol's `cil/src/cil_build_ast.c`.  CIL has levels in every context, so a policy without MLS
gets one sensitivity, which the compiler leaves out again; and it drops or expands attributes as it sees fit, which
`expandtypeattribute ... false` forbids.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from polpkg.errors import PolicyError
from polpkg.policy.backends.conditions import told_apart
from polpkg.policy.backends.expressions import boolean_arity, constraint_arity, fold, without_empty_sets
from polpkg.policy.backends.naming import Described, Naming, Sets, category_spans, in_order, joined
from polpkg.policy.backends.written_out import with_members
from polpkg.policy.ir.linked import (
    Foreign,
    LinkedAvRule,
    LinkedConditional,
    LinkedConstraint,
    LinkedContext,
    LinkedLevel,
    LinkedNeverallow,
    LinkedObjectContext,
    LinkedPolicy,
    LinkedRange,
    LinkedTerm,
    LinkedTypeRule,
    UserSymbol,
    bits,
)
from polpkg.policy.ir.statements import (
    AvKind,
    BooleanOperator,
    ConstraintConnective,
    ConstraintOperator,
    ObjectContextKind,
    TypeRuleKind,
)
from polpkg.policy.policydb.layout import OBJECT_ROLE

_ONLY_SENSITIVITY = "s0"
_ONLY_RANGE = f"(({_ONLY_SENSITIVITY}) ({_ONLY_SENSITIVITY}))"

_BOOLEAN_OPERATORS = {
    BooleanOperator.NOT: "not",
    BooleanOperator.OR: "or",
    BooleanOperator.AND: "and",
    BooleanOperator.XOR: "xor",
    BooleanOperator.EQ: "eq",
    BooleanOperator.NEQ: "neq",
}
_CONNECTIVES = {
    ConstraintConnective.NOT: "not",
    ConstraintConnective.AND: "and",
    ConstraintConnective.OR: "or",
}
_COMPARISONS = {
    ConstraintOperator.EQ: "eq",
    ConstraintOperator.NEQ: "neq",
    ConstraintOperator.DOM: "dom",
    ConstraintOperator.DOMBY: "domby",
    ConstraintOperator.INCOMP: "incomp",
}
_AV_RULES = {kind: kind.name.lower() for kind in AvKind}
_TYPE_RULES = {
    TypeRuleKind.TYPE_TRANSITION: "typetransition",
    TypeRuleKind.TYPE_MEMBER: "typemember",
    TypeRuleKind.TYPE_CHANGE: "typechange",
}
_LABELS = {
    ObjectContextKind.PIRQ: "pirqcon",
    ObjectContextKind.IOPORT: "ioportcon",
    ObjectContextKind.IOMEM: "iomemcon",
    ObjectContextKind.PCI_DEVICE: "pcidevicecon",
    ObjectContextKind.DEVICE_TREE: "devicetreecon",
}


def emit_cil(policy: LinkedPolicy, *, neverallows: bool = True, origins: bool = False) -> str:
    """`policy` as CIL.

    `neverallows` includes the assertions; `origins` says above each rule, as a comment, where it comes from.  Raises
    PolicyError `cil-inexpressible` for names with a dot, which CIL takes for paths.
    """
    emitter = _Emitter(policy, origins=origins)
    emitter.check_names()
    return joined(emitter.lines(neverallows=neverallows))


def statements(policy: LinkedPolicy) -> Iterator[str]:
    """The statements of `policy` in CIL but for assertions, to be read or compared rather than compiled."""
    return _Emitter(policy, origins=False).lines(neverallows=False)


class _Emitter:
    """The names of the policy, and how to write each part of it."""

    def __init__(self, policy: LinkedPolicy, *, origins: bool) -> None:
        policy, _ = with_members(policy)
        self.policy = policy
        self.names = Naming(policy)
        self.sets = Sets(policy)
        self.set_names: dict[str, str] = {}
        self.new_sets: list[str] = []
        self.origins = origins
        self._permission_texts: dict[tuple[int, int], str] = {}

    def check_names(self) -> None:
        names = self.names
        for role in self.policy.roles:
            if role.dominates:
                raise PolicyError("cil-inexpressible", f"role {role.name} dominates others, which CIL cannot say")
        permissions = [name for security_class in self.policy.abi.all_classes for name in security_class.permissions]
        for known in (names.types, names.roles, names.users, names.booleans, names.classes, permissions):
            for name in known:
                if "." in name:
                    raise PolicyError("cil-inexpressible", f"{name} has a dot in its name, which CIL cannot say")

    def lines(self, *, neverallows: bool) -> Iterator[str]:
        policy = self.policy
        yield "(handleunknown deny)"
        yield f"(mls {_truth(policy.mls)})"
        yield from (f"(policycap {name})" for name in sorted(policy.capabilities))
        yield from self.classes()
        yield from self.levels()
        yield from self.types()
        yield from (f"(boolean {symbol.name} {_truth(symbol.default)})" for symbol in policy.booleans)
        yield from self.roles()
        yield from self.users()
        yield from self.rules()
        yield from (
            line for item in told_apart(policy.conditionals) if _has_rules(item) for line in self.conditional(item)
        )
        if neverallows:
            for rule in policy.neverallows:
                yield from self.assertion(rule)
        yield from (line for item in policy.constraints for line in self.constraint(item))
        for name, context in zip(policy.abi.initial_sids, policy.initial_sids, strict=True):
            if context is not None:
                yield f"(sidcontext {name} {self.context(context)})"
        yield from map(self.object_context, policy.object_contexts)

    def classes(self) -> Iterator[str]:
        foreign = self.policy.foreign or Foreign()
        yield from (f"(common {name} {_list(permissions)})" for name, permissions in sorted(foreign.commons.items()))
        for name, permissions in self.policy.abi.all_classes:
            common = foreign.inherits.get(name, "")
            yield f"(class {name} {_list(permissions[len(foreign.commons.get(common, ())) :])})"
            if common:
                yield f"(classcommon {name} {common})"
        yield f"(classorder {_list(self.names.classes)})"
        for security_class, part, value, _ in self.policy.defaults:
            yield f"(default{part} {self.names.classes[security_class]} {value})"
        yield from (f"(sid {name})" for name in self.policy.abi.initial_sids)
        yield f"(sidorder {_list(self.policy.abi.initial_sids)})"

    def levels(self) -> Iterator[str]:
        policy = self.policy
        if not policy.mls:
            yield f"(sensitivity {_ONLY_SENSITIVITY})"
            yield f"(sensitivityorder ({_ONLY_SENSITIVITY}))"
            return
        for symbol in policy.categories:
            yield from _declaration("category", symbol.name, symbol.aliases)
        if policy.categories:
            yield f"(categoryorder {_list(self.names.categories)})"
        for symbol in policy.sensitivities:
            yield from _declaration("sensitivity", symbol.name, symbol.aliases)
        yield f"(sensitivityorder {_list(self.names.sensitivities)})"
        for symbol in policy.sensitivities:
            if symbol.categories:
                yield f"(sensitivitycategory {symbol.name} {self.categories(symbol.categories)})"

    def types(self) -> Iterator[str]:
        for symbol in self.policy.types:
            yield from _declaration("typeattribute" if symbol.is_attribute else "type", symbol.name, symbol.aliases)
        for symbol in self.policy.types:
            if symbol.is_attribute:
                yield f"(expandtypeattribute ({symbol.name}) false)"
            if symbol.members:
                yield f"(typeattributeset {symbol.name} {_list(self.type_names(symbol.members))})"
            if symbol.bounds >= 0:
                yield f"(typebounds {self.names.types[symbol.bounds]} {symbol.name})"
            if symbol.permissive:
                yield f"(typepermissive {symbol.name})"

    def type_names(self, value: int) -> list[str]:
        return [self.names.types[bit] for bit in bits(value)]

    def roles(self) -> Iterator[str]:
        names = self.names
        for role in self.policy.roles:
            yield f"(role {role.name})"
            types = self.object_types() if role.name == OBJECT_ROLE else role.types
            yield from (f"(roletype {role.name} {name})" for name in self.type_names(types))
        for source, target in sorted(self.policy.role_allows):
            yield f"(roleallow {names.roles[source]} {names.roles[target]})"
        for rule in self.policy.role_transitions:
            about = f"{names.roles[rule.role]} {names.types[rule.type]} {names.classes[rule.security_class]}"
            yield f"(roletransition {about} {names.roles[rule.result]})"

    def object_types(self) -> int:
        """The types of labels with `object_r`: CIL wants to be told, though the compiled policy does not say."""
        contexts = [*self.policy.initial_sids, *(item.context for item in self.policy.object_contexts)]
        types = {context.type for context in contexts if context is not None and context.role == 0}
        return sum(1 << number for number in types)

    def users(self) -> Iterator[str]:
        for user in self.policy.users:
            yield f"(user {user.name})"
            yield f"(userrole {user.name} {OBJECT_ROLE})"
            yield from (f"(userrole {user.name} {self.names.roles[bit]})" for bit in bits(user.roles & ~1))
            yield from self.clearance(user)

    def clearance(self, user: UserSymbol) -> Iterator[str]:
        level = self.level(user.level) if self.policy.mls and user.level else f"({_ONLY_SENSITIVITY})"
        yield f"(userlevel {user.name} {level})"
        yield f"(userrange {user.name} {self.range(user.range)})"

    def rules(self) -> Iterator[str]:
        yield from self.branch(self.policy.rules, "")
        yield from self.branch(self.policy.type_rules, "")
        names = self.names
        for named in self.policy.foreign.transitions if self.policy.foreign else ():
            about = f"{names.types[named.source]} {names.types[named.target]} {names.classes[named.security_class]}"
            yield f'(typetransition {about} "{named.object_name}" {names.types[named.result]})'
        for rule in self.policy.range_transitions:
            about = f"{names.types[rule.source]} {names.types[rule.target]} {names.classes[rule.security_class]}"
            yield f"(rangetransition {about} {self.range(rule.range)})"

    def branch(self, rules: Iterable[LinkedAvRule | LinkedTypeRule], indent: str) -> Iterator[str]:
        for rule in in_order(rules):
            if self.origins and rule.place is not None:
                yield f"{indent}; {rule.place.origin()}"
            yield indent + (self.av_rule(rule) if isinstance(rule, LinkedAvRule) else self.type_rule(rule))

    def av_rule(self, rule: LinkedAvRule) -> str:
        kind, source, target, security_class, value, _ = rule
        types = self.names.types
        return f"({_AV_RULES[kind]} {types[source]} {types[target]} {self.permissions(security_class, value)})"

    def permissions(self, security_class: int, value: int) -> str:
        """A class and some of its permissions."""
        text = self._permission_texts.get((security_class, value))
        if text is None:
            granted = _list(self.names.permissions(security_class, value))
            text = f"({self.names.classes[security_class]} {granted})"
            self._permission_texts[security_class, value] = text
        return text

    def type_rule(self, rule: LinkedTypeRule) -> str:
        types = self.names.types
        about = f"{types[rule.source]} {types[rule.target]} {self.names.classes[rule.security_class]}"
        return f"({_TYPE_RULES[rule.kind]} {about} {types[rule.result]})"

    def conditional(self, conditional: LinkedConditional) -> Iterator[str]:
        yield f"(booleanif {self.condition(conditional)}"
        for word, rules in (("true", conditional.then), ("false", conditional.otherwise)):
            if rules:
                yield f"    ({word}"
                yield from self.branch(rules, "        ")
                yield "    )"
        yield ")"

    def condition(self, conditional: LinkedConditional) -> str:
        def write(term: int | BooleanOperator, operands: Sequence[str]) -> str:
            if not isinstance(term, BooleanOperator):
                return self.names.booleans[term]
            return _list((_BOOLEAN_OPERATORS[term], *operands))

        return fold(conditional.expression, boolean_arity, write)

    def assertion(self, rule: LinkedNeverallow) -> Iterator[str]:
        """An assertion, below the attributes that it is the first to need."""
        what = self.permissions(rule.security_class, rule.permissions)
        sources = self.sets.text(rule.sources, self.set_name)
        targets = self.sets.text(rule.targets, self.set_name) if rule.targets else ""
        if self.new_sets:
            yield from self.new_sets
            self.new_sets.clear()
        if rule.name:
            yield f"; {rule.name}"
        if rule.on_self:
            yield f"(neverallow {sources} self {what})"
        if targets:
            yield f"(neverallow {sources} {targets} {what})"

    def set_name(self, members: int) -> str:
        """The name of a set of types in assertions: the type itself when it is one, or an attribute for each set."""
        if members.bit_count() == 1:
            return self.names.types[members.bit_length() - 1]
        text = self.type_set(members)
        name = self.set_names.get(text)
        if name is None:
            name = self.set_names[text] = f"assertion_set_{len(self.set_names)}"
            self.new_sets.append(f"(typeattribute {name})")
            if text:
                self.new_sets.append(f"(typeattributeset {name} {text})")
        return name

    def type_set(self, members: int) -> str:
        """A set of types; empty when it is."""
        if members == self.sets.every_type:
            return "(all)"
        if found := self.sets.describe(members):
            return self.described(found)
        rest, is_shorter = self.sets.rest(members)
        if is_shorter:
            return f"(not {_list(self.type_names(rest))})"
        return _list(self.type_names(members)) if members else ""

    def described(self, found: Described) -> str:
        words = f"({self.names.types[found.attribute]})"
        if found.without:
            words = f"(and {words} (not {_list(self.type_names(found.without))}))"
        return f"(or {words} {_list(self.type_names(found.more))})" if found.more else words

    def constraint(self, constraint: LinkedConstraint) -> Iterator[str]:
        if self.origins and constraint.place is not None:
            yield f"; {constraint.place.origin()}"
        has_levels = any(isinstance(term, LinkedTerm) and term.left[0] in "lh" for term in constraint.expression)
        keyword = ("mls" if has_levels else "") + constraint.keyword.removeprefix("mls")
        about = self.names.classes[constraint.security_class]
        if constraint.permissions:
            about = f"({about} {_list(self.names.permissions(constraint.security_class, constraint.permissions))})"
        expression = without_empty_sets(self.policy, constraint.expression)
        yield f"({keyword} {about} {fold(expression, constraint_arity, self.term)})"

    def term(self, term: LinkedTerm | ConstraintConnective, operands: Sequence[str]) -> str:
        if isinstance(term, ConstraintConnective):
            return _list((_CONNECTIVES[term], *operands))
        return _list((_COMPARISONS[term.operator], term.left, term.right or self.term_names(term)))

    def term_names(self, term: LinkedTerm) -> str:
        names = self.names.written(self.policy, term)
        return names[0] if len(names) == 1 else _list(names)

    def object_context(self, item: LinkedObjectContext) -> str:
        about = f'"{item.path}"' if item.kind is ObjectContextKind.DEVICE_TREE else str(item.low)
        if item.low != item.high:
            about = f"({item.low} {item.high})"
        return f"({_LABELS[item.kind]} {about} {self.context(item.context)})"

    def context(self, context: LinkedContext) -> str:
        names = self.names
        label = f"{names.users[context.user]} {names.roles[context.role]} {names.types[context.type]}"
        return f"({label} {self.range(context.range)})"

    def range(self, span: LinkedRange | None) -> str:
        if not self.policy.mls or span is None:
            return _ONLY_RANGE
        return f"({self.level(span.low)} {self.level(span.high)})"

    def level(self, level: LinkedLevel) -> str:
        sensitivity = self.names.sensitivities[level.sensitivity]
        return f"({sensitivity} {self.categories(level.categories)})" if level.categories else f"({sensitivity})"

    def categories(self, value: int) -> str:
        spans = category_spans(value, self.names.categories)
        return _list([first if first == last else f"(range {first} {last})" for first, last in spans])


def _list(words: Iterable[str]) -> str:
    return f"({' '.join(words)})"


def _has_rules(item: LinkedConditional) -> bool:
    """Whether there is a branch: secilc refuses a condition without any."""
    return bool(item.then or item.otherwise)


def _truth(value: bool) -> str:  # noqa: FBT001 - the value is all there is
    return "true" if value else "false"


def _declaration(keyword: str, name: str, aliases: Iterable[str]) -> Iterator[str]:
    yield f"({keyword} {name})"
    for alias in sorted(aliases):
        yield f"({keyword}alias {alias})"
        yield f"({keyword}aliasactual {alias} {name})"
