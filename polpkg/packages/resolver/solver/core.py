"""The core of a failure: few facts that leave no solution, and a short proof from them.

A search meets many facts on its way that have nothing to do with why it failed.  The proof is made again from only
those that it rests on; requirements of many versions are said in one sentence where that is enough; then every fact is
left out that is not missed.  Effort is counted in conflicts and facts, never in seconds, so the same failure has the
same core on every machine.  It grows with the proof there is: what took long to refute is not refuted many times more.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from polpkg.packages.resolver.solver.cause import Derived, Required, RequiredBroadly
from polpkg.packages.resolver.solver.engine import refute
from polpkg.packages.resolver.solver.incompatibility import Incompatibility, incompatibility
from polpkg.packages.resolver.solver.term import Term

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_EFFORT = 100_000
_CONFLICTS = 300
_HOPELESS = 1000
"""Premises of a proof above which none of the same facts will be short enough to be read."""


class Core(NamedTuple):
    """`facts` leave no solution, as `proof` shows.  `minimal`: none of them can be left out."""

    facts: tuple[Incompatibility, ...]
    proof: Incompatibility
    minimal: bool


def steps_of(proof: Incompatibility) -> list[Incompatibility]:
    """The derived incompatibilities behind `proof`, itself the last, each once and after those it follows from."""
    return [step for step in _behind(proof) if isinstance(step.cause, Derived)]


def facts_of(proof: Incompatibility) -> list[Incompatibility]:
    """The facts that `proof` rests on, each once, in the order in which it uses them."""
    return [fact for fact in _behind(proof) if not isinstance(fact.cause, Derived)]


def _behind(proof: Incompatibility) -> list[Incompatibility]:
    ordered: list[Incompatibility] = []
    seen: set[int] = set()
    pending: list[tuple[Incompatibility, bool]] = [(proof, False)]
    while pending:
        step, premises_done = pending.pop()
        if premises_done:
            ordered.append(step)
        elif id(step) not in seen:
            seen.add(id(step))
            pending.append((step, True))
            if isinstance(step.cause, Derived):
                pending += ((premise, False) for premise in reversed(step.cause.premises))
    return ordered


def core_of(proof: Incompatibility) -> Core:
    """A core of the failure that `proof` shows."""
    return _Reduction(proof).run()


class _Reduction:
    def __init__(self, proof: Incompatibility) -> None:
        self._proof = proof
        self._facts = facts_of(proof)
        self._effort = _EFFORT
        self._conflicts = _CONFLICTS + len(steps_of(proof))

    def run(self) -> Core:
        self._settle()
        self._sum_up()
        minimal = self._leave_out()
        self._shorten()
        return Core(tuple(self._facts), self._proof, minimal)

    def _settle(self) -> None:
        """Prove it again from the facts of the proof for as long as that takes fewer of them."""
        while self._refuted(self._facts):
            pass

    def _sum_up(self) -> None:
        """Say many requirements in one sentence: first all that can be, then those of ever fewer packages."""
        size = len(groups := _alike(self._facts))
        while size and not self._is_tired:
            for start in range(0, len(groups), size):
                self._refuted(_summed(self._facts, groups[start : start + size]))
            groups = _alike(self._facts)
            size = min(size // 4, len(groups))

    def _leave_out(self) -> bool:
        """Leave out what is not missed, in ever smaller pieces; whether that was brought to its end."""
        size = max(1, len(self._facts) // 4)
        while True:
            start = 0
            while start < len(self._facts):
                if self._is_tired:
                    return False
                kept = [*self._facts[:start], *self._facts[start + size :]]
                if not self._refuted(kept):
                    start += size
            if size == 1:
                return not self._is_tired
            size = max(1, size // 4)

    @property
    def _is_tired(self) -> bool:
        return self._effort <= 0 or self._conflicts <= 0

    def _refuted(self, facts: Sequence[Incompatibility]) -> bool:
        """Whether `facts` are refuted with fewer of them than there were; that proof is then the one to go on with."""
        if self._is_tired:
            return False
        found = refute(facts, self._conflicts)
        self._effort -= len(facts)
        self._conflicts -= found.conflicts
        if found.proof is None:
            return False
        used = {id(fact) for fact in facts_of(found.proof)}
        if len(used) >= len(self._facts):
            return False
        self._facts = [fact for fact in facts if id(fact) in used]
        self._proof = found.proof
        return True

    def _shorten(self) -> None:
        """Look at the facts in other orders, for a proof of fewer steps; not where none could be short."""
        if _length(self._proof) > _HOPELESS:
            return
        for facts in (self._facts, self._facts[::-1]):
            found = refute(facts, max(self._conflicts, _CONFLICTS))
            if found.proof is not None and _length(found.proof) < _length(self._proof):
                self._proof = found.proof


def _alike(facts: Iterable[Incompatibility]) -> list[tuple[str, str]]:
    """The pairs of packages of which several facts say that the first requires the second."""
    found: dict[tuple[str, str], int] = {}
    for fact in facts:
        if isinstance(fact.cause, Required):
            pair = (fact.cause.package, fact.cause.dependency)
            found[pair] = found.get(pair, 0) + 1
    return [pair for pair, count in found.items() if count > 1]


def _summed(facts: Iterable[Incompatibility], pairs: Iterable[tuple[str, str]]) -> list[Incompatibility]:
    """`facts` with all that is said of each of `pairs` in one weaker sentence."""
    sums: dict[tuple[str, str], list[dict[str, int]]] = {pair: [] for pair in pairs}
    others: list[Incompatibility] = []
    for fact in facts:
        pair = (fact.cause.package, fact.cause.dependency) if isinstance(fact.cause, Required) else None
        if pair in sums:
            sums[pair].append(dict(fact.terms))
        else:
            others.append(fact)
    for (package, dependency), rows in sums.items():
        requiring = fitting = 0
        for row in rows:
            requiring |= row[package]
            fitting |= ~row[dependency]
        if rows:
            terms = (Term(package, requiring), Term(dependency, ~fitting))
            others.append(incompatibility(terms, RequiredBroadly(package, dependency)))
    return others


def _length(proof: Incompatibility) -> int:
    return sum(len(step.cause.premises) - 1 for step in steps_of(proof) if isinstance(step.cause, Derived))
