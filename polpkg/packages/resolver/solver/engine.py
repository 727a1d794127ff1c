"""The search: propagate what is known, choose a version, learn from conflicts."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, NamedTuple

from polpkg.packages.resolver.solver.decision_order import DecisionOrder
from polpkg.packages.resolver.solver.incompatibility import Incompatibility
from polpkg.packages.resolver.solver.learning import learn
from polpkg.packages.resolver.solver.partial_solution import PartialSolution
from polpkg.packages.resolver.solver.restarts import Restarts
from polpkg.packages.resolver.solver.support import Supports
from polpkg.packages.resolver.solver.term import ANYTHING, Term
from polpkg.packages.resolver.solver.watching import Watch, Watches

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from polpkg.packages.resolver.solver.provider import DependencyProvider

_HARD = 300
"""How many conflicts make a search hard: then finding an answer matters more than the highest versions."""
_FAR = 50
_PATIENCE = 4
"""How many times in a row a far jump is replaced by a single step back."""


def solve(provider: DependencyProvider, requested: Iterable[Incompatibility]) -> Mapping[str, int] | Incompatibility:
    """One version number for every package needed, or the incompatibility without terms that proves there is no way.

    `requested` are the incompatibilities that say what is asked for.
    """
    answer = _Search(provider).run(requested)
    if answer is None:
        raise AssertionError("a search without a limit ends with an answer")
    return answer


class Refutation(NamedTuple):
    """What came of an attempt to refute facts: the proof, if there is one, and how many conflicts were met."""

    proof: Incompatibility | None
    conflicts: int


def refute(facts: Iterable[Incompatibility], limit: int) -> Refutation:
    """The proof that `facts` alone leave no solution; none when they do, or when `limit` conflicts do not suffice."""
    search = _Search(_NothingElse(), limit)
    answer = search.run(facts)
    return Refutation(answer if isinstance(answer, Incompatibility) else None, search.conflicts)


class _NothingElse:
    """The provider of a world in which all that holds has been stated."""

    def constraints(self, package: str) -> tuple[Incompatibility, ...]:  # noqa: ARG002
        return ()

    def choose(self, package: str, allowed: int, favourite: int = 0) -> int:  # noqa: ARG002
        return allowed.bit_length() - 1

    def dependencies(self, package: str, version: int) -> tuple[Incompatibility, ...]:  # noqa: ARG002
        return ()

    def all_dependencies(self, package: str) -> tuple[Incompatibility, ...]:  # noqa: ARG002
        return ()


class _Search:
    def __init__(self, provider: DependencyProvider, limit: float = inf) -> None:
        self.conflicts = 0
        self._limit = limit
        self._provider = provider
        self._solution = PartialSolution()
        self._order = DecisionOrder(self._solution)
        self._restarts = Restarts()
        self._watches = Watches()
        self._supports = Supports()
        self._stated: set[tuple[Term, ...]] = set()
        self._constrained: set[str] = set()
        self._expanded: set[tuple[str, int]] = set()
        self._troubled: set[str] = set()
        self._tried: dict[str, int] = {}
        self._changed: dict[str, int] = {}
        self._late: list[tuple[int, Incompatibility]] = []
        self._steps_back = 0

    def run(self, requested: Iterable[Incompatibility]) -> Mapping[str, int] | Incompatibility | None:
        """As `solve`; None when more conflicts were met than the limit allows."""
        conflict = self._state(requested)
        while True:
            while conflict is not None or (conflict := self._propagate()) is not None:
                lesson = learn(conflict, self._solution)
                self.conflicts += 1
                if not lesson.learned.terms:
                    return lesson.learned
                if self.conflicts > self._limit:
                    return None
                self._order.blame(lesson.involved)
                self._go_back(lesson.level)
                late = self._restate_late()
                conflict = self._state((lesson.learned,)) or late or self._expand(lesson.involved)
            package = self._order.first()
            if package is None:
                return dict(sorted(self._solution.decisions.items()))
            conflict = self._advance(package)

    def _advance(self, package: str) -> Incompatibility | None:
        """Ask what is to be known of an open package, or choose a version of it; a conflict that this leads to."""
        if package not in self._constrained:
            self._constrained.add(package)
            return self._state(self._provider.constraints(package))
        version = self._choose(package)
        if package not in self._troubled and (package, version) not in self._expanded:
            self._expanded.add((package, version))
            conflict = self._state(self._provider.dependencies(package, version))
            if conflict is not None or not self._solution.known[package] >> version & 1:
                return conflict
        before = self._solution.known[package]
        self._solution.decide(package, version)
        self._steps_back = 0
        self._note(package, before)
        return None

    def _choose(self, package: str) -> int:
        """The best version that is left; in a hard search the one tried last, since much of what is chosen fits it.

        (Pipatsrisawat and Darwiche, "A Lightweight Component Caching Scheme for Satisfiability Solvers", 2007.)
        """
        left, tried = self._solution.known[package], self._tried.get(package)
        favourite = 0 if tried is None or self.conflicts < _HARD else 1 << tried
        version = self._tried[package] = self._provider.choose(package, left, favourite)
        return version

    def _expand(self, packages: Iterable[str]) -> Incompatibility | None:
        """State what every version brings with it of `packages`, which a conflict was about; a conflict, if any.

        Trying the versions one after the other would learn what they have in common from one conflict each.
        """
        for package in packages:
            if package in self._constrained and package not in self._troubled:
                self._troubled.add(package)
                conflict = self._state(self._provider.all_dependencies(package))
                if conflict is not None:
                    return conflict
        return None

    def _go_back(self, level: int) -> None:
        """Take the search back to `level`; where that is far, only by one decision, unless that was tried in vain.

        Most of what a far jump throws away would be decided again in the same way (Nadel and Ryvchin, "Chronological
        Backtracking", 2018).
        """
        if self._restarts.is_due(self.conflicts):
            level = 0
        elif self._solution.level - level > _FAR and self._steps_back < _PATIENCE:
            level = self._solution.level - 1
            self._steps_back += 1
        self._order.touch(sorted(self._solution.backtrack(level)))
        self._changed.clear()

    def _restate_late(self) -> Incompatibility | None:
        """Draw again the conclusions that belong to an earlier level than the one at which they were found."""
        undone: list[Incompatibility] = []
        while self._late and self._late[-1][0] > self._solution.level:
            undone.append(self._late.pop()[1])
        conflicts = [incompatibility for incompatibility in reversed(undone) if self._examine(incompatibility)]
        return conflicts[0] if conflicts else None

    def _state(self, incompatibilities: Iterable[Incompatibility]) -> Incompatibility | None:
        """Add incompatibilities and draw what conclusions they allow; the first of them that is a conflict, if any."""
        conflict = None
        for incompatibility in incompatibilities:
            if not incompatibility.terms:
                return incompatibility
            if incompatibility.terms not in self._stated:
                self._stated.add(incompatibility.terms)
                self._watches.add(self._watch(incompatibility))
                self._supports.add(incompatibility)
            if self._examine(incompatibility) and conflict is None:
                conflict = incompatibility
        return conflict

    def _watch(self, incompatibility: Incompatibility) -> Watch:
        """Watch the two terms that will be open for longest when assignments are taken back."""
        terms = sorted(incompatibility.terms, key=self._since)
        return Watch(incompatibility, terms[-1], terms[-2] if len(terms) > 1 else terms[-1])

    def _since(self, term: Term) -> float:
        """The position at which a term began to hold; infinite when it does not."""
        if self._solution.known.get(term.package, ANYTHING) & ~term.allowed:
            return inf
        return self._solution.satisfier(*term).position

    def _examine(self, incompatibility: Incompatibility) -> bool:
        """Whether an incompatibility is a conflict; when a single term does not hold yet, that is ruled out."""
        left: Term | None = None
        known = self._solution.known
        for term in incompatibility.terms:
            now = known.get(term.package, ANYTHING)
            if not now & ~term.allowed:
                continue
            if left is not None:
                return False
            left = term
        if self._solution.level:
            self._late.append((self._solution.level, incompatibility))
        if left is not None and known.get(left.package, ANYTHING) & left.allowed:
            self._derive(left, incompatibility)
        return left is None

    def _derive(self, term: Term, cause: Incompatibility) -> None:
        before = self._solution.known.get(term.package, ANYTHING)
        self._solution.derive(term.package, ~term.allowed, cause)
        self._note(term.package, before)

    def _note(self, package: str, before: int) -> None:
        self._changed.setdefault(package, before)
        self._order.touch((package,))

    def _propagate(self) -> Incompatibility | None:
        """Derive all that follows from what has changed; an incompatibility whose terms all hold, if there is one."""
        while self._changed:
            package = next(iter(self._changed))
            before = self._changed.pop(package)
            for watches in self._watches.begun(package, before, self._solution.known[package]):
                conflict = self._visit(package, watches)
                if conflict is not None:
                    return conflict
            conflict = self._exclude(package)
            if conflict is not None:
                return conflict
        return None

    def _exclude(self, package: str) -> Incompatibility | None:
        """Derive what all versions have in common that are left of a package; why that cannot be, if it cannot."""
        known = self._solution.known
        for term in self._supports.excluded(package, known[package]):
            now = known.get(term.package, ANYTHING)
            if now & term.allowed:
                cause = self._supports.explain(package, term)
                if not now & ~term.allowed:
                    return cause
                self._derive(term, cause)
        return None

    def _visit(self, package: str, watches: list[Watch]) -> Incompatibility | None:
        """Look at incompatibilities of which the watched term about `package` has begun to hold."""
        known = self._solution.known
        kept: list[Watch] = []
        for number, watch in enumerate(watches):
            other = watch.second if watch.first.package == package else watch.first
            now = known.get(other.package, ANYTHING)
            if now & other.allowed:
                substitute = self._open_term(watch)
                if substitute is not None:
                    self._watches.move(watch, package, substitute)
                    continue
                if not now & ~other.allowed:
                    watches[:] = kept + watches[number:]
                    return watch.incompatibility
                self._derive(other, watch.incompatibility)
            kept.append(watch)
        watches[:] = kept
        return None

    def _open_term(self, watch: Watch) -> Term | None:
        """A term that does not hold, besides the two that are watched."""
        terms = watch.incompatibility.terms
        if len(terms) > 2:
            known = self._solution.known
            for term in terms:
                if (
                    known.get(term.package, ANYTHING) & ~term.allowed
                    and term is not watch.first
                    and term is not watch.second
                ):
                    return term
        return None
