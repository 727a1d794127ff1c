"""Closed sets of packages for a site without network: what a lock names, exactly, and as an index."""

from __future__ import annotations

from typing import TYPE_CHECKING

from polpkg.errors import TrustError, UsageError
from polpkg.packages.index.building import index_files
from polpkg.packages.index.opening import BUNDLE_SUFFIX
from polpkg.packages.index.release import release_of
from polpkg.packages.index.static_tree import blob_file
from polpkg.packages.source import archive_name, read_archive
from polpkg.packages.store import TEMPORARY_SUFFIX, write_atomically

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from polpkg.packages.index.release import Release
    from polpkg.packages.lock import LockedPackage, Lockfile


def export_bundle(lock: Lockfile, fetch: Callable[[LockedPackage], bytes], out: Path) -> None:
    """Write the static tree that lists exactly what `lock` names: into a directory, or as one file `*.tar`.

    The same lock always gives the same bytes.  `fetch` hands out the archive of a locked package.  A file is replaced;
    a directory that has something else in it is refused with `UsageError` (`not-empty`), since nothing that somebody
    may want is ever removed.  Raises `TrustError` (`digest-mismatch`, `wrong-archive`) when `fetch` hands out another
    archive than the lock names, and what `fetch` raises.
    """
    archives: dict[str, bytes] = {}
    releases: list[Release] = []
    for release, archive in _locked(lock, fetch):
        archives[release.sha256] = archive
        releases.append(release)
    files = {blob_file(sha256): archive for sha256, archive in sorted(archives.items())} | index_files(releases)
    if out.suffix == BUNDLE_SUFFIX:
        from polpkg.packages.index.tar import write_tar

        write_atomically(out, write_tar(files))
    else:
        _write_folder(out, files)


def vendor(lock: Lockfile, fetch: Callable[[LockedPackage], bytes], folder: Path) -> None:
    """Put the archives that `lock` names into `folder`, as `NAME-VERSION.polpkg`; it is then an index.

    `fetch`, and what is refused and raised, are as for `export_bundle`.
    """
    _write_folder(folder, {archive_name(p.name, p.version): archive for p, archive in _locked(lock, fetch)})


def _write_folder(folder: Path, files: Mapping[str, bytes]) -> None:
    """Make `folder` hold `files` and nothing else; `files` may be there already, from a run that was cut short."""
    there = {str(path.relative_to(folder)) for path in folder.rglob("*") if not path.is_dir()}
    foreign = sorted(name for name in there - files.keys() if not name.endswith(TEMPORARY_SUFFIX))
    if foreign:
        raise UsageError(
            "not-empty",
            f"{folder} holds {foreign[0]}, which the lock does not name",
            hint="name an empty directory, or remove what is of no more use",
        )
    for path, content in files.items():
        write_atomically(folder / path, content)


def _locked(lock: Lockfile, fetch: Callable[[LockedPackage], bytes]) -> Iterator[tuple[Release, bytes]]:
    """The release and the archive of every locked package, which the archive says of itself to be."""
    for package in lock.packages:
        archive = fetch(package)
        manifest = read_archive(archive, expected_sha256=package.sha256, label=str(package)).manifest
        release = release_of(manifest, "", sha256=package.sha256, size=len(archive))
        if (release.name, release.version) != (package.name, package.version):
            raise TrustError("wrong-archive", f"what the lock calls {package} is an archive of {release}")
        yield release, archive
