"""Indexes of package directories: how bundled and plugin packages are shipped, and what a path requirement names.

Resolving reads manifests only.  An archive is built, in memory and once, when its digest or bytes are asked for.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from polpkg.errors import UsageError
from polpkg.packages.archive import pack
from polpkg.packages.index.release import Release, release_of
from polpkg.packages.manifest_reader import MANIFEST_FILE
from polpkg.packages.source import read_manifest_in, read_package_tree, sha256_of

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


class DirectoryIndex:
    """An index of package directories.

    A package that is shipped in a directory has the archive that `polpkg build` makes of it with `SOURCE_DATE_EPOCH`
    unset, so that its digest is the same everywhere.
    """

    def __init__(self, name: str, folders: Iterable[Path], *, override: bool = False) -> None:
        self.name = name
        self.override = override
        self._folders = tuple(folders)
        self._archives: dict[tuple[str, str], bytes] = {}
        self._sealed: dict[tuple[str, str], Release] = {}

    @cached_property
    def _found(self) -> dict[tuple[str, str], tuple[Release, Path]]:
        found: dict[tuple[str, str], tuple[Release, Path]] = {}
        for folder in self._folders:
            release = release_of(read_manifest_in(folder), self.name)
            key = (release.name, release.version)
            if key in found:
                raise UsageError("duplicate-release", f"{folder} and {found[key][1]} are both {release}")
            found[key] = (release, folder)
        return dict(sorted(found.items()))

    def names(self) -> tuple[str, ...]:
        """The packages in the directories."""
        return tuple(dict.fromkeys(name for name, _ in self._found))

    def prefetch(self, packages: Iterable[str]) -> None:
        """Nothing: the packages are here."""

    def releases(self, package: str) -> tuple[Release, ...]:
        """The releases of `package` in the directories."""
        return tuple(release for (name, _), (release, _) in self._found.items() if name == package)

    def sealed(self, release: Release) -> Release:
        """`release` with the digest and size of the archive that would be built of its directory."""
        from dataclasses import replace

        key = (release.name, release.version)
        if key not in self._sealed:
            archive = self.fetch(release)
            self._sealed[key] = replace(release, sha256=sha256_of(archive), size=len(archive))
        return self._sealed[key]

    def fetch(self, release: Release) -> bytes:
        """The archive that is built of the release's directory."""
        key = (release.name, release.version)
        if key not in self._archives:
            self._archives[key] = pack(read_package_tree(self._found[key][1]))
        return self._archives[key]


def package_directories(folder: Path) -> tuple[Path, ...]:
    """The package directories directly in `folder`, sorted: those with a manifest."""
    return tuple(sorted(path.parent for path in folder.glob(f"*/{MANIFEST_FILE}")))
