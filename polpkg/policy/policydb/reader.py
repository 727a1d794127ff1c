"""From bytes to a `PolicyDb`.

Reads any policy for the Xen target, versions 24 and 30, whoever compiled it.  Follows libsepol's `policydb_read`
(`policydb.c`) and what it calls; Xen's own reader is xen/xsm/flask/ss/policydb.c.  No number of the file is trusted:
counts are checked against what is left of the file before anything is made for them, and `validate` checks every
reference.
"""

from __future__ import annotations

from collections.abc import Callable
from struct import Struct
from typing import TypeVar

from polpkg.errors import PolicyError
from polpkg.policy.policydb import layout, model
from polpkg.policy.policydb.avtab import ENTRY, AvTable
from polpkg.policy.policydb.cursor import Cursor
from polpkg.policy.policydb.ebitmap import EMPTY
from polpkg.policy.policydb.validate import validate

Datum = TypeVar("Datum")

_TWO = Struct("<II")
_THREE = Struct("<III")
_FOUR = Struct("<IIII")
_SIX = Struct("<IIIIII")
_MEMORY = Struct("<QQ")
_SMALLEST_CONTEXT = 28
_SMALLEST_SYMBOL = 8


def read_policydb(data: bytes) -> model.PolicyDb:
    """The policy that `data` is.

    Raises PolicyError: `policydb-foreign` when it is not a policy for the Xen target, `policydb-version` for a version
    other than 24 and 30, `policydb-truncated` when it ends too early, `policydb-corrupt` for anything else; the message
    has the offset.
    """
    return _Reader(Cursor(data)).read()


