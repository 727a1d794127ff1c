"""Support: what follows from all the versions that are left of a package, whichever of them is chosen.

"vmv 1 requires base 1 or 2" and "vmv 2 requires base 2 or 3" say nothing while both versions of vmv are open, looked at
one by one.  Together they say that vmv requires base 1, 2 or 3.  Drawing such conclusions is what solvers of constraint
problems call generalised arc consistency; each comes with the incompatibility that explains it, made when it is drawn
(Ohrimenko, Stuckey and Codish, "Propagation via Lazy Clause Generation", 2009).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from polpkg.packages.resolver.solver.cause import Derived
from polpkg.packages.resolver.solver.incompatibility import Incompatibility
from polpkg.packages.resolver.solver.term import ANYTHING, Term

if TYPE_CHECKING:
    from collections.abc import Sequence


_KEPT = 64
"""Of how many version sets of a package what was drawn from them is kept."""


class _Pair(NamedTuple):
    """An incompatibility of two terms, seen from a package: its versions `own` exclude `excluded` of another."""

    own: int
    excluded: int
    incompatibility: Incompatibility


class Supports:
    """All incompatibilities of two terms, by the package whose versions they are about and the other package."""

    def __init__(self) -> None:
        self._pairs: dict[str, dict[str, list[_Pair]]] = {}
        self._drawn: dict[str, dict[int, list[Term]]] = {}
        self._explained: dict[str, dict[Term, Incompatibility]] = {}

    def add(self, incompatibility: Incompatibility) -> None:
        """Take an incompatibility into account; one that has not two terms makes no difference."""
        if len(incompatibility.terms) == 2:
            one, other = incompatibility.terms
            self._put(one, other, incompatibility)
            self._put(other, one, incompatibility)

    def _put(self, term: Term, other: Term, incompatibility: Incompatibility) -> None:
        if term.is_positive:
            pairs = self._pairs.setdefault(term.package, {}).setdefault(other.package, [])
            pairs.append(_Pair(term.allowed, other.allowed, incompatibility))
            self._drawn.pop(term.package, None)
            self._explained.pop(term.package, None)

    def excluded(self, package: str, known: int) -> Sequence[Term]:
        """Terms that cannot hold with `known` of `package`, though no single incompatibility says so."""
        if known <= 0 or not known & (known - 1) or package not in self._pairs:
            return ()
        drawn = self._drawn.setdefault(package, {})
        if known not in drawn:
            if len(drawn) >= _KEPT:
                drawn.clear()
            every = ((other, _excluded_by_all(known, pairs)) for other, pairs in self._pairs[package].items())
            drawn[known] = [Term(other, excluded) for other, excluded in every if excluded]
        return drawn[known]

    def explain(self, package: str, term: Term) -> Incompatibility:
        """Why `term`, one of those that `excluded` found, cannot hold: said of all versions that exclude as much."""
        explained = self._explained.setdefault(package, {})
        if term not in explained:
            explained[term] = _explanation(package, term, self._pairs[package][term.package])
        return explained[term]


def _explanation(package: str, term: Term, pairs: list[_Pair]) -> Incompatibility:
    versions = 0
    premises: list[Incompatibility] = []
    for own, excluded, incompatibility in pairs:
        if not term.allowed & ~excluded and own & ~versions:
            versions |= own
            premises.append(incompatibility)
    cause = Derived(tuple(premises), (package,) * (len(premises) - 1))
    return Incompatibility(tuple(sorted((Term(package, versions), term))), cause)


def _excluded_by_all(known: int, pairs: list[_Pair]) -> int:
    """What each version in `known` excludes; nothing when one excludes nothing or the first pair is about all of them.

    What a single incompatibility says is derived from it without this.
    """
    left, excluded = known, ANYTHING
    for own, others, _ in pairs:
        if own & left:
            if not known & ~own:
                return 0
            left &= ~own
            excluded &= others
            if not excluded:
                return 0
    return 0 if left else excluded
