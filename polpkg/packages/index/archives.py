"""An index that is a directory of `.polpkg` archives, or a single archive."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from polpkg.errors import TrustError, UsageError
from polpkg.packages.index.release import Release, release_of
from polpkg.packages.requirement import ARCHIVE_SUFFIX
from polpkg.packages.source import read_archive, sha256_of

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


class ArchiveIndex:
    """An index of archives in files; each is read and checked once, when the index is first asked anything."""

    def __init__(self, name: str, files: Iterable[Path], *, override: bool = False) -> None:
        self.name = name
        self.override = override
        self._files = tuple(files)

    @cached_property
    def _found(self) -> dict[tuple[str, str], tuple[Release, Path]]:
        found: dict[tuple[str, str], tuple[Release, Path]] = {}
        for file in self._files:
            archive = _read(file)
            package = read_archive(archive, label=str(file))
            release = release_of(package.manifest, self.name, sha256=package.sha256, size=len(archive))
            key = (release.name, release.version)
            if key in found:
                raise UsageError("duplicate-release", f"{file} and {found[key][1]} are both {release}")
            found[key] = (release, file)
        return dict(sorted(found.items()))

    def names(self) -> tuple[str, ...]:
        """The packages in the archives."""
        return tuple(dict.fromkeys(name for name, _ in self._found))

    def prefetch(self, packages: Iterable[str]) -> None:
        """Nothing: the packages are here."""

    def releases(self, package: str) -> tuple[Release, ...]:
        """The releases of `package` among the archives."""
        return tuple(release for (name, _), (release, _) in self._found.items() if name == package)

    def sealed(self, release: Release) -> Release:
        """`release` itself: its digest is known from the start."""
        return release

    def fetch(self, release: Release) -> bytes:
        """The bytes of the archive, which must still be those that were read first."""
        file = self._found[release.name, release.version][1]
        archive = _read(file)
        if sha256_of(archive) != release.sha256:
            raise TrustError("digest-mismatch", f"{file} changed while it was being used")
        return archive


def archive_files(folder: Path) -> tuple[Path, ...]:
    """The archives directly in `folder`, sorted."""
    return tuple(sorted(path for path in folder.glob(f"*{ARCHIVE_SUFFIX}") if path.is_file()))


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise UsageError("cannot-read", f"{file} cannot be read: {error.strerror}") from error
