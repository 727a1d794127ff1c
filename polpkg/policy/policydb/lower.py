"""From the linked policy to a `PolicyDb`: the builtin compiler.

The result is canonical.  Symbols have their numbers in the linked policy plus one, records are sorted by number, rules
by what they are about, and rules about the same are one.  Otherwise it is what checkpolicy writes: attributes stay
in access vector rules, the map from types to attributes has every type itself, `object_r` has no types, permissions
that the policy does not know are denied.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby
from operator import attrgetter
from typing import TypeAlias, cast

from polpkg.errors import PolicyError
from polpkg.policy.ir.columns import RuleColumns, parts_of
from polpkg.policy.ir.linked import (
    LinkedAvRule,
    LinkedConditional,
    LinkedContext,
    LinkedExpression,
    LinkedLevel,
    LinkedPolicy,
    LinkedRange,
    LinkedTypeRule,
    bits,
)
from polpkg.policy.ir.statements import BooleanOperator, ObjectContextKind
from polpkg.policy.policydb import layout, model
from polpkg.policy.policydb.avtab import AvTable, key, keys_of, table_of
from polpkg.policy.policydb.conditions import Condition, evaluate, identity, normalise
from polpkg.policy.policydb.ebitmap import EMPTY, Ebitmap, encode, encode_bit, encode_bits
from polpkg.policy.policydb.limits import check_limits, finding
from polpkg.policy.policydb.lower_classes import lower_classes, lower_commons

Rule: TypeAlias = LinkedAvRule | LinkedTypeRule


def lower(policy: LinkedPolicy, version: int = layout.VERSION_DEVICE_TREE) -> model.PolicyDb:
    """The canonical policydb of `policy`, for version 24 or 30.

    Raises PolicyError as `check_limits` does, and `conflicting-type-rules`, `constraint-too-deep`, `constraint-words`.
    """
    check_limits(policy, version)
    return model.PolicyDb(
        version=version,
        config=layout.CONFIG_MLS if policy.mls else 0,
        capabilities=_capabilities(policy),
        permissive=encode_bits(n for n, symbol in enumerate(policy.types, 1) if symbol.permissive),
        commons=lower_commons(policy.foreign),
        classes=lower_classes(policy, version),
        roles=_roles(policy),
        types=_types(policy),
        users=_users(policy),
        booleans=_booleans(policy),
        sensitivities=_sensitivities(policy),
        categories=_categories(policy),
        rules=_unconditional(policy),
        conditionals=_conditionals(policy),
        role_transitions=_role_transitions(policy, version),
        role_allows=tuple(sorted({(source + 1, target + 1) for source, target in policy.role_allows})),
        filename_transitions=_named_transitions(policy),
        object_contexts=_object_contexts(policy, version),
        file_systems=(),
        range_transitions=_range_transitions(policy),
        type_attributes=_type_attributes(policy),
    )


def _capabilities(policy: LinkedPolicy) -> Ebitmap:
    return encode_bits(sorted({layout.CAPABILITIES.index(name) for name in policy.capabilities}))


def _roles(policy: LinkedPolicy) -> model.SymbolTable[model.RoleDatum]:
    objects = model.RoleDatum(layout.OBJECT_ROLE, 1, 0, EMPTY, EMPTY)
    others = [
        model.RoleDatum(
            role.name,
            number + 1,
            0,
            encode(1 << number | role.dominates) if role.dominates else encode_bit(number),
            encode(role.types),
        )
        for number, role in enumerate(policy.roles)
        if role.name != layout.OBJECT_ROLE
    ]
    return model.SymbolTable(len(policy.roles), (objects, *others))


def _types(policy: LinkedPolicy) -> model.SymbolTable[model.TypeDatum]:
    entries: list[model.TypeDatum] = []
    attribute = layout.PROPERTY_PRIMARY | layout.PROPERTY_ATTRIBUTE
    for number, symbol in enumerate(policy.types, 1):
        properties = attribute if symbol.is_attribute else layout.PROPERTY_PRIMARY
        entries.append(model.TypeDatum(symbol.name, number, properties, symbol.bounds + 1))
        entries += [model.TypeDatum(alias, number, 0) for alias in sorted(symbol.aliases)]
    return model.SymbolTable(len(policy.types), tuple(entries))


def _users(policy: LinkedPolicy) -> model.SymbolTable[model.UserDatum]:
    every_role = ~1  # any user may have object_r
    entries = [
        model.UserDatum(user.name, number, 0, encode(user.roles & every_role), _range(user.range), _level(user.level))
        for number, user in enumerate(policy.users, 1)
    ]
    return model.SymbolTable(len(entries), tuple(entries))


def _booleans(policy: LinkedPolicy) -> model.SymbolTable[model.BooleanDatum]:
    entries = [model.BooleanDatum(b.name, number, int(b.default)) for number, b in enumerate(policy.booleans, 1)]
    return model.SymbolTable(len(entries), tuple(entries))


def _sensitivities(policy: LinkedPolicy) -> model.SymbolTable[model.SensitivityDatum]:
    if not policy.mls:
        return model.SymbolTable(0, ())
    entries: list[model.SensitivityDatum] = []
    for number, symbol in enumerate(policy.sensitivities, 1):
        level = model.LevelDatum(number, encode(symbol.categories))
        entries.append(model.SensitivityDatum(symbol.name, 0, level))
        entries += [model.SensitivityDatum(alias, 1, level) for alias in sorted(symbol.aliases)]
    return model.SymbolTable(len(policy.sensitivities), tuple(entries))


def _categories(policy: LinkedPolicy) -> model.SymbolTable[model.CategoryDatum]:
    if not policy.mls:
        return model.SymbolTable(0, ())
    entries: list[model.CategoryDatum] = []
    for number, symbol in enumerate(policy.categories, 1):
        entries.append(model.CategoryDatum(symbol.name, number, 0))
        entries += [model.CategoryDatum(alias, number, 1) for alias in sorted(symbol.aliases)]
    return model.SymbolTable(len(policy.categories), tuple(entries))


def _level(level: LinkedLevel | None) -> model.LevelDatum:
    return model.LevelDatum(level.sensitivity + 1, encode(level.categories)) if level else model.LevelDatum()


def _range(span: LinkedRange | None) -> model.RangeDatum:
    if span is None:
        return model.RangeDatum()
    low, high = _level(span.low), _level(span.high)
    return model.RangeDatum(1 if low == high else 2, low, high)


def _context(context: LinkedContext) -> model.ContextDatum:
    return model.ContextDatum(context.user + 1, context.role + 1, context.type + 1, _range(context.range))


def _table(rules: Iterable[Rule], flag: int) -> AvTable:
    """The table of `rules`, those about the same merged, with `flag` added to each kind."""
    data: dict[int, int] = {}
    _add_rules(rules, flag, data)
    return table_of(data)


def _unconditional(policy: LinkedPolicy) -> AvTable:
    """The table of all rules that hold always."""
    data: dict[int, int] = {}
    parts: Iterable[Sequence[Rule]] = (*parts_of(policy.rules), *parts_of(policy.type_rules))
    for part in parts:
        if not (isinstance(part, RuleColumns) and _add_columns(cast("RuleColumns[Rule]", part), data)):
            _add_rules(part, 0, data)
    return table_of(data)


def _add_columns(rules: RuleColumns[Rule], data: dict[int, int]) -> bool:
    """Adds what is granted, audited or computed, column by column; False, and nothing, when that cannot be done."""
    if any(kind == layout.AV_DONTAUDIT for kind, _ in rules.abouts):
        return False
    keys = keys_of(rules.sources, rules.targets, rules.kinds_and_classes())
    if rules.made is LinkedTypeRule:
        new = dict(zip(keys, (value + 1 for value in rules.values), strict=True))
        if len(new) < len(keys) or not data.keys().isdisjoint(new):
            return False
        data.update(new)
        return True
    get = data.get
    for about, value in zip(keys, rules.values, strict=True):
        data[about] = get(about, 0) | value
    return True


def _add_rules(rules: Iterable[Rule], flag: int, data: dict[int, int]) -> None:
    first = key(1, 1, 1, flag)
    for kind, source, target, security_class, value, place in rules:
        about = (source << 48 | target << 32 | security_class << 16 | kind) + first
        if kind == layout.AV_DONTAUDIT:
            data[about] = data.get(about, layout.MAX_WORD) & ~value
        elif kind < layout.AV_DONTAUDIT:
            data[about] = data.get(about, 0) | value
        elif data.setdefault(about, value + 1) != value + 1:
            message = "two type rules give different types for the same source, target and class"
            raise PolicyError.of([finding(place, "conflicting-type-rules", message)])


def _conditionals(policy: LinkedPolicy) -> tuple[model.ConditionalNode, ...]:
    """One node for each condition that is different from all others, spelt as where it comes first; sorted."""
    branches: dict[object, tuple[Condition, list[Rule], list[Rule]]] = {}
    for conditional in policy.conditionals:
        condition, then, otherwise = _turned(conditional)
        _, all_then, all_otherwise = branches.setdefault(identity(condition), (condition, [], []))
        all_then += then
        all_otherwise += otherwise
    values = {number: boolean.default for number, boolean in enumerate(policy.booleans, 1)}
    nodes = [_node(*branch, values) for branch in branches.values() if branch[1] or branch[2]]
    return tuple(sorted(nodes, key=attrgetter("expression")))


def _turned(conditional: LinkedConditional) -> tuple[Condition, Sequence[Rule], Sequence[Rule]]:
    condition, is_swapped = normalise(_condition(conditional.expression))
    if is_swapped:
        return condition, conditional.otherwise, conditional.then
    return condition, conditional.then, conditional.otherwise


def _condition(expression: LinkedExpression) -> Condition:
    return tuple(
        (int(term), 0) if isinstance(term, BooleanOperator) else (layout.CONDITION_BOOLEAN, term + 1)
        for term in expression
    )


def _node(
    condition: Condition, then: Iterable[Rule], otherwise: Iterable[Rule], values: dict[int, bool]
) -> model.ConditionalNode:
    holds = evaluate(condition, values)
    then_flag, otherwise_flag = (layout.AV_ENABLED, 0) if holds else (0, layout.AV_ENABLED)
    return model.ConditionalNode(int(holds), condition, _table(then, then_flag), _table(otherwise, otherwise_flag))


def _role_transitions(policy: LinkedPolicy, version: int) -> tuple[model.RoleTransitionDatum, ...]:
    has_class = version >= layout.VERSION_DEVICE_TREE
    found = {
        model.RoleTransitionDatum(
            rule.role + 1, rule.type + 1, rule.result + 1, rule.security_class + 1 if has_class else 0
        )
        for rule in policy.role_transitions
    }
    return tuple(sorted(found))


def _named_transitions(policy: LinkedPolicy) -> tuple[model.FilenameTransitionDatum, ...]:
    found = {
        model.FilenameTransitionDatum(
            rule.object_name, rule.source + 1, rule.target + 1, rule.security_class + 1, rule.result + 1
        )
        for rule in (policy.foreign.transitions if policy.foreign else ())
    }
    return tuple(sorted(found))


def _range_transitions(policy: LinkedPolicy) -> tuple[model.RangeTransitionDatum, ...]:
    found = {
        (rule.source + 1, rule.target + 1, rule.security_class + 1): _range(rule.range)
        for rule in policy.range_transitions
    }
    return tuple(model.RangeTransitionDatum(*about, found[about]) for about in sorted(found))


def _object_contexts(policy: LinkedPolicy, version: int) -> tuple[tuple[model.ObjectContextDatum, ...], ...]:
    lists = [
        [
            model.ObjectContextDatum(number, number, "", _context(context))
            for number, context in enumerate(policy.initial_sids, 1)
            if context is not None
        ],
        *([] for _ in ObjectContextKind),
    ]
    for item in policy.object_contexts:
        high = 0 if item.kind is ObjectContextKind.DEVICE_TREE else item.high
        low = 0 if item.kind is ObjectContextKind.DEVICE_TREE else item.low
        lists[item.kind.value].append(model.ObjectContextDatum(low, high, item.path, _context(item.context)))
    return tuple(_unique(contexts) for contexts in lists[: layout.OBJECT_CONTEXT_KINDS[version]])


def _unique(contexts: list[model.ObjectContextDatum]) -> tuple[model.ObjectContextDatum, ...]:
    return tuple(item for item, _ in groupby(sorted(contexts)))


def _type_attributes(policy: LinkedPolicy) -> tuple[Ebitmap, ...]:
    """For each type the set of itself and its attributes; for each attribute the set of itself."""
    rows: list[list[int]] = [[number] for number in range(len(policy.types))]
    for number, symbol in enumerate(policy.types):
        for member in bits(symbol.members):
            rows[member].append(number)
    return tuple([encode_bit(row[0]) if len(row) == 1 else encode_bits(sorted(row)) for row in rows])
