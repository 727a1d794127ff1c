"""Finds out what kind of index a URL or directory is, and opens it."""

from __future__ import annotations

from pathlib import Path

from polpkg.errors import TrustError, UsageError
from polpkg.packages.index.archives import ArchiveIndex, archive_files
from polpkg.packages.index.directories import DirectoryIndex, package_directories
from polpkg.packages.index.index import PATH, Index
from polpkg.packages.index.static_tree import DirectoryTransport, StaticTreeIndex
from polpkg.packages.requirement import ARCHIVE_SUFFIX


def open_index(name: str, location: str, *, trust: str = "", override: bool = False) -> Index:
    """The index at `location`: an http(s) URL, a static tree, a directory of archives or of package directories.

    `trust` is what policy.toml says for it.  Raises `TrustError` for an http(s) index without a pinned root, unless
    `trust` is `none`, and `UsageError` when there is no index at `location`.
    """
    scheme, separator, rest = location.partition("://")
    if separator and scheme in ("http", "https"):
        return _open_http(name, location, trust=trust, override=override)
    if separator and scheme != "file":
        raise UsageError(
            "unknown-index-kind",
            f"index {name}: there is no way to read `{scheme}://`",
            hint="an index is a directory or an http(s) URL",
        )
    return _open_directory(name, Path(rest if separator else location), override=override)


def _open_http(name: str, url: str, *, trust: str, override: bool) -> Index:
    from polpkg.packages.index.http import HttpTransport, without_credentials

    if trust != "none":
        raise TrustError(
            "no-pinned-root",
            f"index {name} at {without_credentials(url)} has no pinned root key",
            hint=f'if you accept that, say trust = "none" in [indexes.{name}] of policy.toml',
        )
    return StaticTreeIndex(name, HttpTransport(url), override=override)


def _open_directory(name: str, folder: Path, *, override: bool) -> Index:
    if not folder.is_dir():
        raise UsageError("no-such-index", f"index {name}: there is no directory {folder}")
    if (folder / "metadata").is_dir():
        raise TrustError(
            "metadata-not-checked",
            f"index {name} at {folder} has signed metadata, which cannot be checked yet",
            hint="use a copy of the directory without metadata/ if you trust the medium itself",
        )
    if (folder / "config.json").is_file():
        return StaticTreeIndex(name, DirectoryTransport(str(folder)), override=override)
    if archives := archive_files(folder):
        return ArchiveIndex(name, archives, override=override)
    return DirectoryIndex(name, package_directories(folder), override=override)


def open_path(path: Path) -> Index:
    """The index of the one package that a path requirement names: an archive or a package directory.

    Raises `UsageError` when there is nothing at `path`.
    """
    if path.is_dir():
        return DirectoryIndex(PATH, (path,), override=True)
    if path.suffix == ARCHIVE_SUFFIX and path.exists():
        return ArchiveIndex(PATH, (path,), override=True)
    raise UsageError("no-such-package", f"there is no package directory or archive at {path}")
