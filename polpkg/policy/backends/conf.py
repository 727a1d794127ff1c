"""From the linked policy to `policy.conf`: kernel policy language for `checkpolicy -t Xen`, made to be read.

Everything is written in the order of names, so the text depends on nothing but the policy.  The grammar is that of
`checkpolicy/policy_parse.y`; a policy read from a file can be written too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import dropwhile
from operator import not_

from polpkg.diagnostics import Place
from polpkg.errors import PolicyError
from polpkg.policy.backends.conditions import told_apart
from polpkg.policy.backends.expressions import boolean_arity, constraint_arity, fold, without_empty_sets
from polpkg.policy.backends.naming import Naming, Sets, attributes_of, category_spans, in_order, joined
from polpkg.policy.backends.written_out import with_members
from polpkg.policy.ir.linked import (
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
    TypeSymbol,
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

_LINE = 100
_NAMES_A_LINE = 6

_BOOLEAN_OPERATORS = {
    BooleanOperator.NOT: "!",
    BooleanOperator.OR: "||",
    BooleanOperator.AND: "&&",
    BooleanOperator.XOR: "^",
    BooleanOperator.EQ: "==",
    BooleanOperator.NEQ: "!=",
}
_AV_RULES = {kind: kind.name.lower() for kind in AvKind}
_TYPE_RULES = {kind: kind.name.lower() for kind in TypeRuleKind}
_CONNECTIVES = {
    ConstraintConnective.NOT: "not",
    ConstraintConnective.AND: "and",
    ConstraintConnective.OR: "or",
}
_COMPARISONS = {
    ConstraintOperator.EQ: "==",
    ConstraintOperator.NEQ: "!=",
    ConstraintOperator.DOM: "dom",
    ConstraintOperator.DOMBY: "domby",
    ConstraintOperator.INCOMP: "incomp",
}


def emit_conf(policy: LinkedPolicy, *, neverallows: bool = True, origins: bool = False) -> str:
    """`policy` as policy.conf.

    `neverallows` includes the assertions; `origins` says above each rule, as a comment, where it comes from.  Raises
    PolicyError `conf-inexpressible` for what the language has no words for: an MLS policy without a constraint on
    levels, levels in a constraint of a policy without MLS.
    """
    return joined(dropwhile(not_, ConfWriter(policy, origins=origins).lines(neverallows=neverallows)))


class ConfWriter:
    """The names of a policy, and how to write each part of it."""

    def __init__(self, policy: LinkedPolicy, *, origins: bool = False) -> None:
        """`origins` says above each rule, as a comment, where it comes from."""
        policy, self.written_out = with_members(policy)
        self.policy = policy
        self.names = Naming(policy)
        self.origins = origins
        self.sets = Sets(policy)
        self.every_type = self.sets.every_type
        self._permission_texts: dict[tuple[int, int], str] = {}

    def lines(self, *, neverallows: bool) -> Iterator[str]:
        """The whole policy, in the order of checkpolicy's grammar."""
        yield from self.classes()
        yield from _section("Defaults", self.defaults())
        if self.policy.mls:
            yield from self.levels()
        yield from _section("Attributes and types", (*self.capabilities(), *self.types()))
        yield from _section("Booleans", (f"bool {b.name} {_truth(b.default)};" for b in self.policy.booleans))
        yield from _section("Roles", self.roles())
        yield from _section("Rules", self.rules())
        yield from _section("Conditional rules", self.conditionals())
        if neverallows:
            yield from _section(
                "Assertions", (line for rule in self.policy.neverallows for line in self.assertion(rule))
            )
        yield from _section("Users", map(self.user, self.policy.users))
        plain = (item for item in self.policy.constraints if not self.is_level_constraint(item))
        yield from _section("Constraints", (line for item in plain for line in self.constraint(item)))
        yield from _section("Initial SIDs", self.initial_sids())
        yield from _section("Devices", map(self.object_context, self.policy.object_contexts))

    def classes(self) -> Iterator[str]:
        """Classes, initial SIDs and permissions."""
        abi = self.policy.abi
        yield from _section("Classes", (f"class {name}" for name in self.names.classes))
        yield from _section("Initial SIDs", (f"sid {name}" for name in abi.initial_sids))
        yield from _section("Commons", (f"common {name}{_block(own)}" for name, own in sorted(self.commons.items())))
        yield from _section("Permissions", self.permission_tables())

    @property
    def commons(self) -> dict[str, tuple[str, ...]]:
        """The commons of a policy that is for no Xen."""
        return self.policy.foreign.commons if self.policy.foreign else {}

    def permission_tables(self) -> Iterator[str]:
        """The permissions of each class that has any."""
        inherits = self.policy.foreign.inherits if self.policy.foreign else {}
        for name, permissions in self.policy.abi.all_classes:
            common = inherits.get(name, "")
            own = permissions[len(self.commons.get(common, ())) :]
            if permissions:
                yield f"class {name}" + (f" inherits {common}" if common else "") + _block(own)

    def defaults(self) -> Iterator[str]:
        """Where the labels of new objects come from."""
        for security_class, part, value, place in self.policy.defaults:
            yield from self.origin(place)
            yield f"default_{part} {self.names.classes[security_class]} {value};"

    def levels(self) -> Iterator[str]:
        """Sensitivities, categories, levels, and the constraints on them."""
        policy = self.policy
        yield from _section(
            "Sensitivities", (_declaration("sensitivity", s.name, s.aliases) for s in policy.sensitivities)
        )
        yield f"dominance {{ {' '.join(self.names.sensitivities)} }}"
        yield from _section("Categories", (_declaration("category", c.name, c.aliases) for c in policy.categories))
        levels = (LinkedLevel(number, symbol.categories) for number, symbol in enumerate(policy.sensitivities))
        yield from _section("Levels", (f"level {self.level(level)};" for level in levels))
        constraints = [item for item in policy.constraints if self.is_level_constraint(item)]
        if not constraints:
            raise PolicyError(
                "conf-inexpressible",
                "an MLS policy without a constraint on levels cannot be written as policy.conf",
                hint="its grammar wants at least one mlsconstrain; use CIL",
            )
        yield from _section("Constraints on levels", (line for item in constraints for line in self.constraint(item)))

    def is_level_constraint(self, constraint: LinkedConstraint) -> bool:
        """Whether it belongs among those on levels: it is about levels, or was written so, in a policy with MLS."""
        has_levels = any(isinstance(term, LinkedTerm) and term.left[0] in "lh" for term in constraint.expression)
        if has_levels and not self.policy.mls:
            raise PolicyError("conf-inexpressible", "a constraint compares levels in a policy without MLS")
        return self.policy.mls and (has_levels or constraint.keyword.startswith("mls"))

    def capabilities(self) -> Iterator[str]:
        """Policy capabilities."""
        return (f"policycap {name};" for name in sorted(self.policy.capabilities))

    def types(self) -> Iterator[str]:
        """Attributes, types, bounds and permissive types."""
        symbols = self.policy.types
        yield from (f"attribute {symbol.name};" for symbol in symbols if symbol.is_attribute)
        yield from (f"expandattribute {symbols[number].name} true;" for number in sorted(self.written_out))
        for symbol, attributes in zip(symbols, attributes_of(self.policy), strict=True):
            if not symbol.is_attribute:
                yield from self.origin(symbol.place)
                yield _type(symbol, attributes)
        bounded = (symbol for symbol in symbols if symbol.bounds >= 0)
        yield from (f"typebounds {self.names.types[symbol.bounds]} {symbol.name};" for symbol in bounded)
        yield from (f"permissive {symbol.name};" for symbol in symbols if symbol.permissive)

    def roles(self) -> Iterator[str]:
        """Roles and the rules about them."""
        names = self.names
        roles = [role for role in self.policy.roles if role.name != OBJECT_ROLE]
        yield from (f"role {role.name};" for role in roles)
        for role in roles:
            if role.types:
                yield f"role {role.name} types {_braced([names.types[bit] for bit in bits(role.types)])};"
        for role in roles:
            if role.dominates:
                below = " ".join(f"role {names.roles[bit]};" for bit in bits(role.dominates))
                yield f"dominance {{ role {role.name} {{ {below} }} }}"
        for source, target in sorted(self.policy.role_allows):
            yield f"allow {names.roles[source]} {names.roles[target]};"
        for rule in self.policy.role_transitions:
            yield from self.origin(rule.place)
            about = f"{names.roles[rule.role]} {names.types[rule.type]}:{names.classes[rule.security_class]}"
            yield f"role_transition {about} {names.roles[rule.result]};"

    def rules(self) -> Iterator[str]:
        """The rules that always hold."""
        for rule in in_order(self.policy.rules):
            if self.origins:
                yield from self.origin(rule.place)
            yield self.av_rule(rule)
        for rule in in_order(self.policy.type_rules):
            if self.origins:
                yield from self.origin(rule.place)
            yield self.type_rule(rule)
        names = self.names
        for named in self.policy.foreign.transitions if self.policy.foreign else ():
            about = f"{names.types[named.source]} {names.types[named.target]}:{names.classes[named.security_class]}"
            yield f'type_transition {about} {names.types[named.result]} "{named.object_name}";'
        for change in self.policy.range_transitions:
            about = f"{names.types[change.source]} {names.types[change.target]}:{names.classes[change.security_class]}"
            yield f"range_transition {about} {self.range(change.range)};"

    def av_rule(self, rule: LinkedAvRule) -> str:
        """One access vector rule."""
        kind, source, target, security_class, value, _ = rule
        types = self.names.types
        to = "self" if source == target and not self.policy.types[source].is_attribute else types[target]
        permissions = self.permissions(security_class, value)
        return f"{_AV_RULES[kind]} {types[source]} {to}:{self.names.classes[security_class]} {permissions};"

    def permissions(self, security_class: int, value: int) -> str:
        """A set of permissions of one class."""
        text = self._permission_texts.get((security_class, value))
        if text is None:
            text = _braced(self.names.permissions(security_class, value))
            self._permission_texts[security_class, value] = text
        return text

    def type_rule(self, rule: LinkedTypeRule) -> str:
        """One type rule."""
        types = self.names.types
        about = f"{types[rule.source]} {types[rule.target]}:{self.names.classes[rule.security_class]}"
        return f"{_TYPE_RULES[rule.kind]} {about} {types[rule.result]};"

    def conditionals(self) -> Iterator[str]:
        """Rules under conditions."""
        for conditional in told_apart(self.policy.conditionals):
            yield f"if {_bracketed(self.condition(conditional))} {{"
            yield from self.branch(conditional.then)
            if conditional.otherwise:
                yield "} else {"
                yield from self.branch(conditional.otherwise)
            yield "}"

    def branch(self, rules: Iterable[LinkedAvRule | LinkedTypeRule]) -> Iterator[str]:
        """The rules of one branch of a conditional."""
        for rule in in_order(rules):
            yield from ("\t" + line for line in self.origin(rule.place))
            yield "\t" + (self.av_rule(rule) if isinstance(rule, LinkedAvRule) else self.type_rule(rule))

    def condition(self, conditional: LinkedConditional) -> str:
        """The expression of a conditional."""

        def write(term: int | BooleanOperator, operands: Sequence[str]) -> str:
            if not isinstance(term, BooleanOperator):
                return self.names.booleans[term]
            return _operation(_BOOLEAN_OPERATORS[term], operands)

        return fold(conditional.expression, boolean_arity, write)

    def assertion(self, rule: LinkedNeverallow) -> Iterator[str]:
        """One neverallow rule, below its name."""
        if not rule.sources or not (rule.targets or rule.on_self):
            return  # an empty set has no words, and such an assertion asserts nothing
        if rule.name:
            yield f"# {rule.name}"
        if self.origins:
            yield from self.origin(rule.place)
        targets = self.type_set(rule.targets) if rule.targets else "self"
        if rule.on_self and rule.targets != self.every_type:
            targets = _braced([*(self.names.types[bit] for bit in bits(rule.targets)), "self"])
        permissions = self.permissions(rule.security_class, rule.permissions)
        about = f"{targets}:{self.names.classes[rule.security_class]}"
        yield f"neverallow {self.type_set(rule.sources)} {about} {permissions};"

    def type_set(self, value: int) -> str:
        """A set of types, by an attribute that has just these, or by what is not in it when that is shorter."""
        return self.sets.text(value, self._type_set)

    def _type_set(self, value: int) -> str:
        if value == self.every_type:
            return "*"
        if (same := self.sets.attribute_of(value)) >= 0:
            return self.names.types[same]
        if found := self.sets.describe(value):
            more, without = ([self.names.types[bit] for bit in bits(part)] for part in found[1:])
            return _braced([self.names.types[found.attribute], *more, *(f"-{name}" for name in without)])
        rest, is_shorter = self.sets.rest(value)
        sign, chosen = ("~", rest) if is_shorter else ("", value)
        return sign + _braced([self.names.types[bit] for bit in bits(chosen)])

    def user(self, user: UserSymbol) -> str:
        """One user."""
        roles = [self.names.roles[bit] for bit in bits(user.roles & ~1)] or [OBJECT_ROLE]
        text = f"user {user.name} roles {_braced(roles)}"
        if self.policy.mls and user.level and user.range:
            text += f" level {self.level(user.level)} range {self.range(user.range)}"
        return text + ";"

    def constraint(self, constraint: LinkedConstraint) -> Iterator[str]:
        """One constraint."""
        yield from self.origin(constraint.place)
        keyword = constraint.keyword.removeprefix("mls")
        prefix = "mls" if self.is_level_constraint(constraint) else ""
        about = self.names.classes[constraint.security_class]
        if constraint.permissions:
            about += f" {self.permissions(constraint.security_class, constraint.permissions)}"
        expression = fold(without_empty_sets(self.policy, constraint.expression), constraint_arity, self.term)
        yield f"{prefix}{keyword} {about} {_bracketed(expression)};"

    def term(self, term: LinkedTerm | ConstraintConnective, operands: Sequence[str]) -> str:
        """One comparison of a constraint, or a connective."""
        if isinstance(term, ConstraintConnective):
            return _operation(_CONNECTIVES[term], operands)
        right = term.right or _braced(self.names.written(self.policy, term))
        return f"{term.left} {_COMPARISONS[term.operator]} {right}"

    def initial_sids(self) -> Iterator[str]:
        """The contexts of initial SIDs."""
        for name, context in zip(self.policy.abi.initial_sids, self.policy.initial_sids, strict=True):
            if context is not None:
                yield f"sid {name} {self.context(context)}"

    def object_context(self, item: LinkedObjectContext) -> str:
        """The label of a device."""
        return _LABELS[item.kind](item) + " " + self.context(item.context)

    def context(self, context: LinkedContext) -> str:
        """A context in words."""
        names = self.names
        text = f"{names.users[context.user]}:{names.roles[context.role]}:{names.types[context.type]}"
        return f"{text}:{self.range(context.range)}" if self.policy.mls and context.range else text

    def range(self, span: LinkedRange) -> str:
        """A range of levels, or the one level that it is."""
        low, high = self.level(span.low), self.level(span.high)
        return low if span.low == span.high else f"{low} - {high}"

    def level(self, level: LinkedLevel) -> str:
        """A level."""
        categories = category_spans(level.categories, self.names.categories)
        text = ",".join(first if first == last else f"{first}.{last}" for first, last in categories)
        sensitivity = self.names.sensitivities[level.sensitivity]
        return f"{sensitivity}:{text}" if text else sensitivity

    def origin(self, place: Place | None) -> Iterator[str]:
        """A comment with the origin of a rule, where that is wanted and known."""
        if self.origins and place is not None:
            yield f"# {place.origin()}"


