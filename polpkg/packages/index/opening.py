"""Finds out what kind of index a URL or directory is, and opens it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from polpkg.errors import TrustError, UsageError
from polpkg.packages.index.archives import ArchiveIndex, archive_files
from polpkg.packages.index.directories import DirectoryIndex, package_directories
from polpkg.packages.index.index import BUNDLED, PATH, Index
from polpkg.packages.index.static_tree import CONFIG_FILE, DirectoryTransport, StaticTreeIndex
from polpkg.packages.requirement import ARCHIVE_SUFFIX

if TYPE_CHECKING:
    from polpkg.packages.transport.settings import NetworkSettings

BUNDLE_SUFFIX = ".tar"
"""How the name of a static tree in one file ends."""


def open_index(
    name: str,
    location: str,
    *,
    trust: str = "",
    override: bool = False,
    ca_file: str = "",
    network: NetworkSettings | None = None,
) -> Index:
    """The index at `location`: an http(s) URL, a static tree, a bundle, a directory of archives or of package
    directories.

    `trust` and `ca_file` are what policy.toml says for it, `network` how the command may use the network.  Nothing is
    fetched yet.  Raises `TrustError` for an http(s) index without a pinned root, unless `trust` is `none`, and
    `UsageError` when there is no index at `location`, the URL holds credentials or the name is one of polpkg's own.
    """
    if name in (BUNDLED, PATH):
        raise UsageError("bad-index-name", f"`{name}` is a name that polpkg itself uses", hint="give it another name")
    scheme, separator, rest = location.partition("://")
    if separator and scheme.lower() in ("http", "https"):
        return _open_http(name, location, trust, override=override, ca_file=ca_file, network=network)
    if separator and scheme != "file":
        raise UsageError(
            "unknown-index-kind",
            f"index {name}: there is no way to read `{scheme}://`",
            hint="an index is a directory or an http(s) URL",
        )
    return _open_local(name, Path(rest if separator else location), override=override)


def _open_http(
    name: str, url: str, trust: str, *, override: bool, ca_file: str, network: NetworkSettings | None
) -> Index:
    from polpkg.packages.transport.server import IndexServer
    from polpkg.packages.transport.settings import NetworkSettings
    from polpkg.packages.transport.tree import HttpTree

    server = IndexServer(name, url, network or NetworkSettings(), ca_file=ca_file)
    if trust != "none":
        raise TrustError(
            "no-pinned-root",
            f"index {name} at {server.location} has no pinned root key",
            hint=f'if you accept that, say trust = "none" in [indexes.{name}] of policy.toml',
        )
    return StaticTreeIndex(name, HttpTree(server), override=override)


def _open_local(name: str, place: Path, *, override: bool) -> Index:
    if place.suffix == BUNDLE_SUFFIX and place.is_file():
        from polpkg.packages.index.tar import TarTransport

        return StaticTreeIndex(name, TarTransport(place), override=override)
    if not place.is_dir():
        raise UsageError("no-such-index", f"index {name}: there is no directory {place}")
    if (place / "metadata").is_dir():
        raise TrustError(
            "metadata-not-checked",
            f"index {name} at {place} has signed metadata, which cannot be checked yet",
            hint="use a copy of the directory without metadata/ if you trust the medium itself",
        )
    if (place / CONFIG_FILE).is_file():
        return StaticTreeIndex(name, DirectoryTransport(str(place)), override=override)
    if archives := archive_files(place):
        return ArchiveIndex(name, archives, override=override)
    folders = package_directories(place)
    if folders or not any(place.iterdir()):  # an index may have nothing yet; what has something else is none
        return DirectoryIndex(name, folders, override=override)
    raise UsageError(
        "no-such-index",
        f"index {name}: {place} is no index: it holds no {CONFIG_FILE}, no archives and no packages",
        hint="`polpkg index build` and `polpkg export` make one",
    )


def open_path(path: Path) -> Index:
    """The index of the one package that a path requirement names: an archive or a package directory.

    Raises `UsageError` when there is nothing at `path`.
    """
    if path.is_dir():
        return DirectoryIndex(PATH, (path,), override=True)
    if path.suffix == ARCHIVE_SUFFIX and path.is_file():
        return ArchiveIndex(PATH, (path,), override=True)
    raise UsageError("no-such-package", f"there is no package directory or archive at {path}")
