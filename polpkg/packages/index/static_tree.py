"""The static tree (DESIGN.md 4), read through anything that can fetch a relative path: a directory, or http.

config.json                 format, API, whether a token is required
index/<name>.jsonl          the releases of a package, one JSON object a line
index/names.json            the sorted list of package names, for hints and searches; may be missing
blobs/sha256/<hex>          archives
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Protocol, cast

from polpkg.errors import TrustError
from polpkg.packages.index.release import Release, read_entry
from polpkg.packages.source import sha256_of
from polpkg.packages.tables import Document, Table
from polpkg.packages.toml_places import TomlPlace

if TYPE_CHECKING:
    from collections.abc import Iterable

FORMAT = 1
"""The version of the tree's format that is read."""


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


class StaticTreeIndex:
    """An index that is a static tree; each file is fetched once."""

    def __init__(self, name: str, transport: Transport, *, override: bool = False) -> None:
        self.name = name
        self.override = override
        self._transport = transport
        self._releases: dict[str, tuple[Release, ...]] = {}

    @cached_property
    def auth_required(self) -> bool:
        """Whether the tree wants a token, by its `config.json`, which is checked on the way."""
        raw = self._transport.read("config.json", limit=1 << 16)
        if raw is None:
            raise TrustError("index-malformed", f"{self._transport.location} has no config.json, so it is no index")
        document = self._document("config.json", raw)
        config = _json_table(document)
        if config.integer("format") != FORMAT:
            config.report(
                "format", "format", f"the index has format {config.values.get('format')!r}, and {FORMAT} is known"
            )
        required = config.boolean("auth-required")
        document.check()
        return required

    def names(self) -> tuple[str, ...]:
        """The packages that `index/names.json` lists; nothing when the tree does not have that file."""
        raw = self._transport.read("index/names.json", limit=16 << 20)
        if raw is None:
            return ()
        document = self._document("index/names.json", raw)
        names = Table(document, (), {"names": _json(document)}).texts("names")
        document.check()
        return tuple(sorted(names))

    def releases(self, package: str) -> tuple[Release, ...]:
        """The releases that `index/<package>.jsonl` lists."""
        if package not in self._releases:
            _ = self.auth_required
            raw = self._transport.read(f"index/{package}.jsonl", limit=64 << 20)
            self._releases[package] = () if raw is None else self._parse(package, raw)
        return self._releases[package]

    def sealed(self, release: Release) -> Release:
        """`release` itself: the index states its digest."""
        return release

    def fetch(self, release: Release) -> bytes:
        """The blob of the release, of the digest that the index states."""
        archive = self._transport.read(f"blobs/sha256/{release.sha256}", limit=max(release.size, 1))
        if archive is None:
            raise TrustError("blob-missing", f"index {self.name} lists {release} and does not have its archive")
        if sha256_of(archive) != release.sha256:
            raise TrustError("digest-mismatch", f"index {self.name} serves another archive for {release} than it lists")
        return archive

    def _parse(self, package: str, raw: bytes) -> tuple[Release, ...]:
        releases: dict[str, Release] = {}
        path = f"index/{package}.jsonl"
        for number, line in enumerate(raw.split(b"\n"), start=1):
            if not line.strip():
                continue
            document = self._document(path, line, number)
            release = read_entry(_json_table(document), self.name, package)
            document.check()
            if release.version in releases:
                raise TrustError("index-duplicate", f"{self._transport.location}/{path} lists {release} twice")
            releases[release.version] = release
        return tuple(releases.values())

    def _document(self, path: str, raw: bytes, line: int = 1) -> Document:
        def locate(text: str, keys: tuple[str, ...]) -> TomlPlace:  # noqa: ARG001 - every key is on the one line
            return TomlPlace(line)

        text = raw.decode(errors="replace")
        return Document(text, f"{self._transport.location}/{path}", "index", error=TrustError, locate=locate)


def _json(document: Document) -> object:
    import json

    try:
        return json.loads(document.text)
    except (ValueError, RecursionError):
        document.report((), "syntax", f"{document.file} is not JSON")
        document.check()
        raise


def _json_table(document: Document) -> Table:
    value = _json(document)
    if not isinstance(value, dict):
        document.report((), "syntax", f"{document.file} is not a JSON object")
        document.check()
    return document.root(cast("dict[str, object]", value))


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


def tree_entries(releases: Iterable[Release]) -> str:
    """The text of `index/<name>.jsonl` for `releases`, one line each."""
    import json

    from polpkg.packages.index.release import entry_of

    return "".join(json.dumps(entry_of(release), ensure_ascii=False) + "\n" for release in releases)
