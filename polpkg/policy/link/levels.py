"""Multi-level security: sensitivities, categories, and the levels that labels have.

As in checkpolicy (`define_sens`, `define_dominance`, `define_category`, `define_level` in `policy_define.c`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from polpkg.policy.ir.linked import CategorySymbol, LinkedLevel, LinkedRange, SensitivitySymbol
from polpkg.policy.ir.statements import (
    CategoryDeclaration,
    Dominance,
    LevelDeclaration,
    SensitivityDeclaration,
)
from polpkg.policy.link.report import declared_at

if TYPE_CHECKING:
    from collections.abc import Iterable

    from polpkg.diagnostics import Place
    from polpkg.policy.ir.module import PolicyModule
    from polpkg.policy.ir.statements import Level, LevelRange
    from polpkg.policy.link.report import Report


class Levels:
    """The sensitivities and categories of a policy; without MLS, none, and levels bind to nothing."""

    def __init__(self, modules: Iterable[PolicyModule], report: Report, *, mls: bool) -> None:
        """Reads the declarations of `modules`."""
        self.mls = mls
        self._report = report
        self._aliases: dict[str, tuple[str, ...]] = {}
        self._order: dict[str, int] = {}
        self._categories: dict[str, int] = {}
        self._category_symbols: list[CategorySymbol] = []
        self._allowed: dict[int, int] = {}
        self._read(tuple(modules))

    def _read(self, modules: tuple[PolicyModule, ...]) -> None:
        """Declarations first, then the order, then what may go together, whatever order they were written in."""
        statements = [s for m in modules for s in m.others if isinstance(s, _MLS_STATEMENTS)]
        if statements and not self.mls:
            message = "this declares levels, and the policy is linked without MLS"
            self._report.error(statements[0].place, "mls-disabled", message, "link with --mls")
            return
        self._check_duplicates(statements)
        for statement in statements:
            match statement:
                case SensitivityDeclaration(_, name, aliases):
                    self._aliases[name] = aliases
                case CategoryDeclaration(_, name, aliases):
                    for known in (name, *aliases):
                        self._categories[known] = len(self._category_symbols)
                    self._category_symbols.append(CategorySymbol(name, aliases))
                case _:
                    pass
        for statement in statements:
            if isinstance(statement, Dominance):
                self._read_dominance(statement)
        for statement in statements:
            if isinstance(statement, LevelDeclaration) and (bound := self.level(statement.level, statement.place)):
                if bound.sensitivity in self._allowed:
                    message = f"sensitivity `{statement.level.sensitivity}` has a `level` statement already"
                    self._report.error(statement.place, "duplicate-symbol", message)
                self._allowed[bound.sensitivity] = self._allowed.get(bound.sensitivity, 0) | bound.categories

    def _check_duplicates(self, statements: Iterable[_MlsStatement]) -> None:
        first: dict[tuple[type[_MlsStatement], str], Place] = {}
        for statement in statements:
            if not isinstance(statement, (SensitivityDeclaration, CategoryDeclaration)):
                continue
            what = "sensitivity" if isinstance(statement, SensitivityDeclaration) else "category"
            for name in (statement.name, *statement.aliases):
                if (type(statement), name) in first:
                    note = declared_at("first declared here", first[type(statement), name])
                    message = f"{what} `{name}` is declared already"
                    self._report.error(statement.place, "duplicate-symbol", message, notes=(note,), word=name)
                first.setdefault((type(statement), name), statement.place)

    def _read_dominance(self, statement: Dominance) -> None:
        names = {known: name for name, aliases in self._aliases.items() for known in (name, *aliases)}
        for said in statement.sensitivities:
            if said not in names:
                self._report.error(statement.place, "unknown-sensitivity", f"sensitivity `{said}` is not declared")
                continue
            if said in self._order:
                message = f"sensitivity `{said}` has a place in the dominance already"
                self._report.error(statement.place, "duplicate-symbol", message)
                continue
            number = len(set(self._order.values()))
            for known in (names[said], *self._aliases[names[said]]):
                self._order[known] = number

    def sensitivities(self) -> tuple[SensitivitySymbol, ...]:
        """In dominance order."""
        names = sorted(self._aliases, key=lambda name: self._order.get(name, 0))
        return tuple(
            SensitivitySymbol(name, self._aliases[name], self._allowed.get(self._order.get(name, 0), 0))
            for name in names
        )

    def categories(self) -> tuple[CategorySymbol, ...]:
        """In the order of declaration."""
        return tuple(self._category_symbols)

    def level(self, level: Level, place: Place) -> LinkedLevel | None:
        """A level by number; None when a name in it is not known."""
        number = self._order.get(level.sensitivity)
        if number is None:
            message = f"sensitivity `{level.sensitivity}` is not declared, or has no place in the dominance"
            self._report.error(place, "unknown-sensitivity", message)
            return None
        found = 0
        for low, high in level.categories:
            if low not in self._categories or high not in self._categories:
                unknown = low if low not in self._categories else high
                self._report.error(place, "unknown-category", f"category `{unknown}` is not declared")
                return None
            first, last = self._categories[low], self._categories[high]
            if first > last:
                self._report.error(place, "syntax-error", f"the categories {low}.{high} end before they begin")
                return None
            found |= (1 << last + 1) - (1 << first)
        return LinkedLevel(number, found)

    def allowed_level(self, level: Level, place: Place) -> LinkedLevel | None:
        """The same for a label, whose sensitivity must be allowed its categories by a `level` statement."""
        found = self.level(level, place)
        if found is not None and found.categories & ~self._allowed.get(found.sensitivity, 0):
            message = "a sensitivity has a category here that no `level` statement gives it"
            self._report.error(place, "invalid-level", message)
            return None
        return found

    def range(self, range_: LevelRange, place: Place) -> LinkedRange | None:
        """A range by number; the high level must dominate the low one."""
        low, high = self.allowed_level(range_.low, place), self.allowed_level(range_.high, place)
        if low is None or high is None:
            return None
        if high.sensitivity < low.sensitivity or low.categories & ~high.categories:
            self._report.error(place, "invalid-level", "the high level of a range must dominate its low level")
            return None
        return LinkedRange(low, high)


def is_within(inner: LinkedRange, outer: LinkedRange) -> bool:
    """Whether each level of `inner` is between those of `outer` (`mls_range_contains` of libsepol)."""
    return _dominates(inner.low, outer.low) and _dominates(outer.high, inner.high)


def _dominates(level: LinkedLevel, other: LinkedLevel) -> bool:
    return level.sensitivity >= other.sensitivity and not other.categories & ~level.categories


_MlsStatement: TypeAlias = SensitivityDeclaration | CategoryDeclaration | Dominance | LevelDeclaration
_MLS_STATEMENTS = (SensitivityDeclaration, CategoryDeclaration, Dominance, LevelDeclaration)
