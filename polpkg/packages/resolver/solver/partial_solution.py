"""The partial solution: all assignments so far, and how to take them back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from polpkg.packages.resolver.solver.assignment import Assignment
from polpkg.packages.resolver.solver.term import ANYTHING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from polpkg.packages.resolver.solver.incompatibility import Incompatibility


class PartialSolution:
    """Assignments in the order they were made.

    For each package it remembers the intersection of its assignments after every step, which answers what is known now
    and which step made a term true.
    """

    def __init__(self) -> None:
        self.decisions: dict[str, int] = {}
        self._trail: list[Assignment] = []
        self._history: dict[str, list[tuple[int, Assignment]]] = {}
        self._known: dict[str, int] = {}
        self._undecided: dict[str, None] = {}

    def known(self, package: str) -> int:
        """The version set in which what is chosen for `package` must lie."""
        return self._known.get(package, ANYTHING)

    @property
    def undecided(self) -> Iterable[str]:
        """The packages that must be chosen and have no version yet."""
        return self._undecided

    def decide(self, package: str, version: int) -> None:
        """Choose a version."""
        self.decisions[package] = version
        del self._undecided[package]
        self._append(package, 1 << version, None)

    def derive(self, package: str, allowed: int, cause: Incompatibility) -> None:
        """Note that what is chosen for `package` lies in `allowed`, because of `cause`."""
        self._append(package, allowed, cause)

    def _append(self, package: str, allowed: int, cause: Incompatibility | None) -> None:
        assignment = Assignment(package, allowed, len(self.decisions), len(self._trail), cause)
        known = self.known(package) & allowed
        self._trail.append(assignment)
        self._history.setdefault(package, []).append((known, assignment))
        self._remember(package, known)

    def _remember(self, package: str, known: int) -> None:
        self._known[package] = known
        if known >= 0 and package not in self.decisions:
            self._undecided[package] = None

    def satisfier(self, package: str, allowed: int) -> Assignment:
        """The first assignment after which what is chosen for `package` was sure to lie in `allowed`."""
        return next(assignment for known, assignment in self._history[package] if not known & ~allowed)

    def backtrack(self, level: int) -> None:
        """Take back every assignment that was made after `level` decisions."""
        touched: set[str] = set()
        while self._trail and self._trail[-1].level > level:
            assignment = self._trail.pop()
            self._history[assignment.package].pop()
            touched.add(assignment.package)
            if assignment.cause is None:
                del self.decisions[assignment.package]
        for package in touched:
            self._undecided.pop(package, None)
            history = self._history[package]
            self._remember(package, history[-1][0] if history else ANYTHING)
