"""What the solver asks of the world."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable

    from polpkg.packages.resolver.solver.incompatibility import Incompatibility


class DependencyProvider(Protocol):
    """Answers for packages.  The same question must always get the same answer."""

    def constraints(self, package: str) -> Iterable[Incompatibility]:
        """What holds for `package` whichever version is chosen: versions that must not be, packages that it excludes.

        Asked once, when the package is first about to be chosen; it is worth loading the package here.
        """
        ...

    def choose(self, package: str, allowed: int, favourite: int = 0) -> int:
        """The best version number in `allowed`, a set that is not empty.  Must be cheap.

        `favourite`: a set with the version that suits the search, to be taken where no other is asked for.
        """
        ...

    def dependencies(self, package: str, version: int) -> Iterable[Incompatibility]:
        """What choosing `version` of `package` brings with it.  Asked once for each version that is tried."""
        ...

    def all_dependencies(self, package: str) -> Iterable[Incompatibility]:
        """What the versions of `package` bring with them, all at once.

        Asked at most once, for a package that a conflict was about, and after `constraints`.
        """
        ...
