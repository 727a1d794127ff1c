"""The search: propagate what is known, choose a version, learn from conflicts."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, NamedTuple

from polpkg.packages.resolver.solver.incompatibility import Incompatibility, resolvent
from polpkg.packages.resolver.solver.partial_solution import PartialSolution
from polpkg.packages.resolver.solver.term import Term

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from polpkg.packages.resolver.solver.assignment import Assignment
    from polpkg.packages.resolver.solver.provider import DependencyProvider


def solve(provider: DependencyProvider, requested: Iterable[Incompatibility]) -> Mapping[str, int] | Incompatibility:
    """One version number for every package needed, or the incompatibility without terms that proves there is no way.

    `requested` are the incompatibilities that say what is asked for.
    """
    return _Search(provider).run(requested)


class _Relation(Enum):
    """How an incompatibility stands to the partial solution, where no single term is left to derive from."""

    CONFLICT = "every term holds"
    OPEN = "a term cannot hold, or several may still"


class _Clash(NamedTuple):
    """The last step that made an incompatibility's terms all true, and the level up to which they were not yet."""

    latest: Assignment
    previous_level: int


class _Search:
    def __init__(self, provider: DependencyProvider) -> None:
        self._provider = provider
        self._solution = PartialSolution()
        self._about: dict[str, list[Incompatibility]] = {}
        self._added: set[tuple[Term, ...]] = set()
        self._constrained: set[str] = set()
        self._expanded: set[tuple[str, int]] = set()

    def run(self, requested: Iterable[Incompatibility]) -> Mapping[str, int] | Incompatibility:
        changed: dict[str, None] = {}
        for incompatibility in requested:
            self._add(incompatibility)
            changed.update(dict.fromkeys(term.package for term in incompatibility.terms))
            if not incompatibility.terms:
                return incompatibility
        while True:
            failure = self._propagate(changed)
            if failure is not None:
                return failure
            if not self._solution.undecided:
                return dict(sorted(self._solution.decisions.items()))
            changed = {self._decide(): None}

    def _add(self, incompatibility: Incompatibility) -> None:
        if incompatibility.terms in self._added:
            return
        self._added.add(incompatibility.terms)
        for term in incompatibility.terms:
            self._about.setdefault(term.package, []).append(incompatibility)

    def _propagate(self, changed: dict[str, None]) -> Incompatibility | None:
        """Derive all that follows from the `changed` packages; the proof of failure if that leads to one."""
        while changed:
            package = next(iter(changed))
            del changed[package]
            for incompatibility in reversed(self._about.get(package, ())):
                relation = self._relation(incompatibility)
                if isinstance(relation, Term):
                    self._solution.derive(relation.package, ~relation.allowed, incompatibility)
                    changed[relation.package] = None
                elif relation is _Relation.CONFLICT:
                    learned = self._learn(incompatibility)
                    if not learned.terms:
                        return learned
                    changed = {self._derive_from(learned): None}
                    break
        return None

    def _relation(self, incompatibility: Incompatibility) -> Term | _Relation:
        """The one term that does not hold yet, when all others do; else how things stand."""
        left: Term | None = None
        known_of = self._solution.known
        for term in incompatibility.terms:
            known = known_of(term.package)
            if not known & ~term.allowed:
                continue
            if left is not None or not known & term.allowed:
                return _Relation.OPEN
            left = term
        return left if left is not None else _Relation.CONFLICT

    def _derive_from(self, learned: Incompatibility) -> str:
        """Draw the conclusion from what was learned, which by now has exactly one term that does not hold."""
        term = self._relation(learned)
        if not isinstance(term, Term):
            raise AssertionError("a learned incompatibility must have one open term after backtracking")  # noqa: TRY004
        self._solution.derive(term.package, ~term.allowed, learned)
        return term.package

    def _learn(self, conflict: Incompatibility) -> Incompatibility:
        """The root cause of a conflict, with the search taken back to where it can be respected.

        Without terms, it is the proof that there is no solution.
        """
        while conflict.terms:
            clash = self._clash(conflict)
            cause = clash.latest.cause
            if cause is None or clash.previous_level < clash.latest.level:
                self._solution.backtrack(clash.previous_level)
                self._add(conflict)
                return conflict
            conflict = resolvent(conflict, cause, clash.latest.package)
        return conflict

    def _clash(self, conflict: Incompatibility) -> _Clash:
        satisfiers = [(self._solution.satisfier(*term), term) for term in conflict.terms]
        latest, term = max(satisfiers, key=lambda pair: pair[0].position)
        levels = [assignment.level for assignment, _ in satisfiers if assignment is not latest]
        if latest.allowed & ~term.allowed:
            levels.append(self._solution.satisfier(term.package, term.allowed | ~latest.allowed).level)
        return _Clash(latest, max(levels, default=0))

    def _decide(self) -> str:
        """Choose a version of the package with the fewest left, unless that is seen to clash; name the package."""
        known_of = self._solution.known
        package = min(self._solution.undecided, key=lambda name: (known_of(name).bit_count(), name))
        if package not in self._constrained:
            self._constrained.add(package)
            for incompatibility in self._provider.constraints(package):
                self._add(incompatibility)
            return package
        version = self._provider.choose(package, known_of(package))
        if not self._expand(package, version):
            self._solution.decide(package, version)
        return package

    def _expand(self, package: str, version: int) -> bool:
        """Add what `version` brings with it; whether some of that forbids the version at once."""
        if (package, version) in self._expanded:
            return False
        self._expanded.add((package, version))
        forbidden = False
        for incompatibility in self._provider.dependencies(package, version):
            self._add(incompatibility)
            forbidden |= all(
                term.package == package or not self._solution.known(term.package) & ~term.allowed
                for term in incompatibility.terms
            )
        return forbidden
