"""Watching: which incompatibilities to look at when more is known of a package.

An incompatibility matters only when at most one of its terms does not hold.  So it is enough to watch two terms of it
that do not hold yet and to look at it when one of them begins to: the two watched literals of SAT solvers (Moskewicz et
al., "Chaff", 2001).  Taking assignments back needs no work here, since terms cease to hold in the reverse order.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from polpkg.packages.resolver.solver.incompatibility import Incompatibility
    from polpkg.packages.resolver.solver.term import Term


class Watch:
    """An incompatibility and the two terms by which it is watched; they are the same one when it has only one."""

    __slots__ = ("first", "incompatibility", "second")

    def __init__(self, incompatibility: Incompatibility, first: Term, second: Term) -> None:
        self.incompatibility = incompatibility
        self.first = first
        self.second = second


class Watches:
    """All watches, by package and by the version set of the watched term."""

    def __init__(self) -> None:
        self._about: dict[str, dict[int, list[Watch]]] = {}

    def add(self, watch: Watch) -> None:
        """Watch an incompatibility."""
        self._put(watch, watch.first)
        if watch.second is not watch.first:
            self._put(watch, watch.second)

    def _put(self, watch: Watch, term: Term) -> None:
        self._about.setdefault(term.package, {}).setdefault(term.allowed, []).append(watch)

    def begun(self, package: str, before: int, now: int) -> Iterator[list[Watch]]:
        """The watches of each term that did not hold when `before` was known of `package`, and does with `now`."""
        for allowed, watches in self._about.get(package, {}).items():
            if not now & ~allowed and before & ~allowed:
                yield watches

    def move(self, watch: Watch, package: str, term: Term) -> None:
        """Watch `term` in place of the one about `package`; the caller takes the watch out of that one's list."""
        if watch.first.package == package:
            watch.first = term
        else:
            watch.second = term
        self._put(watch, term)
