"""What is kept of an http index between commands: its small files, with what is needed to ask whether they changed.

    <cache>/index/v1/<sha256 of the URL>/<path in the tree>

The first line of each file is the SHA-256 of what follows it: a line of JSON, and the bytes that the server sent.
`etag` and `modified` are the validators (RFC 9110 8.8), `absent` says that the server has no such file.  `url` tells
people what it is.  A file is written whole or not at all, and one that is damaged counts as missing, so any number of
processes may use the cache at once without a lock.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from polpkg.errors import NetworkError, PolpkgError
from polpkg.packages.source import sha256_of
from polpkg.packages.store import write_atomically

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

CACHE_VERSION = "v1"
"""The layout of the cache; in its path."""

_VALIDATORS = {"etag": "If-None-Match", "modified": "If-Modified-Since"}


class CachedFile(NamedTuple):
    """A file as it was fetched last; `body` is None when the server did not have it."""

    body: bytes | None
    etag: str = ""
    modified: str = ""

    @property
    def conditions(self) -> Mapping[str, str]:
        """The headers that ask for the file only if it changed; none for an absent file."""
        if self.body is None:
            return {}
        values = {"etag": self.etag, "modified": self.modified}
        return {_VALIDATORS[name]: value for name, value in values.items() if value}


class HttpCache:
    """The files of the tree at one URL."""

    def __init__(self, cache: Path, url: str) -> None:
        self._url = url
        self._folder = cache / "index" / CACHE_VERSION / sha256_of(url.encode())

    def path(self, path: str) -> Path:
        """Where the file at `path` in the tree is kept, or would be."""
        return self._folder / path

    def load(self, path: str) -> CachedFile | None:
        """What is kept of the file at `path`; None when nothing is, or it is damaged."""
        try:
            stored = self.path(path).read_bytes()
        except OSError:
            return None
        return read_cached(stored)

    def keep(self, path: str, file: CachedFile) -> None:
        """Keep `file`.  A cache that cannot be written costs the next command time, and this one nothing."""
        try:
            write_atomically(self.path(path), _written(f"{self._url}/{path}", file), durable=False)
        except PolpkgError:
            return


def _written(url: str, file: CachedFile) -> bytes:
    import json

    head = {"url": url, "etag": file.etag, "modified": file.modified, "absent": file.body is None}
    content = json.dumps(head).encode() + b"\n" + (file.body or b"")
    return sha256_of(content).encode() + b"\n" + content


def read_cached(stored: bytes) -> CachedFile | None:
    """The file that was kept as the bytes `stored`; None when they are damaged."""
    import json

    digest, _, content = stored.partition(b"\n")
    if digest != sha256_of(content).encode():
        return None
    head, _, body = content.partition(b"\n")
    values = json.loads(head)
    return CachedFile(None if values["absent"] else body, values["etag"], values["modified"])


def refuse_web_page(body: bytes, where: str) -> None:
    """Raise `NetworkError` (`web-page`) for HTML.

    No file of an index begins with `<`; what type a server says that a file has does not count.
    """
    if body.lstrip()[:1] == b"<":
        raise NetworkError(
            "web-page",
            f"{where} answered with a web page, and not with a file of an index",
            hint="look at it with a browser: it may be the login page of a network, or the URL may be wrong",
        )
