"""From a `PolicyDb` to bytes: the inverse of `reader`.

Follows libsepol's `policydb_write` (`write.c`).  Writes what it is given, field by field; `lower` makes policies worth
writing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from struct import Struct, pack
from typing import TypeVar

from polpkg.policy.policydb import layout, model
from polpkg.policy.policydb.avtab import AvTable

Datum = TypeVar("Datum")

_ONE = Struct("<I").pack
_TWO = Struct("<II").pack
_THREE = Struct("<III").pack
_FOUR = Struct("<IIII").pack
_SIX = Struct("<IIIIII").pack
_MEMORY = Struct("<QQ").pack


def write_policydb(policy: model.PolicyDb) -> bytes:
    """The file that `policy` is; reading it gives `policy` again."""
    return b"".join(_Writer(policy).parts())


class _Writer:
    """What the form of records depends on: the version."""

    def __init__(self, policy: model.PolicyDb) -> None:
        self.policy = policy
        self.is_newer = policy.version >= layout.VERSION_DEVICE_TREE

    def parts(self) -> Iterable[bytes]:
        policy = self.policy
        yield _TWO(layout.MAGIC, len(layout.TARGET)) + layout.TARGET
        yield _FOUR(policy.version, policy.config, layout.SYMBOL_TABLES, len(policy.object_contexts))
        yield policy.capabilities
        yield policy.permissive
        yield from self.symbol_tables()
        yield _av_table(policy.rules)
        yield _list(policy.conditionals, _conditional)
        yield _list(policy.role_transitions, self.role_transition)
        yield _list(policy.role_allows, lambda pair: _TWO(*pair))
        if self.is_newer:
            yield _list(policy.filename_transitions, _filename_transition)
        for kind, contexts in enumerate(policy.object_contexts):
            yield _list(contexts, (_number, _number, _ports, self.memory, _number, _path)[kind])
        yield _list(policy.file_systems, _file_system)
        yield _list(policy.range_transitions, _range_transition)
        yield from policy.type_attributes
        yield policy.trailing

    def symbol_tables(self) -> Iterable[bytes]:
        policy = self.policy
        yield _symbols(policy.commons, _common)
        yield _symbols(policy.classes, self.security_class)
        yield _symbols(policy.roles, _role)
        yield _symbols(policy.types, _type)
        yield _symbols(policy.users, _user)
        yield _symbols(policy.booleans, _boolean)
        yield _symbols(policy.sensitivities, _sensitivity)
        yield _symbols(policy.categories, _category)

    def security_class(self, datum: model.ClassDatum) -> bytes:
        name, common = datum.name.encode("ascii"), datum.common.encode("ascii")
        counts = (datum.value, datum.primary, len(datum.permissions), len(datum.constraints))
        return b"".join(
            [
                _SIX(len(name), len(common), *counts),
                name,
                common,
                *map(_permission, datum.permissions),
                *map(self.constraint, datum.constraints),
                _list(datum.transitions, self.constraint),
                pack(f"<{len(datum.defaults)}I", *datum.defaults),
            ]
        )

    def constraint(self, node: model.ConstraintNode) -> bytes:
        return _ONE(node.permissions) + _list(node.expression, self.expression_node)

    def expression_node(self, node: model.ExpressionNode) -> bytes:
        head = _THREE(node.kind, node.attribute, node.operator)
        if node.kind != layout.EXPRESSION_NAMES:
            return head
        if not self.is_newer:
            return head + node.names
        return head + node.names + node.written + node.excluded + _ONE(node.flags)

    def role_transition(self, datum: model.RoleTransitionDatum) -> bytes:
        return _FOUR(*datum) if self.is_newer else _THREE(datum.role, datum.type, datum.result)

    def memory(self, datum: model.ObjectContextDatum) -> bytes:
        return (_MEMORY if self.is_newer else _TWO)(datum.low, datum.high) + _context(datum.context)


def _list(items: Sequence[Datum], write: Callable[[Datum], bytes]) -> bytes:
    return _ONE(len(items)) + b"".join(map(write, items))


def _symbols(table: model.SymbolTable[Datum], write: Callable[[Datum], bytes]) -> bytes:
    return _TWO(table.primary, len(table.entries)) + b"".join(map(write, table.entries))


def _permission(datum: model.PermissionDatum) -> bytes:
    return _TWO(len(datum.name), datum.value) + datum.name.encode("ascii")


def _common(datum: model.CommonDatum) -> bytes:
    head = _FOUR(len(datum.name), datum.value, datum.primary, len(datum.permissions))
    return b"".join([head, datum.name.encode("ascii"), *map(_permission, datum.permissions)])


def _role(datum: model.RoleDatum) -> bytes:
    head = _THREE(len(datum.name), datum.value, datum.bounds)
    return head + datum.name.encode("ascii") + datum.dominates + datum.types


def _type(datum: model.TypeDatum) -> bytes:
    return _FOUR(len(datum.name), datum.value, datum.properties, datum.bounds) + datum.name.encode("ascii")


def _user(datum: model.UserDatum) -> bytes:
    head = _THREE(len(datum.name), datum.value, datum.bounds)
    return head + datum.name.encode("ascii") + datum.roles + _range(datum.range) + _level(datum.level)


def _boolean(datum: model.BooleanDatum) -> bytes:
    return _THREE(datum.value, datum.state, len(datum.name)) + datum.name.encode("ascii")


def _sensitivity(datum: model.SensitivityDatum) -> bytes:
    return _TWO(len(datum.name), datum.is_alias) + datum.name.encode("ascii") + _level(datum.level)


def _category(datum: model.CategoryDatum) -> bytes:
    return _THREE(len(datum.name), datum.value, datum.is_alias) + datum.name.encode("ascii")


def _level(level: model.LevelDatum) -> bytes:
    return _ONE(level.sensitivity) + level.categories


def _range(span: model.RangeDatum) -> bytes:
    low, high = span.low, span.high
    if span.levels == 1:
        return _TWO(1, low.sensitivity) + low.categories
    return _THREE(2, low.sensitivity, high.sensitivity) + low.categories + high.categories


def _context(context: model.ContextDatum) -> bytes:
    return _THREE(context.user, context.role, context.type) + _range(context.range)


def _av_table(table: AvTable) -> bytes:
    return _ONE(len(table)) + table.data


def _conditional(node: model.ConditionalNode) -> bytes:
    terms = b"".join([_TWO(*term) for term in node.expression])
    return _TWO(node.state, len(node.expression)) + terms + _av_table(node.then) + _av_table(node.otherwise)


def _filename_transition(datum: model.FilenameTransitionDatum) -> bytes:
    return _ONE(len(datum.name)) + datum.name.encode("ascii") + _FOUR(*datum[1:])


def _number(datum: model.ObjectContextDatum) -> bytes:
    return _ONE(datum.low) + _context(datum.context)


def _ports(datum: model.ObjectContextDatum) -> bytes:
    return _TWO(datum.low, datum.high) + _context(datum.context)


def _path(datum: model.ObjectContextDatum) -> bytes:
    return _ONE(len(datum.path)) + datum.path.encode("ascii") + _context(datum.context)


def _file_system(datum: model.FileSystemDatum) -> bytes:
    return _ONE(len(datum.name)) + datum.name.encode("ascii") + _list(datum.contexts, _file_context)


def _file_context(datum: model.FileContextDatum) -> bytes:
    path = datum.path.encode("ascii")
    return _ONE(len(path)) + path + _ONE(datum.security_class) + _context(datum.context)


def _range_transition(datum: model.RangeTransitionDatum) -> bytes:
    return _THREE(datum.source, datum.target, datum.security_class) + _range(datum.range)
