"""The releases of one package as numbers: number n is the n-th version in ascending order, a set of them an integer."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, TypeVar

from polpkg.packages.resolver.solver.term import numbers_in
from polpkg.packages.versions import plain_matches, plain_releases, satisfies, sorted_versions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from polpkg.packages.index.release import Release

_LISTED = 5

_Key = TypeVar("_Key", str, tuple[str, str], tuple[str, str, str])


class KnownVersions:
    """All releases of a package, and version sets over them."""

    def __init__(self, name: str, releases: Iterable[Release]) -> None:
        self.name = name
        by_version = {release.version: release for release in releases}
        self.releases = tuple(by_version[version] for version in sorted_versions(by_version))
        self.all = (1 << len(self.releases)) - 1
        self._plain = plain_releases(release.version for release in self.releases)
        self._matching: dict[str, int] = {}
        self._described: dict[int, str] = {}

    def matching(self, specifier: str) -> int:
        """The versions that lie in `specifier`."""
        if specifier not in self._matching:
            self._matching[specifier] = self._find_matching(specifier)
        return self._matching[specifier]

    def _find_matching(self, specifier: str) -> int:
        matches = None if self._plain is None else plain_matches(self._plain, specifier)
        return self.where(lambda release: satisfies(release.version, specifier)) if matches is None else matches

    def where(self, holds: Callable[[Release], bool]) -> int:
        """The versions whose releases fulfil a condition."""
        return sum(1 << number for number, release in enumerate(self.releases) if holds(release))

    @cached_property
    def requiring(self) -> Mapping[tuple[str, str, str], int]:
        """Which versions have a requirement: (option or nothing, name, specifier) to versions."""
        return self.grouped(_requirements)

    def grouped(self, keys: Callable[[Release], Iterable[_Key]]) -> dict[_Key, int]:
        """For every key that `keys` finds in some release, the versions in which it does; sorted by key."""
        found: dict[_Key, int] = {}
        for number, release in enumerate(self.releases):
            for key in keys(release):
                found[key] = found.get(key, 0) | 1 << number
        return dict(sorted(found.items()))

    def last(self, versions: int) -> str:
        """The highest version of a set; empty for none."""
        return self.releases[versions.bit_length() - 1].version if versions else ""

    def listed(self, versions: int) -> str:
        """The versions of a set as a list that stays short."""
        texts = [self.releases[number].version for number in numbers_in(versions)]
        if len(texts) > _LISTED:
            return f"{', '.join(texts[-_LISTED:][::-1])} and {len(texts) - _LISTED} older"
        return ", ".join(texts[::-1])

    def describe(self, versions: int) -> str:
        """A non-empty version set in words: `vmv` for all of several, `vmv 1.0`, `vmv >=1.1`, `vmv 1.0 or 1.2`."""
        if versions not in self._described:
            self._described[versions] = self._describe(versions)
        return self._described[versions]

    def _describe(self, versions: int) -> str:
        numbers = numbers_in(versions)
        texts = [self.releases[number].version for number in numbers]
        if len(texts) == 1:
            return f"{self.name} {texts[0]}"
        if versions == self.all:
            return self.name
        if numbers[-1] - numbers[0] + 1 == len(numbers) and len(numbers) > 2:
            lower = "" if numbers[0] == 0 else f">={texts[0]}"
            upper = "" if numbers[-1] == len(self.releases) - 1 else f"<={texts[-1]}"
            return f"{self.name} {','.join(filter(None, (lower, upper)))}"
        if len(texts) > _LISTED:
            return f"{self.name} {texts[0]} to {texts[-1]} ({len(texts)} of the versions)"
        return f"{self.name} {', '.join(texts[:-1])} or {texts[-1]}"


def _requirements(release: Release) -> Iterator[tuple[str, str, str]]:
    for option, requires in (("", release.requires), *release.options.items()):
        for name, specifier in requires.items():
            yield option, name, specifier
