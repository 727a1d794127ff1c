"""What every kind of index can do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable

    from polpkg.packages.index.release import Release


BUNDLED = "bundled"
"""The name of the index of packages that come with polpkg."""

PATH = "path"
"""The index name, in locks, of a package that a path requirement names."""


class Index(Protocol):
    """Lists releases and hands out archives.

    Every method may raise `TrustError` (something is not what it must be, or access was refused), `NetworkError` (the
    index cannot be reached) and `PolicyError` or `UsageError` for what it reads.
    """

    @property
    def name(self) -> str:
        """The name of the index, as lock files have it; never a URL."""
        ...

    @property
    def override(self) -> bool:
        """Whether its packages go before those of `bundled` with the same name: it was given for this call."""
        ...

    def names(self) -> tuple[str, ...]:
        """The packages that the index lists, sorted.

        Only used for hints and searches: an index that cannot say answers with nothing.
        """
        ...

    def prefetch(self, packages: Iterable[str]) -> None:
        """`packages` will be asked for soon: an index that is far away begins to fetch them.

        Returns at once and raises nothing: what goes wrong is raised by `releases`.
        """
        ...

    def releases(self, package: str) -> tuple[Release, ...]:
        """The releases of `package`; empty when the index does not have it.  Called often: answers are kept."""
        ...

    def sealed(self, release: Release) -> Release:
        """`release` with the digest and size of its archive."""
        ...

    def fetch(self, release: Release) -> bytes:
        """The archive of one of the index's releases, of the digest that the index states."""
        ...
