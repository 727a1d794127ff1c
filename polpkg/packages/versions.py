"""Versions and specifiers (PEP 440), with `packaging` imported only for what is not plain.

Plain are versions such as `1.2.3` and specifiers such as `>=1.2,<2`: almost all there are.  They are compared here as
tuples of integers, with the same answers as `packaging` gives (a property test holds the two together), because its
import would cost more than a whole resolution.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_LONGEST = 4000
"""Characters of a version or specifier; Python refuses to read a number of more than 4,300 digits."""

_PLAIN_VERSION = re.compile(r"[0-9]+(?:\.[0-9]+)*", re.ASCII)
_PLAIN_CLAUSE = re.compile(r"(~=|==|!=|<=|>=|<|>)\s*([0-9]+(?:\.[0-9]+)*)", re.ASCII)


class _Clause(NamedTuple):
    """One comparison of a plain specifier; `release` has no trailing zeros, `series` is what `~=` must begin with."""

    operator: str
    release: tuple[int, ...]
    series: tuple[int, ...] = ()


@lru_cache(maxsize=4096)
def _plain_release(text: str) -> tuple[int, ...] | None:
    """The release of a plain version without trailing zeros; None when the version is not plain."""
    return _stripped(_numbers(text)) if _PLAIN_VERSION.fullmatch(text) else None


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split("."))


def _stripped(release: tuple[int, ...]) -> tuple[int, ...]:
    end = len(release)
    while end and not release[end - 1]:
        end -= 1
    return release[:end]


def is_version(text: str) -> bool:
    """Whether `text` is a version by PEP 440, of at most 4,000 characters."""
    if len(text) > _LONGEST:
        return False
    if _plain_release(text) is not None:
        return True
    from packaging.version import InvalidVersion, Version

    try:
        Version(text)
    except InvalidVersion:
        return False
    return True


def is_prerelease(version: str) -> bool:
    """Whether `version`, a valid one, is an alpha, beta, release candidate or development release."""
    if _plain_release(version) is not None:
        return False
    from packaging.version import Version

    return Version(version).is_prerelease


def same_version(one: str, other: str) -> bool:
    """Whether two valid versions are the same: `1.0` and `1.0.0` are."""
    left, right = _plain_release(one), _plain_release(other)
    if left is not None and right is not None:
        return left == right
    from packaging.version import Version

    return Version(one) == Version(other)


def sorted_versions(versions: Iterable[str]) -> list[str]:
    """Valid versions in ascending order; equal ones (`1.0`, `1.0.0`) in the order of their texts."""
    texts = sorted(versions)
    if all(_plain_release(text) is not None for text in texts):
        return sorted(texts, key=lambda text: _plain_release(text) or ())
    from packaging.version import Version

    return sorted(texts, key=Version)


def is_any(specifier: str) -> bool:
    """Whether a specifier lets every version through: `""` and `"*"` both do."""
    return specifier in ("", "*")


@lru_cache(maxsize=4096)
def _plain_clauses(specifier: str) -> tuple[_Clause, ...] | None:
    """The comparisons of a plain specifier; None when it is not plain, or not valid."""
    clauses: list[_Clause] = []
    for part in specifier.split(","):
        match = _PLAIN_CLAUSE.fullmatch(part.strip())
        if match is None:
            return None
        numbers = _numbers(match[2])
        if match[1] == "~=" and len(numbers) < 2:
            return None
        clauses.append(_Clause(match[1], _stripped(numbers), numbers[:-1] if match[1] == "~=" else ()))
    return tuple(clauses)


def _holds(clause: _Clause, release: tuple[int, ...]) -> bool:
    match clause.operator:
        case "==":
            return release == clause.release
        case "!=":
            return release != clause.release
        case "<":
            return release < clause.release
        case "<=":
            return release <= clause.release
        case ">":
            return release > clause.release
        case ">=":
            return release >= clause.release
        case _:
            length = len(clause.series)
            padded = (release + (0,) * length)[:length]
            return release >= clause.release and padded == clause.series


def plain_releases(versions: Iterable[str]) -> list[tuple[int, ...]] | None:
    """The versions as tuples for `plain_matches`, None when one of them is not plain."""
    releases: list[tuple[int, ...]] = []
    for version in versions:
        release = _plain_release(version)
        if release is None:
            return None
        releases.append(release)
    return releases


def plain_matches(releases: Sequence[tuple[int, ...]], specifier: str) -> int | None:
    """Which of the plain versions lie in a specifier, as a bit set; None when the specifier is not plain.

    `releases` ascend, as `plain_releases` makes them of `sorted_versions`.  It is `satisfies` for all of them at once.
    """
    matches = (1 << len(releases)) - 1
    if is_any(specifier):
        return matches
    clauses = _plain_clauses(specifier)
    if clauses is None:
        return None
    for clause in clauses:
        below, not_above = bisect_left(releases, clause.release), bisect_right(releases, clause.release)
        match clause.operator:
            case "==":
                matches &= (1 << not_above) - (1 << below)
            case "!=":
                matches &= ~((1 << not_above) - (1 << below))
            case "<":
                matches &= (1 << below) - 1
            case "<=":
                matches &= (1 << not_above) - 1
            case ">":
                matches &= -1 << not_above
            case ">=":
                matches &= -1 << below
            case _:
                end = (*clause.series[:-1], clause.series[-1] + 1)
                matches &= (-1 << below) & ((1 << bisect_left(releases, end)) - 1)
    return matches


def is_specifier(specifier: str) -> bool:
    """Whether `specifier` is one by PEP 440 of at most 4,000 characters, or one of the two texts for any version."""
    if len(specifier) > _LONGEST:
        return False
    if is_any(specifier) or _plain_clauses(specifier) is not None:
        return True
    from packaging.specifiers import InvalidSpecifier, SpecifierSet

    try:
        SpecifierSet(specifier)
    except InvalidSpecifier:
        return False
    return True


def satisfies(version: str, specifier: str) -> bool:
    """Whether a valid version lies in a valid specifier, pre-releases included."""
    if is_any(specifier):
        return True
    clauses, release = _plain_clauses(specifier), _plain_release(version)
    if clauses is not None and release is not None:
        return all(_holds(clause, release) for clause in clauses)
    return _specifier_set(specifier).contains(version, prereleases=True)


@lru_cache(maxsize=1024)
def _specifier_set(specifier: str):  # noqa: ANN202 - its type would import `packaging`
    from packaging.specifiers import SpecifierSet

    return SpecifierSet(specifier)


def exact_version(specifier: str) -> str:
    """The one version that a specifier of the form `==VERSION` names; empty for any other."""
    text = specifier.strip()
    if not text.startswith("==") or "," in text or text.endswith(".*"):
        return ""
    version = text.lstrip("=").strip()
    return version if is_version(version) else ""


def asks_for_prereleases(specifier: str) -> bool:
    """Whether a specifier names a pre-release and so asks for them, as `>=2.0rc1` does."""
    if is_any(specifier) or _plain_clauses(specifier) is not None:
        return False
    return bool(_specifier_set(specifier).prereleases)
