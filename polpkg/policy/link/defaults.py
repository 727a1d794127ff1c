"""Pass `defaults`: where new objects of a class get their labels from.  Xen reads it, and never uses it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from polpkg.policy.ir.linked import LinkedDefault
from polpkg.policy.ir.statements import DefaultRule

if TYPE_CHECKING:
    from collections.abc import Iterable

    from polpkg.policy.ir.module import PolicyModule
    from polpkg.policy.link.binder import Binder


def link_defaults(modules: Iterable[PolicyModule], binder: Binder) -> tuple[LinkedDefault, ...]:
    """Every default, by class and part; two that contradict each other are an error."""
    found: dict[tuple[int, str], DefaultRule] = {}
    for module in modules:
        for statement in module.others:
            if not isinstance(statement, DefaultRule):
                continue
            message = f"`default_{statement.part}` is read by Xen and never used"
            binder.report.warn(statement.place, "ignored-by-xen", message)
            for name in statement.classes:
                number = binder.class_number(name, statement.place)
                if number is None:
                    continue
                first = found.setdefault((number, statement.part), statement)
                if first.value != statement.value:
                    message = f"class `{name}` has another `default_{statement.part}` already: {first.value}"
                    binder.report.error(statement.place, "conflicting-default", message)
    return tuple(LinkedDefault(number, part, rule.value, rule.place) for (number, part), rule in sorted(found.items()))