def _section(title: str, lines: Iterable[str]) -> Iterator[str]:
    """Nothing when there are no lines."""
    is_first = True
    for line in lines:
        if is_first:
            yield from ("", f"# {title}", "")
            is_first = False
        yield line


def _block(permissions: Sequence[str]) -> str:
    """Permissions a line each; nothing when there are none."""
    return "\n{\n\t" + "\n\t".join(permissions) + "\n}" if permissions else ""


def _braced(names: Sequence[str]) -> str:
    if len(names) == 1:
        return names[0]
    text = " ".join(names)
    return f"{{ {text} }}" if len(text) <= _LINE else f"{{\n\t{_wrapped(names, ' ')}\n}}"


def _wrapped(names: Sequence[str], separator: str) -> str:
    """Names a few on a line: checkpolicy takes no line of more than 8191 bytes."""
    lines = (separator.join(names[n : n + _NAMES_A_LINE]) for n in range(0, len(names), _NAMES_A_LINE))
    return f"{separator.rstrip()}\n\t".join(lines)


def _truth(value: bool) -> str:  # noqa: FBT001 - the value is all there is
    return "true" if value else "false"


def _declaration(keyword: str, name: str, aliases: Sequence[str]) -> str:
    return f"{keyword} {name}" + (f" alias {_braced(sorted(aliases))}" if aliases else "") + ";"


