"""Which of a package's releases is the one to name, when nothing has been resolved."""

from __future__ import annotations

from typing import TYPE_CHECKING

from polpkg.packages.versions import is_prerelease, sorted_versions

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from polpkg.packages.index.release import Release


def newest_first(releases: Iterable[Release]) -> tuple[Release, ...]:
    """The releases, the highest version first."""
    by_version = {release.version: release for release in releases}
    return tuple(by_version[version] for version in reversed(sorted_versions(by_version)))


def best_release(releases: Sequence[Release]) -> Release:
    """The newest of `releases`, which come newest first; yanked ones and pre-releases only when there is no other."""
    return min(releases, key=lambda release: (bool(release.yanked), is_prerelease(release.version)))
