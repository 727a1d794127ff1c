"""The static tree (DESIGN.md 4), read through anything that can fetch a relative path: a directory, a tar file, http.

config.json                 format, API, whether a token is required
index/<name>.jsonl          the releases of a package, one JSON object a line
index/names.json            the sorted list of package names, for hints and searches; may be missing
blobs/sha256/<hex>          archives
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Protocol

from polpkg.errors import NetworkError, TrustError
from polpkg.packages.archive import LIMITS
from polpkg.packages.index.entries import EntryReader, json_document, json_object, json_value
from polpkg.packages.source import sha256_of
from polpkg.packages.tables import Table

if TYPE_CHECKING:
    from collections.abc import Iterable

    from polpkg.packages.index.release import Release

FORMAT = 1
"""The version of the tree's format that is read."""

CONFIG_FILE = "config.json"
"""The file that makes a directory a tree."""

NAMES_FILE = "index/names.json"
"""The list of names."""

_CONFIG_LIMIT = 1 << 16
_NAMES_LIMIT = 16 << 20
_ENTRIES_LIMIT = 64 << 20


def entries_file(package: str) -> str:
    """Where the releases of `package` are listed."""
    return f"index/{package}.jsonl"


def blob_file(sha256: str) -> str:
    """Where the archive with that digest is."""
    return f"blobs/sha256/{sha256}"


class Transport(Protocol):
    """Fetches files of a tree."""

    @property
    def location(self) -> str:
        """Where the tree is, as messages put it; without credentials."""
        ...

    def read(self, path: str, *, limit: int) -> bytes | None:
        """The file at `path` in the tree, None when there is none.

        Raises `TrustError` when it is refused or larger than `limit`, `NetworkError` when the tree cannot be reached.
        """
        ...

    def prefetch(self, paths: Iterable[str], *, limit: int) -> None:
        """`paths` will be read soon: a tree that is far away begins to fetch them.  Returns at once, raises nothing."""
        ...

    def listing(self) -> tuple[str, ...] | None:
        """The names of the files in `index/`; None when the tree cannot be listed."""
        ...

    def archive(self, sha256: str, *, size: int, label: str) -> bytes | None:
        """The archive with that digest, None when there is none; `label` names it, `size` is 0 when not known.

        Raises as `read` does.  The caller compares the digest.
        """
        ...


class StaticTreeIndex:
    """An index that is a static tree; each file is fetched once."""

    def __init__(self, name: str, transport: Transport, *, override: bool = False) -> None:
        self.name = name
        self.override = override
        self._transport = transport
        self._entries = EntryReader(name)
        self._releases: dict[str, tuple[Release, ...]] = {}

    @cached_property
    def auth_required(self) -> bool:
        """Whether the tree wants a token, by its `config.json`, which is checked on the way."""
        raw = self._transport.read(CONFIG_FILE, limit=_CONFIG_LIMIT)
        if raw is None:
            raise TrustError("index-malformed", f"{self._transport.location} has no {CONFIG_FILE}, so it is no index")
        document = json_document(raw, f"{self._transport.location}/{CONFIG_FILE}")
        config = document.root(json_object(document))
        if config.integer("format") != FORMAT:
            found = config.values.get("format")
            has = "states no format" if found is None else f"has format {found!r}"
            config.report("format", "format", f"the index {has}, and {FORMAT} is what this polpkg reads")
        required = config.boolean("auth-required")
        document.check()
        return required

    def names(self) -> tuple[str, ...]:
        """The packages that `index/names.json` lists, or the files in `index/`; nothing when it can tell neither."""
        try:
            raw = self._transport.read(NAMES_FILE, limit=_NAMES_LIMIT)
        except NetworkError:
            return ()
        if raw is None:
            files = self._transport.listing() or ()
            return tuple(sorted(name.removesuffix(".jsonl") for name in files if name.endswith(".jsonl")))
        document = json_document(raw, f"{self._transport.location}/{NAMES_FILE}")
        names = Table(document, (), {"names": json_value(document)}).texts("names")
        document.check()
        return tuple(sorted(names))

    def prefetch(self, packages: Iterable[str]) -> None:
        """Begin to fetch the lists of `packages`, with `config.json` when it has not been read yet."""
        if "auth_required" not in vars(self):
            self._transport.prefetch((CONFIG_FILE,), limit=_CONFIG_LIMIT)
        wanted = [entries_file(package) for package in packages if package not in self._releases]
        self._transport.prefetch(wanted, limit=_ENTRIES_LIMIT)

    def releases(self, package: str) -> tuple[Release, ...]:
        """The releases that `index/<package>.jsonl` lists."""
        if package not in self._releases:
            self.prefetch((package,))
            _ = self.auth_required
            path = entries_file(package)
            raw = self._transport.read(path, limit=_ENTRIES_LIMIT)
            file = f"{self._transport.location}/{path}"
            self._releases[package] = () if raw is None else self._entries.read(package, raw, file)
        return self._releases[package]

    def sealed(self, release: Release) -> Release:
        """`release` itself: the index states its digest."""
        return release

    def fetch(self, release: Release) -> bytes:
        """The blob of the release, of the digest that the index states."""
        archive = self._transport.archive(release.sha256, size=release.size, label=str(release))
        if archive is None:
            raise TrustError("blob-missing", f"index {self.name} lists {release} and does not have its archive")
        if sha256_of(archive) != release.sha256:
            raise TrustError("digest-mismatch", f"index {self.name} serves another archive for {release} than it lists")
        return archive


class DirectoryTransport:
    """A tree in a local directory."""

    def __init__(self, location: str) -> None:
        self.location = location

    def read(self, path: str, *, limit: int) -> bytes | None:
        """The file at `path`; a larger one than `limit` is refused."""
        try:
            with open(f"{self.location}/{path}", "rb") as file:  # noqa: PTH123 - keeps pathlib out of the start-up
                data = file.read(limit + 1)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise TrustError("index-unreadable", f"{self.location}/{path} cannot be read: {error.strerror}") from error
        if len(data) > limit:
            raise TrustError("index-too-large", f"{self.location}/{path} is larger than {limit} bytes")
        return data

    def prefetch(self, paths: Iterable[str], *, limit: int) -> None:
        """Nothing: the files are here."""

    def listing(self) -> tuple[str, ...] | None:
        """The names of the files in `index/`."""
        import os

        try:
            return tuple(sorted(os.listdir(f"{self.location}/index")))  # noqa: PTH208 - as above
        except OSError:
            return None

    def archive(self, sha256: str, *, size: int, label: str) -> bytes | None:  # noqa: ARG002 - no one waits for it
        """The file of the archive."""
        return self.read(blob_file(sha256), limit=size or LIMITS.archive_size)
