"""Pass `rules`: access vector rules, type rules and conditionals, bound to numbers."""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING, NamedTuple

from polpkg.policy.ir.columns import Columns, RuleColumns, RuleList
from polpkg.policy.ir.linked import (
    LinkedAvRule,
    LinkedConditional,
    LinkedNamedTransition,
    LinkedNeverallow,
    LinkedRoleTransition,
    LinkedTypeRule,
    bits,
)
from polpkg.policy.ir.quick import new_tuple
from polpkg.policy.ir.statements import (
    AvKind,
    AvRule,
    BooleanOperator,
    Conditional,
    NamedTransition,
    NameSet,
    RoleAllow,
    RoleTransition,
    TypeRule,
)
from polpkg.policy.link.assertions import AssertionNames
from polpkg.policy.link.bulk import bind_rows
from polpkg.policy.link.computed import ComputedLabels, scopes_of
from polpkg.policy.link.depth import DEEPEST_CONDITION, stack_height
from polpkg.policy.link.report import declared_at

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from polpkg.diagnostics import Place
    from polpkg.policy.ir.module import PolicyModule
    from polpkg.policy.ir.statements import Statement
    from polpkg.policy.link.binder import Binder, TypeSet
    from polpkg.policy.link.bulk import BoundRows
    from polpkg.policy.link.computed import Scope


_MANY = 64
"""From so many on, what one type rule computes is kept in columns."""

_RULES = frozenset((AvRule, TypeRule, NamedTransition, RoleAllow, RoleTransition))
"""Statements that say who may do what, unconditionally."""


class LinkedRules(NamedTuple):
    """What `link_rules` makes of all modules."""

    rules: Sequence[LinkedAvRule]
    type_rules: Sequence[LinkedTypeRule]
    conditionals: tuple[LinkedConditional, ...]
    neverallows: tuple[LinkedNeverallow, ...]
    role_allows: tuple[tuple[int, int], ...]
    role_transitions: tuple[LinkedRoleTransition, ...]
    named_transitions: tuple[LinkedNamedTransition, ...]


def link_rules(modules: Sequence[PolicyModule], binder: Binder) -> LinkedRules:
    """Binds every rule of every module, in the order of the modules; conditional ones last."""
    linker = _RuleLinker(binder, AssertionNames(modules))
    for module in modules:
        linker.bind_module(module)
    for module in modules:
        linker.bind_conditionals(module)
    return LinkedRules(
        linker.rules.settled(),
        linker.type_rules.settled(),
        tuple(linker.conditionals),
        tuple(linker.neverallows),
        tuple(sorted(linker.role_allows)),
        tuple(linker.role_transitions),
        tuple(linker.named_transitions),
    )


def check_unused(dropped: Iterable[Statement], untaken: Sequence[PolicyModule], binder: Binder) -> None:
    """Reports what is wrong with rules that do not hold: the next decision may be another one.

    Those of `dropped` may be about types that nobody declares.
    """
    linker = _RuleLinker(binder, AssertionNames(()))
    for statement in dropped:
        linker.check_dropped(statement)
    for module in untaken:
        for statement in module.statements:
            linker.check_untaken(statement, module)