def _type(symbol: TypeSymbol, attributes: Sequence[str]) -> str:
    text = _declaration("type", symbol.name, symbol.aliases)
    return text.removesuffix(";") + (f", {_wrapped(attributes, ', ')}" if attributes else "") + ";"


def _operation(operator: str, operands: Sequence[str]) -> str:
    """An operator with its operands, in brackets where the grammar would otherwise take it apart.

    `!` binds less tightly than `==` and `!=`: without brackets, `!a == b` is read as `!(a == b)`.
    """
    if operator in ("==", "!="):
        operands = [f"({operand})" if operand.startswith("!") else operand for operand in operands]
    if len(operands) == 2:
        return f"({operands[0]} {operator} {operands[1]})"
    return f"{operator}{operands[0]}" if operator == "!" else f"{operator} ({operands[0]})"


def _bracketed(expression: str) -> str:
    """In brackets; an operator with two operands is already."""
    return expression if expression.startswith("(") else f"({expression})"


def _range_of(keyword: str) -> Callable[[LinkedObjectContext], str]:
    def write(item: LinkedObjectContext) -> str:
        return f"{keyword} {item.low:#x}" + (f"-{item.high:#x}" if item.high != item.low else "")

    return write


_LABELS: dict[ObjectContextKind, Callable[[LinkedObjectContext], str]] = {
    ObjectContextKind.PIRQ: lambda item: f"pirqcon {item.low}",
    ObjectContextKind.IOPORT: _range_of("ioportcon"),
    ObjectContextKind.IOMEM: _range_of("iomemcon"),
    ObjectContextKind.PCI_DEVICE: lambda item: f"pcidevicecon {item.low:#x}",
    ObjectContextKind.DEVICE_TREE: lambda item: f'devicetreecon "{item.path}"',
}
