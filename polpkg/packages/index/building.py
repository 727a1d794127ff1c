"""Makes and changes static trees (DESIGN.md 4) in a local directory.

The same archives always give the same bytes.  Readers may look on: a file is replaced whole, an archive is there before
the entry that lists it and goes after it, and a directory becomes an index with its last file, `config.json`.  A
version, once listed, never gets another archive.  Writers take turns (flock on the directory).
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

from polpkg.errors import PolpkgError, TrustError, UsageError
from polpkg.packages.index.archives import archive_files
from polpkg.packages.index.release import Release, entry_of, release_of
from polpkg.packages.index.static_tree import (
    CONFIG_FILE,
    FORMAT,
    NAMES_FILE,
    DirectoryTransport,
    StaticTreeIndex,
    blob_file,
    entries_file,
)
from polpkg.packages.source import read_archive, sha256_of
from polpkg.packages.store import write_atomically
from polpkg.packages.versions import same_version, sorted_versions

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Mapping
    from pathlib import Path

_Key = tuple[str, str]


class TreeChange(NamedTuple):
    """What became of a tree: the releases that are new in it, and those that it lists no more."""

    added: tuple[Release, ...]
    removed: tuple[Release, ...]


class Listed(NamedTuple):
    """A release that a tree is to list, and how to get its archive when the tree does not have it."""

    release: Release
    archive: Callable[[], bytes]


def build_index(directory: Path, out: Path) -> TreeChange:
    """Make `out`, which may be `directory` itself, a tree of exactly the archives that are directly in `directory`.

    What `out` already lists stays as it is: an archive is read again only to find its digest, and what was added to an
    entry (that it is yanked, when it was published) is kept.

    Raises `UsageError`: `duplicate-release` when two archives are the same version, `release-exists` when the tree has
    other bytes for a version; `TrustError` and `PolicyError` for an archive that is damaged or whose manifest is wrong.
    """
    files = archive_files(directory)
    if not files:
        raise UsageError("no-archives", f"there are no archives in {directory}", hint="`polpkg build` makes them")
    with _writing(out):
        before = _releases_in(out)
        known = {release.sha256: release for release in before.values()}
        wanted: dict[_Key, Listed] = {}
        for file in files:
            listed = _listed(file, known)
            key = _key(listed.release)
            if key in wanted and wanted[key].release.sha256 != listed.release.sha256:
                raise UsageError(
                    "duplicate-release", f"two archives in {directory} are {listed.release}: {file} is one"
                )
            wanted[key] = listed
        return _replace_releases(out, before, wanted)


def add_archive(out: Path, archive: bytes, *, published: str = "") -> TreeChange:
    """Add one archive to the tree `out`, which is made when it is not there; `published` is an RFC 3339 date.

    Adding what is there changes nothing.  Raises as `build_index` does.
    """
    from dataclasses import replace

    release = replace(_release_in(archive, "the archive"), published=published)
    with _writing(out):
        before = _releases_in(out)
        after = {key: Listed(found, _gone) for key, found in before.items()}
        if before.get(_key(release), release).sha256 != release.sha256:
            raise _exists(release, out)
        after.setdefault(_key(release), Listed(release, lambda: archive))
        return _replace_releases(out, before, after)


def remove_release(out: Path, name: str, version: str) -> TreeChange:
    """Take one release out of the tree `out`, and its archive.

    Raises `UsageError` (`not-an-index`, `no-such-release`).
    """
    if not (out / CONFIG_FILE).is_file():
        raise UsageError("not-an-index", f"{out} is no index: it has no {CONFIG_FILE}")
    with _writing(out):
        before = _releases_in(out)
        after = {
            key: Listed(release, _gone)
            for key, release in before.items()
            if not (key[0] == name and same_version(key[1], version))
        }
        if len(after) == len(before):
            raise UsageError("no-such-release", f"the index {out} does not list {name} {version}")
        return _replace_releases(out, before, after)


def _replace_releases(out: Path, before: Mapping[_Key, Release], after: Mapping[_Key, Listed]) -> TreeChange:
    """Make the tree `out`, which lists `before`, list `after`: archives first, then entries, then what is left over."""
    for key, listed in after.items():
        if key in before and before[key].sha256 != listed.release.sha256:
            raise _exists(listed.release, out)
    added = [listed for key, listed in after.items() if key not in before]
    removed = [release for key, release in before.items() if key not in after]
    for listed in added:
        _write_changed(out / blob_file(listed.release.sha256), listed.archive())
    files = index_files(listed.release for listed in after.values())
    for path, content in files.items():
        _write_changed(out / path, content)
    kept = {listed.release.sha256 for listed in after.values()}
    for release in removed:
        if entries_file(release.name) not in files:
            (out / entries_file(release.name)).unlink(missing_ok=True)
        if release.sha256 not in kept:
            (out / blob_file(release.sha256)).unlink(missing_ok=True)
    return TreeChange(tuple(listed.release for listed in added), tuple(removed))


def index_files(releases: Iterable[Release]) -> dict[str, bytes]:
    """All files of a tree that lists `releases`, but for the archives: path to content, `config.json` last."""
    import json

    by_name: dict[str, dict[str, Release]] = {}
    for release in releases:
        by_name.setdefault(release.name, {})[release.version] = release
    files = {
        entries_file(name): render_entries(versions[version] for version in sorted_versions(versions))
        for name, versions in sorted(by_name.items())
    }
    files[NAMES_FILE] = json.dumps(sorted(by_name)).encode() + b"\n"
    files[CONFIG_FILE] = json.dumps({"format": FORMAT, "api": None, "auth-required": False}).encode() + b"\n"
    return files


def render_entries(releases: Iterable[Release]) -> bytes:
    """The content of `index/<name>.jsonl` for `releases`, a line each, in the order given."""
    import json

    return "".join(json.dumps(entry_of(release), ensure_ascii=False) + "\n" for release in releases).encode()


def _key(release: Release) -> _Key:
    return release.name, release.version


def _listed(file: Path, known: Mapping[str, Release]) -> Listed:
    """The release in an archive file; read again when it is copied, so that only one archive is in memory at a time."""
    archive = _read(file)
    sha256 = sha256_of(archive)
    release = known[sha256] if sha256 in known else _release_in(archive, str(file))

    def unchanged() -> bytes:
        again = _read(file)
        if sha256_of(again) != sha256:
            raise TrustError("digest-mismatch", f"{file} changed while it was being read")
        return again

    return Listed(release, unchanged)


def _release_in(archive: bytes, label: str) -> Release:
    package = read_archive(archive, label=label)
    return release_of(package.manifest, "", sha256=package.sha256, size=len(archive))


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise UsageError("cannot-read", f"{file} cannot be read: {error.strerror}") from error


def _releases_in(out: Path) -> dict[_Key, Release]:
    if not (out / CONFIG_FILE).is_file():
        return {}
    index = StaticTreeIndex("", DirectoryTransport(str(out)))
    names = [path.stem for path in sorted((out / "index").glob("*.jsonl"))]
    return {_key(release): release for name in names for release in index.releases(name)}


def _write_changed(path: Path, content: bytes) -> None:
    """Write a file, unless it is there with that content: a file that stays keeps its time, which web servers tell."""
    try:
        if path.read_bytes() == content:
            return
    except FileNotFoundError:
        pass
    except OSError as error:
        raise UsageError("cannot-read", f"{path} cannot be read: {error.strerror}") from error
    write_atomically(path, content)


@contextmanager
def _writing(out: Path) -> Generator[None, None, None]:
    """The only writer of the tree `out`, which is made if need be."""
    import fcntl

    if (out / "metadata").exists():
        raise TrustError(
            "signed-index", f"{out} has signed metadata, which a change would make invalid", hint="change its source"
        )
    try:
        out.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(out, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise PolpkgError("cannot-write", f"{out} cannot be written: {error.strerror}") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _exists(release: Release, out: Path) -> UsageError:
    return UsageError(
        "release-exists",
        f"the index {out} has {release} with another archive",
        hint="a version never changes: give the new archive a version of its own",
    )


def _gone() -> bytes:
    raise AssertionError  # an archive that the tree has is never asked for
