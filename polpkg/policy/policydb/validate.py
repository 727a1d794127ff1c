"""Every number of a policydb names something: checked before a policy read from a file is handed on.

After libsepol's `policydb_validate.c` and the `*_isvalid` checks of xen/xsm/flask/ss/policydb.c.  What passes can be
lifted, searched and written without running past a table.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NoReturn

from polpkg.errors import PolicyError
from polpkg.policy.policydb import layout, model
from polpkg.policy.policydb.avtab import AvTable
from polpkg.policy.policydb.ebitmap import Ebitmap, end

_MAX_PERMISSIONS = 32
_MAX_DEPTH = 2000
_MAX_INITIAL_SIDS = 4096  # no hypervisor has more than 32; a table of them is made
_OPERATORS = range(1, 6)
_CONDITION_OPERATORS = range(2, 8)


def validate(policy: model.PolicyDb, offsets: Mapping[str, int]) -> None:
    """See that every number in `policy` names something and that no two names have one number.

    `offsets` says where in the file the sections `commons`, `classes`, `roles`, `rules` and `role_transitions` begin.
    Raises PolicyError `policydb-corrupt`, with the offset of the section.
    """
    for section, check in (
        ("commons", _check_symbols),
        ("classes", _check_classes),
        ("roles", _check_sets),
        ("rules", _check_rules),
        ("role_transitions", _check_labels),
    ):
        try:
            check(policy)
        except PolicyError as error:
            message = f"{error.message}, in the section that begins at offset {offsets[section]}"
            raise PolicyError(error.code, message) from error


def _corrupt(what: str) -> NoReturn:
    raise PolicyError("policydb-corrupt", what)


def _check_symbols(policy: model.PolicyDb) -> None:
    if policy.types.primary > layout.MAX_TYPES:
        _corrupt(f"{policy.types.primary} types, where {layout.MAX_TYPES} are possible")
    real_types = [entry for entry in policy.types.entries if entry.properties & layout.PROPERTY_PRIMARY]
    for what, table, values in (
        ("common", policy.commons, [entry.value for entry in policy.commons.entries]),
        ("class", policy.classes, [entry.value for entry in policy.classes.entries]),
        ("type", policy.types, [entry.value for entry in real_types]),
        ("user", policy.users, [entry.value for entry in policy.users.entries]),
        ("boolean", policy.booleans, [entry.value for entry in policy.booleans.entries]),
    ):
        _check_numbering(what, table.primary, values, [entry.name for entry in table.entries])
    _check_role_symbols(policy)
    _check_level_symbols(policy)
    for entry in policy.types.entries:
        _within("alias", entry.value, policy.types.primary)
        if entry.bounds:
            _within("bounds of type", entry.bounds, policy.types.primary)


def _check_role_symbols(policy: model.PolicyDb) -> None:
    """Role attributes, which are not in a file, had numbers of their own when libsepol wrote it."""
    values = [entry.value for entry in policy.roles.entries]
    for value in values:
        _within("role", value, policy.roles.primary)
    _check_numbering("role", len(values), _dense(values), [entry.name for entry in policy.roles.entries])


def _dense(values: list[int]) -> list[int]:
    """`values` with the gaps between them closed."""
    ranks = {value: rank for rank, value in enumerate(sorted(set(values)), 1)}
    return [ranks[value] for value in values]


def _check_level_symbols(policy: model.PolicyDb) -> None:
    """Sensitivities and categories; libsepol counts their aliases among the numbers, which others have not."""
    for what, table, values in (
        ("sensitivity", policy.sensitivities, _sensitivity_values(policy)),
        ("category", policy.categories, _category_values(policy)),
    ):
        if len(values) > table.primary:
            _corrupt(f"{len(values)} {what} symbols, where {table.primary} are announced")
        _check_numbering(what, len(values), values, [entry.name for entry in table.entries])
    for sensitivity in policy.sensitivities.entries:
        _check_level(policy, sensitivity.level)
    for category in policy.categories.entries:
        _within("alias", category.value, len(_category_values(policy)))


def _sensitivity_values(policy: model.PolicyDb) -> list[int]:
    return [entry.level.sensitivity for entry in policy.sensitivities.entries if not entry.is_alias]


def _category_values(policy: model.PolicyDb) -> list[int]:
    return [entry.value for entry in policy.categories.entries if not entry.is_alias]


def _check_numbering(what: str, primary: int, values: list[int], names: list[str]) -> None:
    """Numbers are 1 to `primary`, each once, and no name is there twice or empty."""
    if len(values) != primary or set(values) != set(range(1, primary + 1)):
        _corrupt(f"the numbers of the {what} symbols are not 1 to {primary}")
    if len(set(names)) != len(names) or "" in names:
        _corrupt(f"a {what} symbol is empty or there twice")


def _within(what: str, value: int, primary: int) -> None:
    if not 1 <= value <= primary:
        _corrupt(f"{what} {value} does not exist: there are {primary}")


def _check_classes(policy: model.PolicyDb) -> None:
    shared = {common.name: common for common in policy.commons.entries}
    for common in policy.commons.entries:
        _check_permissions(common.name, common.permissions, common.primary, 0)
    for datum in policy.classes.entries:
        if datum.common and datum.common not in shared:
            _corrupt(f"class {datum.name} inherits from {datum.common}, which does not exist")
        inherited = shared[datum.common].primary if datum.common else 0
        _check_permissions(datum.name, datum.permissions, datum.primary, inherited)
        for node in (*datum.constraints, *datum.transitions):
            _check_expression(policy, node.expression)


def _check_permissions(owner: str, found: Sequence[model.PermissionDatum], primary: int, inherited: int) -> None:
    if primary > _MAX_PERMISSIONS:
        _corrupt(f"{owner} has {primary} permissions, where {_MAX_PERMISSIONS} are possible")
    _check_numbering(
        f"permission of {owner}",
        primary,
        [*range(1, inherited + 1), *(permission.value for permission in found)],
        [permission.name for permission in found],
    )


def _check_expression(policy: model.PolicyDb, expression: Iterable[model.ExpressionNode]) -> None:
    depth = 0
    for node in expression:
        if node.kind in {layout.EXPRESSION_AND, layout.EXPRESSION_OR}:
            depth -= 1
        elif node.kind != layout.EXPRESSION_NOT:
            _check_term(policy, node)
            depth += 1
        if not 1 <= depth <= _MAX_DEPTH:
            _corrupt("a constraint whose expression does not fit together")
    if depth != 1:
        _corrupt("a constraint whose expression does not fit together")


def _check_term(policy: model.PolicyDb, node: model.ExpressionNode) -> None:
    words = {layout.EXPRESSION_WORDS: layout.WORD_PAIRS, layout.EXPRESSION_NAMES: layout.NAMED_WORDS}.get(node.kind)
    if words is None or node.attribute not in words or node.operator not in _OPERATORS:
        _corrupt(f"a constraint compares {node.attribute} by {node.operator} (kind {node.kind})")
    if node.kind == layout.EXPRESSION_NAMES:
        table = {"u": policy.users, "r": policy.roles, "t": policy.types}[words[node.attribute][0]]
        _check_set("a constraint", node.names, table.primary)
        _check_set("a constraint", node.written, policy.types.primary)
        _check_set("a constraint", node.excluded, policy.types.primary)


def _check_set(owner: str, numbers: Ebitmap, primary: int) -> None:
    if end(numbers) > primary:
        _corrupt(f"{owner} names number {end(numbers)}: there are {primary}")


def _check_sets(policy: model.PolicyDb) -> None:
    types = policy.types.primary
    _check_set("the set of permissive types", policy.permissive, types + 1)
    _check_set("the set of capabilities", policy.capabilities, 64)
    for row in policy.type_attributes:
        _check_set("the map from types to attributes", row, types)
    for role in policy.roles.entries:
        _check_set(f"role {role.name}", role.types, types)
        _check_set(f"role {role.name}", role.dominates, policy.roles.primary)
    for user in policy.users.entries:
        _check_set(f"user {user.name}", user.roles, policy.roles.primary)
        _check_range(policy, user.range)
        if policy.is_mls:
            _check_level(policy, user.level)


def _check_rules(policy: model.PolicyDb) -> None:
    _check_table(policy, policy.rules, 0)
    for node in policy.conditionals:
        _check_condition(node.expression, policy.booleans.primary)
        _check_table(policy, node.then, layout.AV_ENABLED)
        _check_table(policy, node.otherwise, layout.AV_ENABLED)


def _check_table(policy: model.PolicyDb, table: AvTable, allowed: int) -> None:
    if not table:
        return
    sources, targets, classes, kinds = table.columns()
    types = policy.types.primary
    if min(sources) < 1 or max(sources) > types or min(targets) < 1 or max(targets) > types:
        _corrupt("a rule is about a type that does not exist")
    if min(classes) < 1 or max(classes) > policy.classes.primary:
        _corrupt("a rule is about a class that does not exist")
    used = {kind & ~allowed for kind in set(kinds)}
    if not used <= layout.AV_KINDS | layout.TYPE_KINDS:
        _corrupt(f"a rule of an unknown kind: {min(used - layout.AV_KINDS - layout.TYPE_KINDS)}")
    if used & layout.TYPE_KINDS:
        for kind, value in zip(kinds, table.values(), strict=True):
            if kind & ~allowed in layout.TYPE_KINDS:
                _within("the type that a rule gives", value, types)


def _check_condition(expression: Iterable[tuple[int, int]], booleans: int) -> None:
    depth = 0
    for kind, boolean in expression:
        if kind == layout.CONDITION_BOOLEAN:
            _within("boolean", boolean, booleans)
            depth += 1
        elif kind not in _CONDITION_OPERATORS:
            _corrupt(f"a condition has an unknown operator: {kind}")
        elif kind != _CONDITION_OPERATORS[0]:
            depth -= 1
        if not 1 <= depth <= _MAX_DEPTH:
            _corrupt("a condition whose expression does not fit together")
    if depth != 1:
        _corrupt("a condition whose expression does not fit together")


def _check_labels(policy: model.PolicyDb) -> None:
    types, classes = policy.types.primary, policy.classes.primary
    roles = {role.value for role in policy.roles.entries}
    for transition in policy.role_transitions:
        _check_role(transition.role, roles)
        _within("type", transition.type, types)
        _check_role(transition.result, roles)
        if policy.version >= layout.VERSION_DEVICE_TREE:
            _within("class", transition.security_class, classes)
    for pair in policy.role_allows:
        for role in pair:
            _check_role(role, roles)
    for change in policy.range_transitions:
        _within("type", change.source, types)
        _within("type", change.target, types)
        _within("class", change.security_class, classes)
        _check_range(policy, change.range)
    for sid in policy.object_contexts[0]:
        _within("initial SID", sid.low, _MAX_INITIAL_SIDS)
    for contexts in policy.object_contexts:
        for item in contexts:
            _check_context(policy, item.context)


def _check_role(value: int, roles: set[int]) -> None:
    if value not in roles:
        _corrupt(f"role {value} does not exist")


def _check_context(policy: model.PolicyDb, context: model.ContextDatum) -> None:
    _within("user", context.user, policy.users.primary)
    _check_role(context.role, {role.value for role in policy.roles.entries})
    _within("type", context.type, policy.types.primary)
    _check_range(policy, context.range)


def _check_range(policy: model.PolicyDb, span: model.RangeDatum) -> None:
    if policy.is_mls:
        _check_level(policy, span.low)
        _check_level(policy, span.high)


def _check_level(policy: model.PolicyDb, level: model.LevelDatum) -> None:
    _within("sensitivity", level.sensitivity, len(_sensitivity_values(policy)))
    _check_set("a level", level.categories, len(_category_values(policy)))
