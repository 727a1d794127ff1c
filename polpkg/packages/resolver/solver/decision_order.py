"""The decision order: which package to choose next."""

from __future__ import annotations

from heapq import heapify, heappop, heappush
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

    from polpkg.packages.resolver.solver.partial_solution import PartialSolution

_GROWTH = 1 / 0.95
_CEILING = 1e100


class _Rank(NamedTuple):
    """What comes first is chosen first: much trouble for each version left, then few versions left, then the name."""

    calm: float
    versions: int
    package: str


class DecisionOrder:
    """The open packages: those first that recent conflicts were about and that have few versions left.

    Trouble counts more the more recent it is (the activity of SAT solvers).  Ranks are kept in a heap that may hold
    outdated ones; each is recognised when it comes to the top.
    """

    def __init__(self, solution: PartialSolution) -> None:
        self._solution = solution
        self._trouble: dict[str, float] = {}
        self._step = 1.0
        self._heap: list[_Rank] = []
        self._moved: dict[str, None] = {}

    def touch(self, packages: Iterable[str]) -> None:
        """Note that what is known of `packages` has changed."""
        self._moved.update(dict.fromkeys(packages))

    def blame(self, packages: Iterable[str]) -> None:
        """Note that a conflict was about `packages`."""
        for package in packages:
            self._trouble[package] = self._trouble.get(package, 0.0) + self._step
            self._moved[package] = None
        self._step *= _GROWTH
        if self._step > _CEILING:
            self._rescale()

    def _rescale(self) -> None:
        self._trouble = {package: value / _CEILING for package, value in self._trouble.items()}
        self._step /= _CEILING
        self._rebuild()

    def first(self) -> str | None:
        """The package to choose next; None when no package is open."""
        solution, heap = self._solution, self._heap
        for package in self._moved:
            if solution.is_open(package):
                heappush(heap, self._rank(package))
        self._moved.clear()
        if len(heap) > 4 * len(solution.known) + 64:
            self._rebuild()
        while heap:
            rank = heap[0]
            if solution.is_open(rank.package) and rank == self._rank(rank.package):
                return rank.package
            heappop(heap)
        return None

    def _rebuild(self) -> None:
        open_packages = filter(self._solution.is_open, self._solution.known)
        self._heap[:] = [self._rank(package) for package in open_packages]
        heapify(self._heap)

    def _rank(self, package: str) -> _Rank:
        versions = self._solution.known[package].bit_count()
        return _Rank(-self._trouble.get(package, 0.0) / versions, versions, package)
