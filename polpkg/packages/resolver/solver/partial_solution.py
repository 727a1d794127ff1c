"""The partial solution: all assignments so far, and how to take them back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from polpkg.packages.resolver.solver.assignment import Assignment
from polpkg.packages.resolver.solver.term import ANYTHING

if TYPE_CHECKING:
    from polpkg.packages.resolver.solver.incompatibility import Incompatibility


class PartialSolution:
    """Assignments in the order they were made.

    `known` has, for every package that is spoken of, the version set in which what is chosen for it must lie.
    `decisions` has the versions that were chosen.  Both are for reading: `decide`, `derive` and `backtrack` change
    them.
    """

    def __init__(self) -> None:
        self.known: dict[str, int] = {}
        self.decisions: dict[str, int] = {}
        self._trail: list[Assignment] = []
        self._history: dict[str, list[Assignment]] = {}

    @property
    def level(self) -> int:
        """How many decisions have been made."""
        return len(self.decisions)

    def is_open(self, package: str) -> bool:
        """Whether the package must be chosen and has no version yet."""
        return self.known.get(package, ANYTHING) >= 0 and package not in self.decisions

    def decide(self, package: str, version: int) -> None:
        """Choose a version."""
        self.decisions[package] = version
        self._append(package, 1 << version, None)

    def derive(self, package: str, allowed: int, cause: Incompatibility) -> None:
        """Note that what is chosen for `package` lies in `allowed`, because of `cause`."""
        self._append(package, allowed, cause)

    def _append(self, package: str, allowed: int, cause: Incompatibility | None) -> None:
        known = self.known.get(package, ANYTHING) & allowed
        assignment = Assignment(package, allowed, known, len(self.decisions), len(self._trail), cause)
        self.known[package] = known
        self._trail.append(assignment)
        self._history.setdefault(package, []).append(assignment)

    def satisfier(self, package: str, allowed: int) -> Assignment:
        """The first assignment after which what is chosen for `package` was sure to lie in `allowed`."""
        history, missing = self._history[package], ~allowed
        low, high = 0, len(history) - 1
        while low < high:
            middle = (low + high) // 2
            if history[middle].known & missing:
                low = middle + 1
            else:
                high = middle
        return history[low]

    def backtrack(self, level: int) -> set[str]:
        """Take back every assignment that was made after `level` decisions; the packages that these spoke of."""
        touched: set[str] = set()
        while self._trail and self._trail[-1].level > level:
            assignment = self._trail.pop()
            package = assignment.package
            touched.add(package)
            history = self._history[package]
            history.pop()
            self.known[package] = history[-1].known if history else ANYTHING
            if assignment.cause is None:
                del self.decisions[package]
        return touched
