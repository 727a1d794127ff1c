"""What type rules compute: one label for each source, target and class, conditions included.

A type rule under a condition must not be about the same as an unconditional one, or as one under another condition;
libsepol refuses it (`expand_terule_helper` in `expand.c`), and so does Xen (`cond_insertf` in ss/conditional.c).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from polpkg.policy.ir.columns import RuleColumns
from polpkg.policy.ir.statements import BooleanOperator
from polpkg.policy.link.report import declared_at
from polpkg.policy.policydb.avtab import key, keys_of
from polpkg.policy.policydb.conditions import identity, normalise
from polpkg.policy.policydb.layout import CONDITION_BOOLEAN

if TYPE_CHECKING:
    from array import array

    from polpkg.policy.ir.linked import LinkedExpression, LinkedTypeRule
    from polpkg.policy.link.binder import Binder

Scope: TypeAlias = tuple[object, bool] | None
"""A condition and a branch of it; None is unconditional."""


class ComputedLabels:
    """Remembers every type rule and reports contradictions.  Unconditional rules are added first."""

    def __init__(self, binder: Binder) -> None:
        """Names come from `binder`, and findings go to its report."""
        self._binder = binder
        self._always: dict[int, LinkedTypeRule | RuleColumns[LinkedTypeRule]] = {}
        self._sometimes: dict[int, dict[tuple[object, bool], LinkedTypeRule]] = {}

    def add(self, new: LinkedTypeRule, scope: Scope = None) -> bool:
        """Whether `new` says something that was not said before."""
        if scope is None:
            subject = _subject(new)
            first = self._rule(subject, self._always.setdefault(subject, new))
            if first.result != new.result:
                self._report(new, first)
            return first is new
        if (always := self._always.get(_subject(new))) is not None:
            self._report(new, self._rule(_subject(new), always))
            return False
        known = self._sometimes.setdefault(_subject(new), {})
        for other, first in known.items():
            if other == scope:
                if first.result != new.result:
                    self._report(new, first)
                return False
            if other[0] != scope[0]:
                self._report(new, first)
                return False
        known[scope] = new
        return True

    def add_all(self, rules: RuleColumns[LinkedTypeRule]) -> bool:
        """Adds unconditional rules, all of which are about something new; when they are not, adds none: False."""
        subjects = _subjects(rules)
        new = dict.fromkeys(subjects, rules)
        if len(new) < len(subjects) or not self._always.keys().isdisjoint(new):
            return False
        self._always.update(new)
        return True

    @staticmethod
    def _rule(subject: int, found: LinkedTypeRule | RuleColumns[LinkedTypeRule]) -> LinkedTypeRule:
        return found[_subjects(found).index(subject)] if isinstance(found, RuleColumns) else found

    def _report(self, new: LinkedTypeRule, first: LinkedTypeRule) -> None:
        if new.place is None or first.place is None:
            return
        names = self._binder.type_names
        about = (
            f"{new.kind.name.lower()} {names[new.source]} {names[new.target]}:"
            f"{self._binder.abi.all_classes[new.security_class].name}"
        )
        if first.result != new.result:
            message = f"{about} gives `{names[new.result]}` here and `{names[first.result]}` elsewhere"
        else:
            message = f"{about} is given twice, under different conditions"
        note = declared_at("the other rule", first.place)
        self._binder.report.error(new.place, "conflicting-type-rule", message, notes=(note,))


def _subject(rule: LinkedTypeRule) -> int:
    kind, source, target, security_class, _, _ = rule
    return key(source + 1, target + 1, security_class + 1, kind)


def _subjects(rules: RuleColumns[LinkedTypeRule]) -> array[int]:
    return keys_of(rules.sources, rules.targets, rules.kinds_and_classes())


def scopes_of(expression: LinkedExpression) -> tuple[Scope, Scope]:
    """The scopes of the two branches of a conditional; conditions that mean the same have the same."""
    condition, is_swapped = normalise(
        tuple((int(t), 0) if isinstance(t, BooleanOperator) else (CONDITION_BOOLEAN, t + 1) for t in expression)
    )
    same = identity(condition)
    return (same, not is_swapped), (same, is_swapped)
