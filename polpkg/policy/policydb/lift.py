"""From a `PolicyDb` to the linked policy: what a compiled policy means, with the numbering of a linked one.

Nothing is known of places, of assertions (they are not in the file), or of the words `constrain` and `mlsconstrain`
where both would do.  What Xen ignores is left out: bounds of users and roles, the types of
`object_r`, levels without MLS, attributes of attributes.  What Xen refuses or has no meaning for here is an error.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from polpkg.errors import PolicyError
from polpkg.policy.ir.linked import (
    BooleanSymbol,
    CategorySymbol,
    LinkedAvRule,
    LinkedConditional,
    LinkedContext,
    LinkedExpression,
    LinkedLevel,
    LinkedObjectContext,
    LinkedPolicy,
    LinkedRange,
    LinkedRangeTransition,
    LinkedRoleTransition,
    LinkedTypeRule,
    RoleSymbol,
    SensitivitySymbol,
    TypeSymbol,
    UserSymbol,
)
from polpkg.policy.ir.statements import AvKind, BooleanOperator, ObjectContextKind, TypeRuleKind
from polpkg.policy.policydb import layout, model
from polpkg.policy.policydb.avtab import AvTable
from polpkg.policy.policydb.ebitmap import decode, decode_bits
from polpkg.policy.policydb.lift_classes import lift_abi, lift_constraints, lift_defaults, lift_foreign

if TYPE_CHECKING:
    from polpkg.policy.abi import Abi

_AV_KINDS = {kind.value: kind for kind in AvKind}
_TYPE_KINDS = {kind.value: kind for kind in TypeRuleKind}
_OPERATORS = {operator.value: operator for operator in BooleanOperator}


class Numbering(NamedTuple):
    """For each number in the file, less one, the number in the linked policy."""

    types: list[int]
    roles: list[int]
    users: list[int]
    booleans: list[int]

    def move(self, numbers: Iterable[int], to: list[int]) -> int:
        """The bit set of `numbers`, renumbered."""
        moved = [to[number] for number in numbers if to[number] >= 0]
        buffer = bytearray(max(moved, default=0) // 8 + 1)
        for number in moved:
            buffer[number >> 3] |= 1 << (number & 7)
        return int.from_bytes(buffer, "little")


def lift(policy: model.PolicyDb) -> LinkedPolicy:
    """What `policy` means.

    Its ABI is made from the classes of the file; initial SIDs get the names of the known ABI that has these classes, or
    `sid1`, `sid2`, ...  Raises PolicyError `policydb-unsupported` for file system labels and unknown capabilities,
    which neither Xen nor a linked policy has.
    """
    _refuse_unsupported(policy)
    abi = lift_abi(policy)
    numbering = _numbering(policy)
    lift_table = partial(_rules, abi=abi, types=numbering.types)
    av_rules, type_rules = lift_table(policy.rules)
    return LinkedPolicy(
        abi=abi,
        types=_types(policy, numbering),
        roles=_roles(policy, numbering),
        users=_users(policy, numbering),
        booleans=_booleans(policy),
        rules=av_rules,
        type_rules=type_rules,
        conditionals=tuple(
            LinkedConditional(
                _expression(node.expression, numbering.booleans),
                tuple(rule for rules in lift_table(node.then) for rule in rules),
                tuple(rule for rules in lift_table(node.otherwise) for rule in rules),
            )
            for node in policy.conditionals
        ),
        neverallows=(),
        constraints=lift_constraints(policy, numbering.types, numbering.roles, numbering.users),
        initial_sids=_initial_sids(policy, numbering, abi),
        object_contexts=_object_contexts(policy, numbering),
        role_allows=tuple(sorted((numbering.roles[a - 1], numbering.roles[b - 1]) for a, b in policy.role_allows)),
        role_transitions=_role_transitions(policy, numbering, abi),
        range_transitions=_range_transitions(policy, numbering),
        sensitivities=_sensitivities(policy),
        categories=_categories(policy),
        capabilities=tuple(sorted(layout.CAPABILITIES[bit] for bit in decode_bits(policy.capabilities))),
        defaults=lift_defaults(policy),
        mls=policy.is_mls,
        foreign=lift_foreign(policy, abi, numbering.types),
    )


def _refuse_unsupported(policy: model.PolicyDb) -> None:
    def refuse(what: str) -> None:
        raise PolicyError("policydb-unsupported", f"the policy has {what}", hint="Xen would refuse or misread it")

    if policy.file_systems:
        refuse("labels of file systems")
    if any(bit >= len(layout.CAPABILITIES) for bit in decode_bits(policy.capabilities)):
        refuse("an unknown capability")
    if not any(role.name == layout.OBJECT_ROLE for role in policy.roles.entries):
        refuse(f"no role {layout.OBJECT_ROLE}")


def _numbering(policy: model.PolicyDb) -> Numbering:
    return Numbering(
        types=_ranks({symbol.value: symbol.name for symbol in _primary_types(policy)}),
        roles=_ranks({role.value: _role_key(role.name) for role in policy.roles.entries}, policy.roles.primary),
        users=_ranks({user.value: user.name for user in policy.users.entries}),
        booleans=_ranks({boolean.value: boolean.name for boolean in policy.booleans.entries}),
    )


def _primary_types(policy: model.PolicyDb) -> list[model.TypeDatum]:
    return [entry for entry in policy.types.entries if entry.properties & layout.PROPERTY_PRIMARY]


def _role_key(name: str) -> str:
    return "" if name == layout.OBJECT_ROLE else name


def _ranks(names: Mapping[int, str], primary: int = 0) -> list[int]:
    """For each value, less one, its place in the order of names; -1 for values up to `primary` that nothing has."""
    ranks = [-1] * max(len(names), primary)
    for rank, value in enumerate(sorted(names, key=names.__getitem__)):
        ranks[value - 1] = rank
    return ranks


def _types(policy: model.PolicyDb, numbering: Numbering) -> tuple[TypeSymbol, ...]:
    members: list[list[int]] = [[] for _ in range(policy.types.primary)]
    attributes = {entry.value for entry in _primary_types(policy) if entry.properties & layout.PROPERTY_ATTRIBUTE}
    for number, row in enumerate(policy.type_attributes):
        if number + 1 not in attributes:
            for attribute in decode_bits(row):
                members[attribute].append(number)
    aliases: dict[int, list[str]] = {}
    for entry in policy.types.entries:
        if not entry.properties & layout.PROPERTY_PRIMARY:
            aliases.setdefault(entry.value, []).append(entry.name)
    permissive = set(decode_bits(policy.permissive))
    return tuple(
        TypeSymbol(
            name=entry.name,
            is_attribute=entry.value in attributes,
            aliases=tuple(sorted(aliases.get(entry.value, ()))),
            members=numbering.move(members[entry.value - 1], numbering.types) if entry.value in attributes else 0,
            bounds=numbering.types[entry.bounds - 1] if entry.bounds else -1,
            permissive=entry.value in permissive,
        )
        for entry in sorted(_primary_types(policy))
    )


def _roles(policy: model.PolicyDb, numbering: Numbering) -> tuple[RoleSymbol, ...]:
    return tuple(
        RoleSymbol(
            role.name,
            0 if role.name == layout.OBJECT_ROLE else numbering.move(decode_bits(role.types), numbering.types),
            dominates=numbering.move(set(decode_bits(role.dominates)) - {role.value - 1}, numbering.roles),
        )
        for role in sorted(policy.roles.entries, key=lambda role: _role_key(role.name))
    )


def _users(policy: model.PolicyDb, numbering: Numbering) -> tuple[UserSymbol, ...]:
    return tuple(
        UserSymbol(
            user.name,
            numbering.move(decode_bits(user.roles), numbering.roles) & ~1,
            _level(user.level) if policy.is_mls else None,
            _range(user.range, policy),
        )
        for user in sorted(policy.users.entries)
    )


def _booleans(policy: model.PolicyDb) -> tuple[BooleanSymbol, ...]:
    return tuple(BooleanSymbol(boolean.name, bool(boolean.state)) for boolean in sorted(policy.booleans.entries))


def _sensitivities(policy: model.PolicyDb) -> tuple[SensitivitySymbol, ...]:
    if not policy.is_mls:
        return ()
    entries = policy.sensitivities.entries
    primary = sorted((entry for entry in entries if not entry.is_alias), key=lambda entry: entry.level.sensitivity)
    return tuple(
        SensitivitySymbol(
            entry.name,
            tuple(sorted(e.name for e in entries if e.is_alias and e.level.sensitivity == entry.level.sensitivity)),
            decode(entry.level.categories),
        )
        for entry in primary
    )


def _categories(policy: model.PolicyDb) -> tuple[CategorySymbol, ...]:
    if not policy.is_mls:
        return ()
    aliases: dict[int, list[str]] = {}
    for entry in policy.categories.entries:
        if entry.is_alias:
            aliases.setdefault(entry.value, []).append(entry.name)
    primary = sorted((entry.value, entry.name) for entry in policy.categories.entries if not entry.is_alias)
    return tuple(CategorySymbol(name, tuple(sorted(aliases.get(value, ())))) for value, name in primary)


def _level(level: model.LevelDatum) -> LinkedLevel:
    return LinkedLevel(level.sensitivity - 1, decode(level.categories))


def _range(span: model.RangeDatum, policy: model.PolicyDb) -> LinkedRange | None:
    return LinkedRange(_level(span.low), _level(span.high)) if policy.is_mls else None


def _rules(table: AvTable, abi: Abi, types: list[int]) -> tuple[tuple[LinkedAvRule, ...], tuple[LinkedTypeRule, ...]]:
    """The rules of a table, sorted by source, target, class and kind."""
    known = [(1 << len(security_class.permissions)) - 1 for security_class in abi.all_classes]
    moved = [0, *types]
    permissions: dict[int, int] = {}
    results: dict[int, int] = {}
    for source, target, security_class, kind, data in table:
        kind &= ~layout.AV_ENABLED  # noqa: PLW2901 - the flag says nothing that the booleans do not say
        about = moved[source] << 48 | moved[target] << 32 | (security_class - 1) << 16 | kind
        if kind > layout.AV_DONTAUDIT:
            results[about] = moved[data]
        else:
            value = ~data if kind == layout.AV_DONTAUDIT else data
            permissions[about] = permissions.get(about, 0) | (value & known[security_class - 1])
    av_rules = [
        LinkedAvRule(_AV_KINDS[n & 0xFFFF], n >> 48, n >> 32 & 0xFFFF, n >> 16 & 0xFFFF, permissions[n])
        for n in sorted(permissions)
        if permissions[n]
    ]
    type_rules = [
        LinkedTypeRule(_TYPE_KINDS[n & 0xFFFF], n >> 48, n >> 32 & 0xFFFF, n >> 16 & 0xFFFF, results[n])
        for n in sorted(results)
    ]
    return tuple(av_rules), tuple(type_rules)


def _expression(expression: Iterable[tuple[int, int]], booleans: list[int]) -> LinkedExpression:
    return tuple(
        booleans[boolean - 1] if kind == layout.CONDITION_BOOLEAN else _OPERATORS[kind] for kind, boolean in expression
    )


def _context(context: model.ContextDatum, policy: model.PolicyDb, numbering: Numbering) -> LinkedContext:
    return LinkedContext(
        numbering.users[context.user - 1],
        numbering.roles[context.role - 1],
        numbering.types[context.type - 1],
        _range(context.range, policy),
    )


def _initial_sids(policy: model.PolicyDb, numbering: Numbering, abi: Abi) -> tuple[LinkedContext | None, ...]:
    found = {item.low: _context(item.context, policy, numbering) for item in policy.object_contexts[0]}
    return tuple(found.get(number) for number in range(1, len(abi.initial_sids) + 1))


def _object_contexts(policy: model.PolicyDb, numbering: Numbering) -> tuple[LinkedObjectContext, ...]:
    return tuple(
        LinkedObjectContext(kind, item.low, item.high, item.path, _context(item.context, policy, numbering))
        for kind, items in zip(ObjectContextKind, policy.object_contexts[1:], strict=False)
        for item in sorted(items)
    )


def _role_transitions(policy: model.PolicyDb, numbering: Numbering, abi: Abi) -> tuple[LinkedRoleTransition, ...]:
    """Version 24 has no class in role transitions: they are for class `domain`."""
    domain = next((n for n, security_class in enumerate(abi.all_classes) if security_class.name == "domain"), 0)
    return tuple(
        sorted(
            LinkedRoleTransition(
                numbering.roles[rule.role - 1],
                numbering.types[rule.type - 1],
                rule.security_class - 1 if rule.security_class else domain,
                numbering.roles[rule.result - 1],
            )
            for rule in policy.role_transitions
        )
    )


def _range_transitions(policy: model.PolicyDb, numbering: Numbering) -> tuple[LinkedRangeTransition, ...]:
    if not policy.is_mls:
        return ()
    return tuple(
        sorted(
            LinkedRangeTransition(
                numbering.types[rule.source - 1],
                numbering.types[rule.target - 1],
                rule.security_class - 1,
                LinkedRange(_level(rule.range.low), _level(rule.range.high)),
            )
            for rule in policy.range_transitions
        )
    )
