"""`polpkg search`: packages by their name, summary and functions, in every index that can list what it has."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from polpkg.ops.releases import best_release, newest_first
from polpkg.packages.names import is_name

if TYPE_CHECKING:
    from collections.abc import Iterator

    from polpkg.ops.context import Context
    from polpkg.packages.index.index import Index
    from polpkg.packages.index.release import Release
    from polpkg.packages.project import Project

_MOST_LOOKED_INTO = 1000
"""From how many packages on only the names of an index are searched: each summary costs a file."""


class FoundPackage(NamedTuple):
    """A package in one index: the release that would be installed, and all its versions, newest first."""

    release: Release
    versions: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SearchAnswer:
    """What was found, best first.

    `unlisted`: indexes that could not say what they have, or have nothing.  `names_only`: those with so many packages
    that summaries and functions were not looked at.
    """

    packages: tuple[FoundPackage, ...]
    unlisted: tuple[str, ...] = ()
    names_only: tuple[str, ...] = ()


def search_packages(context: Context, text: str, project: Project) -> SearchAnswer:
    """The packages in which every word of `text` occurs; all of them when there is no word.

    Raises what opening and reading the indexes raises.
    """
    words = text.lower().split()
    found: list[FoundPackage] = []
    unlisted: list[str] = []
    names_only: list[str] = []
    for index in (*context.open_indexes(project), context.bundled):
        names = index.names()
        if not names:
            unlisted.append(index.name)
            names = tuple(word for word in words if is_name(word))  # it may know the package all the same
        elif words and len(names) > _MOST_LOOKED_INTO:
            names_only.append(index.name)
            names = tuple(name for name in names if all(word in name for word in words))
        found += _matching(index, names, words)
    found.sort(key=lambda each: _rank(each.release, text.lower()))
    return SearchAnswer(tuple(found), tuple(unlisted), tuple(names_only))


def _matching(index: Index, names: tuple[str, ...], words: list[str]) -> Iterator[FoundPackage]:
    index.prefetch(names)
    for name in names:
        releases = newest_first(index.releases(name))
        if not releases:
            continue
        best = best_release(releases)
        told = " ".join((name, best.summary, *best.functions)).lower()
        if all(word in told for word in words):
            yield FoundPackage(best, tuple(release.version for release in releases))


def _rank(release: Release, text: str) -> tuple[bool, bool, str, str]:
    """The name itself first, then names that hold the text, then the rest, by name."""
    return release.name != text, text not in release.name, release.name, release.index
