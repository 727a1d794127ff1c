"""Pass `rules`, for modules that come as tables: whole columns are bound at once.

Only where nothing could be said about any row.  Where something could, a module is bound statement by statement, which
comes to the same, and says it.
"""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING, Any, NamedTuple

from polpkg.policy.ir.columns import Columns, RuleColumns
from polpkg.policy.ir.linked import LinkedAvRule, LinkedTypeRule
from polpkg.policy.ir.places import outside_macros
from polpkg.policy.ir.statements import AvRule, TypeRule
from polpkg.policy.ir.table import AV_ROW, TYPE_ROW

if TYPE_CHECKING:
    from polpkg.policy.ir.module import PolicyModule
    from polpkg.policy.ir.table import Form, StatementTable
    from polpkg.policy.link.binder import Binder


class BoundRows(NamedTuple):
    """The rules that the rows of a table are."""

    rules: RuleColumns[LinkedAvRule]
    type_rules: RuleColumns[LinkedTypeRule]


def bind_rows(table: StatementTable, module: PolicyModule, binder: Binder) -> BoundRows | None:
    """Binds the rows of a table that are rules; None when they have to be looked at one by one."""
    numbers = [binder.types.get(name, -1) for name in table.names]
    if -1 in numbers or binder.written_out:
        return None
    if not _may_use(table, module, binder):
        return None
    attributes = {at for at, number in enumerate(numbers) if number in binder.attributes}
    if not all(map(attributes.isdisjoint, table.rows[TYPE_ROW].names)):
        return None
    rows, type_rows = table.rows[AV_ROW], table.rows[TYPE_ROW]
    used = {*rows.forms, *type_rows.forms}
    forms = [_about(form, table, binder) if number in used else (0, 0, 0) for number, form in enumerate(table.forms)]
    if None in forms:
        return None
    abouts = [found[:2] for found in forms if found]
    permissions = [found[2] for found in forms if found]
    sources, targets, _ = (array("H", map(numbers.__getitem__, column)) for column in rows.names)
    granted = array("I", map(permissions.__getitem__, rows.forms))
    columns = Columns(rows.forms, sources, targets, granted, rows.places)
    from_types, to_types, results = (array("H", map(numbers.__getitem__, column)) for column in type_rows.names)
    type_columns = Columns(type_rows.forms, from_types, to_types, results, type_rows.places)
    return BoundRows(
        RuleColumns(LinkedAvRule, abouts, columns, table.places),
        RuleColumns(LinkedTypeRule, abouts, type_columns, table.places),
    )


def _may_use(table: StatementTable, module: PolicyModule, binder: Binder) -> bool:
    """Whether the rules may use every name, whatever macro they are in; names that are handed to macros, in macros."""
    handed = binder.handed_to(module, table.names)
    if not handed:
        return handed is not None
    outside = outside_macros(table.places)
    numbers = {number for number, name in enumerate(table.names) if name in handed}
    return not outside or not any(
        place in outside and not numbers.isdisjoint(names)
        for kind in (AV_ROW, TYPE_ROW)
        for place, *names in zip(table.rows[kind].places, *table.rows[kind].names, strict=True)
    )


def _about(form: Form, table: StatementTable, binder: Binder) -> tuple[Any, int, int] | None:
    """Kind, class and permissions of a rule in rows; None for what is none, or is wrong, or gives nothing."""
    if not isinstance(form, AvRule | TypeRule) or not binder.abi.has_class(form.classes[0]):
        return None
    name = form.classes[0]
    if isinstance(form, TypeRule):
        return form.kind, binder.abi.class_id(name) - 1, 0
    permissions = form.permissions
    if permissions.excluded or not all(binder.abi.has_permission(name, p) for p in permissions.names):
        return None
    found = binder.permission_bits(permissions, name, table.places[0])
    return (form.kind, binder.abi.class_id(name) - 1, found) if found else None
