"""Several indexes as one, under the rule that a package name belongs to one of them (DESIGN.md 4)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from polpkg.errors import PolpkgError, TrustError, UsageError
from polpkg.packages.index.index import BUNDLED
from polpkg.packages.names import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from polpkg.packages.index.index import Index
    from polpkg.packages.index.release import Release


class Catalog:
    """The indexes of one call.

    `paths` are the packages that path requirements name: they go before everything.  `mapping` (policy.toml's
    [index-map]) says which index a name belongs to.  Otherwise an index that was given for this call goes before
    `bundled`, and a name that two indexes have is an error: which package one gets must never depend on an order.  It
    does not when both list the very same archives, as a bundle of what is bundled does.
    """

    def __init__(
        self,
        indexes: Iterable[Index],
        *,
        mapping: Mapping[str, str] | None = None,
        paths: Mapping[str, Index] | None = None,
    ) -> None:
        self._indexes: dict[str, Index] = {}
        for index in indexes:
            if index.name in self._indexes:
                raise UsageError("duplicate-index", f"two indexes are called `{index.name}`")
            self._indexes[index.name] = index
        self._mapping = mapping or {}
        self._paths = paths or {}
        self._homes: dict[str, Index | None] = {}

    def home(self, package: str) -> Index | None:
        """The index that `package` belongs to; None when no index has it.

        Raises `TrustError` (`ambiguous-name`) when it is in two, and what the indexes raise.
        """
        if package not in self._homes:
            self._homes[package] = self._find_home(package)
        return self._homes[package]

    def _find_home(self, package: str) -> Index | None:
        if package in self._paths:
            return self._paths[package]
        if package in self._mapping:
            return self._mapped(package)
        self.prefetch((package,))
        having = [index for index in self._indexes.values() if index.releases(package)]
        if any(index.override for index in having):
            having = [index for index in having if index.name != BUNDLED]
        if len(having) > 1 and not list_the_same(package, having):
            raise _ambiguous(package, having)
        return min(having, key=lambda index: (index.name == BUNDLED, index.name), default=None)

    def _mapped(self, package: str) -> Index | None:
        name = self._mapping[package]
        if name not in self._indexes:
            raise UsageError(
                "unknown-index",
                f"`{package}` is mapped to the index `{name}`, which is not configured",
                hint=did_you_mean(name, self._indexes),
            )
        index = self._indexes[name]
        return index if index.releases(package) else None

    def prefetch(self, packages: Iterable[str]) -> None:
        """`packages` will be asked for soon: every index that might have one begins to fetch what it says of it.

        Returns at once and raises nothing.  What is not asked for in the end cost a request, and no time.
        """
        wanted: dict[str, list[str]] = {}
        for package in packages:
            if package not in self._homes and package not in self._paths:
                mapped = self._mapping.get(package)
                for name in self._indexes if mapped is None else (mapped,):
                    wanted.setdefault(name, []).append(package)
        for name, names in wanted.items():
            if name in self._indexes:
                self._indexes[name].prefetch(names)

    def releases(self, package: str) -> tuple[Release, ...]:
        """The releases of `package` in the index that it belongs to."""
        index = self.home(package)
        return () if index is None else index.releases(package)

    def seen(self, package: str, version: str) -> Release | None:
        """A release of a package that was asked for before; None when it was not, or there is no such release."""
        index = self._homes.get(package)
        releases = index.releases(package) if index else ()
        return next((release for release in releases if release.version == version), None)

    def elsewhere(self, package: str) -> tuple[str, ...]:
        """The names of the indexes that have `package` although [index-map] says that it belongs to another; sorted.

        Raises what the indexes raise.
        """
        if package in self._paths or package not in self._mapping:
            return ()
        others = (index for name, index in self._indexes.items() if name != self._mapping[package])
        return tuple(sorted(index.name for index in others if index.releases(package)))

    def sealed(self, release: Release) -> Release:
        """`release` with its digest and size."""
        return self._index_of(release).sealed(release)

    def fetch(self, release: Release) -> bytes:
        """The archive of `release`, from the index that listed it."""
        return self._index_of(release).fetch(release)

    def _index_of(self, release: Release) -> Index:
        return self._paths.get(release.name) or self._indexes[release.index]

    def names(self) -> tuple[str, ...]:
        """All package names that the indexes can list, sorted.

        They are for hints: an index that fails to list them is left out, so that it never hides what the hint is about.
        """
        indexes = (*self._indexes.values(), *self._paths.values())
        return tuple(sorted({name for index in indexes for name in _names_in(index)}))


def _names_in(index: Index) -> tuple[str, ...]:
    try:
        return index.names()
    except PolpkgError:
        return ()


def list_the_same(package: str, indexes: Iterable[Index]) -> bool:
    """Whether all of `indexes` have the same versions of `package`, with the same archives, yanked or not alike."""
    lists = {frozenset(_identity(index, release) for release in index.releases(package)) for index in indexes}
    return len(lists) <= 1


def _identity(index: Index, release: Release) -> tuple[str, str, bool]:
    return release.version, index.sealed(release).sha256 or index.name, bool(release.yanked)


def _ambiguous(package: str, having: list[Index]) -> TrustError:
    names = " and ".join(f"`{name}`" for name in sorted(index.name for index in having))
    return TrustError(
        "ambiguous-name",
        f"the package `{package}` is in two indexes: {names}",
        hint=f'say which one it belongs to: [index-map] {package} = "..." in policy.toml',
    )
