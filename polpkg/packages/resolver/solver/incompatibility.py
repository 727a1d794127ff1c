"""Incompatibilities: terms that must not all hold."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from polpkg.packages.resolver.solver.cause import Derived
from polpkg.packages.resolver.solver.term import ANYTHING, Term

if TYPE_CHECKING:
    from collections.abc import Iterable

    from polpkg.packages.resolver.solver.cause import Cause


class Incompatibility(NamedTuple):
    """Terms that must not all hold, at most one for a package, sorted by package, and why.

    One without terms can never be respected: it is the proof that there is no solution.
    """

    terms: tuple[Term, ...]
    cause: Cause


def incompatibility(terms: Iterable[Term], cause: Cause) -> Incompatibility:
    """The incompatibility of `terms`: those about one package are joined, those that say nothing are left out."""
    allowed: dict[str, int] = {}
    for package, versions in terms:
        allowed[package] = allowed.get(package, ANYTHING) & versions
    kept = (Term(package, versions) for package, versions in sorted(allowed.items()) if versions != ANYTHING)
    return Incompatibility(tuple(kept), cause)


def resolvent(conflict: Incompatibility, cause: Incompatibility, package: str) -> Incompatibility:
    """What follows from two incompatibilities that both speak of `package`, the pivot.

    Whatever is chosen for `package`, if it lies in the union of its two terms one of the incompatibilities applies, so
    the other terms of both together with that union must not all hold.
    """
    union = 0
    others: list[Term] = []
    for term in (*conflict.terms, *cause.terms):
        if term.package == package:
            union |= term.allowed
        else:
            others.append(term)
    return incompatibility((*others, Term(package, union)), Derived((conflict, cause), (package,)))