class _Reader:
    """The state of one reading: where it is, and which version."""

    def __init__(self, cursor: Cursor) -> None:
        self.cursor = cursor
        self.version, self.config = _read_header(cursor)
        self.is_newer = self.version >= layout.VERSION_DEVICE_TREE
        self.offsets: dict[str, int] = {}

    def read(self) -> model.PolicyDb:
        cursor = self.cursor
        policy = model.PolicyDb(
            version=self.version,
            config=self.config,
            capabilities=cursor.ebitmap(),
            permissive=cursor.ebitmap(),
            commons=self.section("commons", lambda: self.symbols(self.common)),
            classes=self.section("classes", lambda: self.symbols(self.security_class)),
            roles=self.section("roles", lambda: self.symbols(self.role, gaps=True)),
            types=self.symbols(self.type),
            users=self.symbols(self.user),
            booleans=self.symbols(self.boolean),
            sensitivities=self.symbols(self.sensitivity),
            categories=self.symbols(self.category),
            rules=self.section("rules", self.av_table),
            conditionals=self.list_of(self.conditional, 16),
            role_transitions=self.section("role_transitions", lambda: self.list_of(self.role_transition, 12)),
            role_allows=self.list_of(self.role_allow, 8),
            filename_transitions=self.list_of(self.filename_transition, 20) if self.is_newer else (),
            object_contexts=tuple(map(self.object_contexts, range(layout.OBJECT_CONTEXT_KINDS[self.version]))),
            file_systems=self.list_of(self.file_system, 8),
            range_transitions=self.list_of(self.range_transition, 32),
            type_attributes=(),
        )
        return self._finish(policy)

    def _finish(self, policy: model.PolicyDb) -> model.PolicyDb:
        from dataclasses import replace

        cursor = self.cursor
        cursor.check_count(policy.types.primary, len(EMPTY), cursor.at)
        rows = tuple([cursor.ebitmap() for _ in range(policy.types.primary)])
        policy = replace(policy, type_attributes=rows, trailing=cursor.data[cursor.at :])
        validate(policy, self.offsets)
        return policy

    def section(self, name: str, read: Callable[[], Datum]) -> Datum:
        """What `read` reads, with a note of where it began."""
        self.offsets[name] = self.cursor.at
        return read()

    def list_of(self, item: Callable[[], Datum], smallest: int) -> tuple[Datum, ...]:
        return tuple([item() for _ in range(self.cursor.count(smallest))])

    def symbols(self, item: Callable[[], Datum], *, gaps: bool = False) -> model.SymbolTable[Datum]:
        """A table of symbols; with `gaps` there may be more numbers than symbols (role attributes leave such)."""
        at = self.cursor.at
        primary, entries = self.cursor.unpack(_TWO)
        self.cursor.check_count(entries, _SMALLEST_SYMBOL, at)
        if primary > (layout.MAX_TYPES if gaps else entries):
            self.cursor.corrupt(f"{entries} symbols that are said to have numbers up to {primary}", at)
        return model.SymbolTable(primary, tuple([item() for _ in range(entries)]))

    def permission(self) -> model.PermissionDatum:
        length, value = self.cursor.unpack(_TWO)
        return model.PermissionDatum(self.cursor.text(length), value)

    def permissions(self, count: int) -> tuple[model.PermissionDatum, ...]:
        self.cursor.check_count(count, _SMALLEST_SYMBOL, self.cursor.at)
        return tuple([self.permission() for _ in range(count)])

    def common(self) -> model.CommonDatum:
        length, value, primary, count = self.cursor.unpack(_FOUR)
        name = self.cursor.text(length)
        return model.CommonDatum(name, value, primary, self.permissions(count))

    def security_class(self) -> model.ClassDatum:
        cursor = self.cursor
        length, common_length, value, primary, count, constraints = cursor.unpack(_SIX)
        return model.ClassDatum(
            name=cursor.text(length),
            value=value,
            common=cursor.text(common_length),
            primary=primary,
            permissions=self.permissions(count),
            constraints=self.constraints(constraints),
            transitions=self.constraints(cursor.word()),
            defaults=cursor.unpack(_FOUR) if self.is_newer else (),
        )

    def constraints(self, count: int) -> tuple[model.ConstraintNode, ...]:
        self.cursor.check_count(count, 8, self.cursor.at)
        return tuple([self.constraint() for _ in range(count)])

    def constraint(self) -> model.ConstraintNode:
        permissions = self.cursor.word()
        return model.ConstraintNode(permissions, self.list_of(self.expression_node, 12))

    def expression_node(self) -> model.ExpressionNode:
        cursor = self.cursor
        kind, attribute, operator = cursor.unpack(_THREE)
        if kind != layout.EXPRESSION_NAMES:
            return model.ExpressionNode(kind, attribute, operator)
        names = cursor.ebitmap()
        if not self.is_newer:
            return model.ExpressionNode(kind, attribute, operator, names)
        written, excluded = cursor.ebitmap(), cursor.ebitmap()
        return model.ExpressionNode(kind, attribute, operator, names, written, excluded, cursor.word())

    def role(self) -> model.RoleDatum:
        length, value, bounds = self.cursor.unpack(_THREE)
        name = self.cursor.text(length)
        return model.RoleDatum(name, value, bounds, self.cursor.ebitmap(), self.cursor.ebitmap())

    def type(self) -> model.TypeDatum:
        length, value, properties, bounds = self.cursor.unpack(_FOUR)
        return model.TypeDatum(self.cursor.text(length), value, properties, bounds)

    def user(self) -> model.UserDatum:
        length, value, bounds = self.cursor.unpack(_THREE)
        name = self.cursor.text(length)
        return model.UserDatum(name, value, bounds, self.cursor.ebitmap(), self.range(), self.level())

    def boolean(self) -> model.BooleanDatum:
        value, state, length = self.cursor.unpack(_THREE)
        return model.BooleanDatum(self.cursor.text(length), value, state)

    def sensitivity(self) -> model.SensitivityDatum:
        length, is_alias = self.cursor.unpack(_TWO)
        return model.SensitivityDatum(self.cursor.text(length), is_alias, self.level())

    def category(self) -> model.CategoryDatum:
        length, value, is_alias = self.cursor.unpack(_THREE)
        return model.CategoryDatum(self.cursor.text(length), value, is_alias)

    def level(self) -> model.LevelDatum:
        return model.LevelDatum(self.cursor.word(), self.cursor.ebitmap())

    def range(self) -> model.RangeDatum:
        at = self.cursor.at
        levels = self.cursor.word()
        if levels not in {1, 2}:
            self.cursor.corrupt(f"a range of {levels} levels", at)
        low = self.cursor.word()
        high = self.cursor.word() if levels == 2 else low
        low_categories = self.cursor.ebitmap()
        high_categories = self.cursor.ebitmap() if levels == 2 else low_categories
        return model.RangeDatum(levels, model.LevelDatum(low, low_categories), model.LevelDatum(high, high_categories))

    def context(self) -> model.ContextDatum:
        user, role, type_ = self.cursor.unpack(_THREE)
        return model.ContextDatum(user, role, type_, self.range())

    def av_table(self) -> AvTable:
        return AvTable(self.cursor.take(self.cursor.count(ENTRY.size) * ENTRY.size))

    def conditional(self) -> model.ConditionalNode:
        state = self.cursor.word()
        terms = self.cursor.count(_TWO.size)
        expression = tuple([(kind, boolean) for kind, boolean in _TWO.iter_unpack(self.cursor.take(terms * _TWO.size))])
        return model.ConditionalNode(state, expression, self.av_table(), self.av_table())

    def role_transition(self) -> model.RoleTransitionDatum:
        return model.RoleTransitionDatum(*self.cursor.unpack(_FOUR if self.is_newer else _THREE))

    def role_allow(self) -> tuple[int, int]:
        source, target = self.cursor.unpack(_TWO)
        return source, target

    def filename_transition(self) -> model.FilenameTransitionDatum:
        name = self.cursor.text(self.cursor.word())
        return model.FilenameTransitionDatum(name, *self.cursor.unpack(_FOUR))

    def object_contexts(self, kind: int) -> tuple[model.ObjectContextDatum, ...]:
        read = (self.number, self.number, self.ports, self.memory, self.number, self.path)[kind]

        def item() -> model.ObjectContextDatum:
            low, high, path = read()
            return model.ObjectContextDatum(low, high, path, self.context())

        return self.list_of(item, _SMALLEST_CONTEXT)

    def number(self) -> tuple[int, int, str]:
        value = self.cursor.word()
        return value, value, ""

    def ports(self) -> tuple[int, int, str]:
        low, high = self.cursor.unpack(_TWO)
        return low, high, ""

    def memory(self) -> tuple[int, int, str]:
        low, high = self.cursor.unpack(_MEMORY if self.is_newer else _TWO)
        return low, high, ""

    def path(self) -> tuple[int, int, str]:
        return 0, 0, self.cursor.text(self.cursor.word())

    def file_system(self) -> model.FileSystemDatum:
        name = self.cursor.text(self.cursor.word())
        return model.FileSystemDatum(name, self.list_of(self.file_context, 8 + _SMALLEST_CONTEXT))

    def file_context(self) -> model.FileContextDatum:
        path = self.cursor.text(self.cursor.word())
        return model.FileContextDatum(path, self.cursor.word(), self.context())

    def range_transition(self) -> model.RangeTransitionDatum:
        source, target, security_class = self.cursor.unpack(_THREE)
        return model.RangeTransitionDatum(source, target, security_class, self.range())


def _read_header(cursor: Cursor) -> tuple[int, int]:
    """Version and configuration; refuses what is not for the Xen target or of an unknown version."""
    if len(cursor.data) < 4 or cursor.word() != layout.MAGIC:
        raise PolicyError("policydb-foreign", "not a policy: it does not begin with the number of a policydb")
    length = cursor.count(1)
    if length != len(layout.TARGET) or cursor.take(length) != layout.TARGET:
        raise PolicyError("policydb-foreign", "a policy, but not one for Xen", hint="Xen's begin with XenFlask")
    version, config, tables, kinds = cursor.unpack(_FOUR)
    if version not in layout.VERSIONS:
        raise PolicyError("policydb-version", f"policydb version {version}; Xen has 24 and 30 only")
    if (tables, kinds) != (layout.SYMBOL_TABLES, layout.OBJECT_CONTEXT_KINDS[version]):
        cursor.corrupt(f"{tables} symbol tables and {kinds} kinds of object contexts in the header", 16)
    return version, config