class _RuleLinker:
    """Binds single rules, and remembers what they compute, to find contradictions."""

    def __init__(self, binder: Binder, names: AssertionNames) -> None:
        self._binder = binder
        self._names = names
        self.rules = RuleList[LinkedAvRule]()
        self.type_rules = RuleList[LinkedTypeRule]()
        self.conditionals: list[LinkedConditional] = []
        self.neverallows: list[LinkedNeverallow] = []
        self.role_allows: set[tuple[int, int]] = set()
        self.role_transitions: list[LinkedRoleTransition] = []
        self.named_transitions: list[LinkedNamedTransition] = []
        self._computed = ComputedLabels(binder)
        self._plain: dict[NameSet, tuple[int, ...]] = {}
        self._known_classes: dict[tuple[tuple[str, ...], NameSet], tuple[tuple[int, int], ...]] = {}
        self._role_results: dict[tuple[int, int, int], LinkedRoleTransition] = {}

    def bind_module(self, module: PolicyModule) -> None:
        """Binds the unconditional rules of a module."""
        self._plain = {}
        table = module.table
        bound = bind_rows(table, module, self._binder) if table else None
        if table is None or bound is None:
            for statement in module.statements:
                if type(statement) in _RULES:
                    self._bind(statement, module)
            return
        done = (0, 0)
        for statement, before in zip(table.others, table.rows_before(), strict=True):
            if type(statement) in _RULES:
                if (
                    before != done
                    and isinstance(statement, (AvRule, TypeRule))
                    and statement.kind is not AvKind.NEVERALLOW
                ):
                    done = self._add_rows(bound, done, before)
                self._bind(statement, module)
        self._add_rows(bound, done, (len(bound.rules), len(bound.type_rules)))

    def _add_rows(self, bound: BoundRows, begin: tuple[int, int], end: tuple[int, int]) -> tuple[int, int]:
        """Adds rules of a table up to `end`, which is returned; type rules that say what was said are left out."""
        self.rules.add_columns(bound.rules.part(begin[0], end[0]))
        self._add_type_columns(bound.type_rules.part(begin[1], end[1]))
        return end

    def _bind(self, statement: Statement, module: PolicyModule) -> None:
        if isinstance(statement, AvRule):
            if statement.kind is AvKind.NEVERALLOW:
                self._bind_neverallow(statement, module)
            else:
                self._bind_av_rule(statement, module, self.rules.end)
        elif isinstance(statement, TypeRule):
            self._add_type_rule(statement, module)
        elif isinstance(statement, NamedTransition):
            self.named_transitions.extend(self.bind_named_transition(statement, module))
        elif isinstance(statement, RoleAllow):
            self.bind_role_allow(statement.source, statement.target, module, statement.place)
        elif isinstance(statement, RoleTransition):
            self.role_transitions.extend(self.bind_role_transition(statement, module))

    def bind_conditionals(self, module: PolicyModule) -> None:
        """Binds the conditional rules of a module."""
        self._plain = {}
        for statement in module.others:
            if isinstance(statement, Conditional):
                self.conditionals.extend(self._bind_conditional(statement, module))

    def check_dropped(self, statement: Statement) -> None:
        """Classes, permissions and forms of sets."""
        if isinstance(statement, Conditional):
            for rule in (*statement.then, *statement.otherwise):
                self.check_dropped(rule)
        elif isinstance(statement, AvRule):
            self._classes(statement)
            if statement.kind is not AvKind.NEVERALLOW:
                self._refuse_star(statement.source, statement.place)
                self._refuse_star(statement.target, statement.place)
        elif isinstance(statement, TypeRule):
            for name in statement.classes:
                self._binder.class_number(name, statement.place)

    def check_untaken(self, statement: Statement, module: PolicyModule) -> None:
        """Everything but what contradicts other rules."""
        if isinstance(statement, AvRule):
            self._bind_av_rule(statement, module, [])
        elif isinstance(statement, TypeRule):
            self._computed = ComputedLabels(self._binder)
            for _ in self.bind_type_rule(statement, module):
                pass

    def _classes(self, rule: AvRule) -> tuple[tuple[int, int], ...]:
        """The classes of a rule by number, each with the permissions of the rule as a bit set; empty ones left out."""
        about = (rule.classes, rule.permissions)
        known = self._known_classes.get(about)
        if known is None:
            binder, place = self._binder, rule.place
            numbers = [(binder.class_number(name, place), name) for name in rule.classes]
            known = self._known_classes[about] = tuple(
                (number, found)
                for number, name in numbers
                if number is not None and (found := binder.permission_bits(rule.permissions, name, place))
            )
        return known

    def _symbols(self, names: NameSet, module: PolicyModule, place: Place) -> tuple[int, ...] | None:
        """The numbers to write for a set in rules of `module`; None for one that has `self`, `*` or `~` in it."""
        if names.star or names.complement or "self" in names.names or "self" in names.excluded:
            return None
        found = self._binder.rule_symbols(self._binder.type_set(names, module, place))
        if self._binder.is_bound_for(names, module):
            self._plain[names] = found
        return found

    def _bind_av_rule(self, rule: AvRule, module: PolicyModule, rules: list[LinkedAvRule]) -> None:
        """`allow` and its like, one rule for each source, target and class, to be added to `rules`."""
        place, kind, source_set, target_set, _, _ = rule
        plain = self._plain
        sources = plain.get(source_set) or self._symbols(source_set, module, place)
        targets = None if sources is None else plain.get(target_set) or self._symbols(target_set, module, place)
        if sources is None or targets is None:
            rules.extend(self._bind_with_self(rule, module))
            return
        for number, permissions in self._classes(rule):
            rules += [
                new_tuple(LinkedAvRule, (kind, source, target, number, permissions, place))
                for source in sources
                for target in targets
            ]

    def _bind_with_self(self, rule: AvRule, module: PolicyModule) -> Iterator[LinkedAvRule]:
        """A rule with `self` is expanded to types on both sides, as libsepol does (`convert_and_expand_rule`)."""
        place, kind = rule.place, rule.kind
        with_self = "self" in rule.target.names
        self._refuse_star(rule.source, place)
        self._refuse_star(rule.target, place)
        if "self" in rule.target.excluded:
            message = "`-self` is allowed in neverallow rules only"
            self._binder.report.error(place, "syntax-error", message)
        sources = self._binder.type_set(rule.source, module, place, only_types=with_self)
        targets = self._binder.type_set(rule.target, module, place, only_types=with_self, allow_self=True)
        from_symbols, to_symbols = self._binder.rule_symbols(sources), self._binder.rule_symbols(targets)
        for number, permissions in self._classes(rule):
            for source in from_symbols:
                if with_self and not targets.types >> source & 1:
                    yield LinkedAvRule(kind, source, source, number, permissions, place)
                for target in to_symbols:
                    yield LinkedAvRule(kind, source, target, number, permissions, place)

    def _refuse_star(self, names: NameSet, place: Place) -> None:
        if names.star or names.complement:
            message = f"`{'*' if names.star else '~'}` is allowed in neverallow rules only"
            self._binder.report.error(place, "syntax-error", message, "name an attribute, such as domain_type")

    def _bind_neverallow(self, rule: AvRule, module: PolicyModule) -> None:
        """An assertion, with attributes expanded on both sides."""
        binder = self._binder
        place, _, source_set, target_set, _, _ = rule
        sources = binder.type_set(source_set, module, place, only_types=True)
        targets = binder.type_set(target_set, module, place, only_types=True, allow_self=True)
        if targets.has_self and target_set.complement:
            message = (
                "`~self` is read as all types and itself, as checkpolicy did before 3.6; since then, as all others"
            )
            binder.report.warn(place, "ambiguous-assertion", message, "write `{ * -self }` for all others")
        pairs = ((sources.types, targets.types),)
        if targets.not_self:
            pairs = tuple(_without_self(sources.types, targets.types))
        name, on_self = self._names.name_of(place), targets.has_self
        for number, permissions in self._classes(rule):
            for source, target in pairs:
                fields = (source, target, on_self, number, permissions, rule, name, place)
                self.neverallows.append(new_tuple(LinkedNeverallow, fields))

    def bind_type_rule(self, rule: TypeRule, module: PolicyModule, scope: Scope = None) -> Iterator[LinkedTypeRule]:
        """A computed label, for types only: the hypervisor looks them up by exact type."""
        sources, targets, result = self._computed_sets(rule, module)
        if result is None:
            return
        for name in rule.classes:
            number = self._binder.class_number(name, rule.place)
            if number is None:
                continue
            for source in sources.symbols:
                own = () if not targets.has_self or targets.types >> source & 1 else (source,)
                for target in (*targets.symbols, *own):
                    new = new_tuple(LinkedTypeRule, (rule.kind, source, target, number, result, rule.place))
                    if self._computed.add(new, scope):
                        yield new

    def _computed_sets(self, rule: TypeRule, module: PolicyModule) -> tuple[TypeSet, TypeSet, int | None]:
        """Source, target and result of a type rule."""
        binder, place = self._binder, rule.place
        self._refuse_star(rule.source, place)
        self._refuse_star(rule.target, place)
        sources = binder.type_set(rule.source, module, place, only_types=True)
        targets = binder.type_set(rule.target, module, place, only_types=True, allow_self=True)
        return sources, targets, binder.single_type(rule.result, module, place)

    def _add_type_rule(self, rule: TypeRule, module: PolicyModule) -> None:
        """An unconditional type rule; one about an attribute of many types in columns."""
        sources, targets, result = self._computed_sets(rule, module)
        number = self._binder.class_number(rule.classes[0], rule.place)
        size = len(sources.symbols) * len(targets.symbols)
        if size < _MANY or result is None or number is None or targets.has_self or len(rule.classes) > 1:
            self.type_rules.end.extend(self.bind_type_rule(rule, module))
            return
        zeros = array("I", bytes(array("I").itemsize)) * size
        from_types = array("H", [source for source in sources.symbols for _ in targets.symbols])
        to_types = array("H", targets.symbols) * len(sources.symbols)
        columns = Columns(zeros, from_types, to_types, array("H", (result,)) * size, zeros)
        self._add_type_columns(RuleColumns(LinkedTypeRule, ((rule.kind, number),), columns, (rule.place,)))

    def _add_type_columns(self, new: RuleColumns[LinkedTypeRule]) -> None:
        """Adds type rules but those that say what was said."""
        if self._computed.add_all(new):
            self.type_rules.add_columns(new)
        else:
            self.type_rules.end.extend(rule for rule in new if self._computed.add(rule))

    def bind_named_transition(self, rule: NamedTransition, module: PolicyModule) -> Iterator[LinkedNamedTransition]:
        """A computed label for objects of one name, which Xen has none of."""
        binder, place = self._binder, rule.place
        message = "a type transition by name is not part of a policy for Xen"
        if not binder.report.not_for_xen(place, message, "Xen has no files; it refuses such a policy"):
            return
        self._refuse_star(rule.source, place)
        self._refuse_star(rule.target, place)
        sources = binder.type_set(rule.source, module, place, only_types=True)
        targets = binder.type_set(rule.target, module, place, only_types=True, allow_self=True)
        result = binder.single_type(rule.result, module, place)
        classes = [binder.class_number(name, place) for name in rule.classes]
        binder.report.check_ascii(rule.object_name, "the name of an object", place)
        if result is None:
            return
        for number in (found for found in classes if found is not None):
            for source in sources.symbols:
                own = () if not targets.has_self or targets.types >> source & 1 else (source,)
                for target in (*targets.symbols, *own):
                    yield LinkedNamedTransition(source, target, number, result, rule.object_name, place)

    def _bind_conditional(self, statement: Conditional, module: PolicyModule) -> Iterator[LinkedConditional]:
        """An `if` with its rules."""
        expression: list[int | BooleanOperator] = []
        for word in statement.expression:
            if isinstance(word, BooleanOperator):
                expression.append(word)
                continue
            number = self._binder.boolean_number(word, module, statement.place)
            if number is None:
                return
            expression.append(number)
        while len(expression) > 1 and all(word is BooleanOperator.NOT for word in expression[-2:]):
            del expression[-2:]
        if stack_height(expression, {BooleanOperator.NOT}) > DEEPEST_CONDITION:
            message = f"this condition needs more than {DEEPEST_CONDITION} values at once to be evaluated; Xen cannot"
            self._binder.report.error(
                statement.place, "expression-too-deep", message, "nest to the left, or less deeply"
            )
            return
        first, second = scopes_of(tuple(expression))
        then = tuple(self._branch(statement.then, module, first))
        otherwise = tuple(self._branch(statement.otherwise, module, second))
        yield LinkedConditional(tuple(expression), then, otherwise, statement.place)

    def _branch(
        self, rules: tuple[AvRule | TypeRule, ...], module: PolicyModule, scope: Scope
    ) -> Iterator[LinkedAvRule | LinkedTypeRule]:
        for rule in rules:
            if isinstance(rule, AvRule):
                bound: list[LinkedAvRule] = []
                self._bind_av_rule(rule, module, bound)
                yield from bound
            else:
                yield from self.bind_type_rule(rule, module, scope)

    def bind_role_allow(self, source: NameSet, target: NameSet, module: PolicyModule, place: Place) -> None:
        """`allow R1 R2;`"""
        for role in self._roles(source, module, place):
            for other in self._roles(target, module, place):
                self.role_allows.add((role, other))

    def _roles(self, names: NameSet, module: PolicyModule, place: Place) -> list[int]:
        if names.star or names.complement or names.excluded:
            self._binder.report.error(place, "syntax-error", "roles are listed by name here")
        return list(bits(self._binder.role_set(names.names, module, place)))

    def bind_role_transition(self, rule: RoleTransition, module: PolicyModule) -> Iterator[LinkedRoleTransition]:
        """`role_transition`; Xen ignores its class and applies it to `domain`, so any other class is refused.

        Without a class it is for `process` in a policy that has that class, as checkpolicy has it.
        """
        binder, place = self._binder, rule.place
        other = [name for name in rule.classes if name != "domain"]
        if other:
            message = f"a role transition for class `{other[0]}` would be applied to `domain` by Xen"
            if not binder.report.not_for_xen(place, message, "leave the class out"):
                return
        default = "process" if binder.report.is_foreign and binder.abi.has_class("process") else "domain"
        self._refuse_star(rule.target, place)
        types = binder.type_set(rule.target, module, place, only_types=True)
        result = binder.regular_role(rule.result, module, place)
        numbers = [binder.class_number(name, place) for name in rule.classes or (default,)]
        if result is None:
            return
        for number in (found for found in numbers if found is not None):
            for role in self._roles(rule.source, module, place):
                for target in bits(types.types):
                    new = LinkedRoleTransition(role, target, number, result, place)
                    if self._is_new(new):
                        yield new

    def _is_new(self, new: LinkedRoleTransition) -> bool:
        first = self._role_results.setdefault(new[:3], new)
        if first.result != new.result and new.place is not None and first.place is not None:
            roles, types = self._binder.role_names, self._binder.type_names
            message = (
                f"role_transition {roles[new.role]} {types[new.type]} gives `{roles[new.result]}` here "
                f"and `{roles[first.result]}` elsewhere"
            )
            note = declared_at("the other rule", first.place)
            self._binder.report.error(new.place, "conflicting-role-transition", message, notes=(note,))
        return first is new


def _without_self(sources: int, targets: int) -> Iterator[tuple[int, int]]:
    """Sets that together are every source with every target but itself (`-self`)."""
    both = sources & targets
    if sources & ~both:
        yield sources & ~both, targets
    for number in bits(both):
        if rest := targets & ~(1 << number):
            yield 1 << number, rest
