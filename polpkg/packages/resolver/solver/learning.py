"""Learning: from a conflict to an incompatibility that forbids its root cause."""

from __future__ import annotations

from heapq import heapify, heappop, heappush
from typing import TYPE_CHECKING, NamedTuple

from polpkg.packages.resolver.solver.cause import Derived
from polpkg.packages.resolver.solver.incompatibility import Incompatibility
from polpkg.packages.resolver.solver.term import ANYTHING, Term

if TYPE_CHECKING:
    from polpkg.packages.resolver.solver.assignment import Assignment
    from polpkg.packages.resolver.solver.partial_solution import PartialSolution


class Lesson(NamedTuple):
    """What a conflict teaches.

    `learned` says it; without terms, it is the proof that there is no solution.  After going back to `level` decisions
    all its terms hold but one.  `involved`: the packages that the conflict was about.
    """

    learned: Incompatibility
    level: int
    involved: tuple[str, ...]


def learn(conflict: Incompatibility, solution: PartialSolution) -> Lesson:
    """The lesson of `conflict`, an incompatibility whose terms all hold in `solution`."""
    return _Analysis(conflict, solution).run()


class _Analysis:
    """Replaces the latest reason of the conflict by its own cause until going back can avoid it."""

    def __init__(self, conflict: Incompatibility, solution: PartialSolution) -> None:
        self._conflict = conflict
        self._solution = solution
        self._terms = dict(conflict.terms)
        self._satisfiers = {package: solution.satisfier(package, allowed) for package, allowed in conflict.terms}
        self._latest = [(-satisfier.position, package) for package, satisfier in self._satisfiers.items()]
        heapify(self._latest)
        self._premises: list[Incompatibility] = []
        self._pivots: list[str] = []

    def run(self) -> Lesson:
        while self._terms:
            latest = self._pop()
            rest = self._terms[latest.package] | ~latest.allowed
            earlier = self._next_level()
            if rest != ANYTHING:
                earlier = max(earlier, self._solution.satisfier(latest.package, rest).level)
            if latest.cause is None or earlier < latest.level:
                return self._lesson(earlier)
            self._resolve(latest.package, rest, latest.cause)
        return self._lesson(0)

    def _pop(self) -> Assignment:
        while True:
            position, package = heappop(self._latest)
            satisfier = self._satisfiers.get(package)
            if satisfier is not None and satisfier.position == -position:
                return satisfier

    def _next_level(self) -> int:
        heap = self._latest
        while heap:
            position, package = heap[0]
            satisfier = self._satisfiers.get(package)
            if satisfier is not None and satisfier.position == -position:
                return satisfier.level
            heappop(heap)
        return 0

    def _resolve(self, pivot: str, rest: int, cause: Incompatibility) -> None:
        self._premises.append(cause)
        self._pivots.append(pivot)
        if rest == ANYTHING:
            del self._terms[pivot], self._satisfiers[pivot]
        else:
            self._demand(pivot, rest)
        for package, allowed in cause.terms:
            if package != pivot:
                before = self._terms.get(package, ANYTHING)
                if before & allowed != before:
                    self._demand(package, before & allowed)

    def _demand(self, package: str, allowed: int) -> None:
        self._terms[package] = allowed
        satisfier = self._satisfiers[package] = self._solution.satisfier(package, allowed)
        heappush(self._latest, (-satisfier.position, package))

    def _lesson(self, level: int) -> Lesson:
        if not self._premises:
            return Lesson(self._conflict, level, tuple(self._terms))
        terms = tuple(Term(package, allowed) for package, allowed in sorted(self._terms.items()))
        cause = Derived((self._conflict, *self._premises), tuple(self._pivots))
        involved = tuple(sorted({*self._terms, *self._pivots}))
        return Lesson(Incompatibility(terms, cause), level, involved)
