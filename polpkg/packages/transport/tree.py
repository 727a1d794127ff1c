"""A static tree over http(s): its small files go through the cache, its archives through partial files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from polpkg.errors import NetworkError
from polpkg.packages.transport.background import background
from polpkg.packages.transport.cache import CachedFile, HttpCache, refuse_web_page
from polpkg.packages.transport.download import Download

if TYPE_CHECKING:
    from collections.abc import Iterable
    from concurrent.futures import Future

    from polpkg.packages.transport.client import Answer
    from polpkg.packages.transport.server import IndexServer


class HttpTree:
    """The tree that a server has; what it can do is `polpkg.packages.index.static_tree.Transport`.

    Every file is asked for once, with the validators of the copy in the cache; with `offline` the copy is the answer.
    """

    def __init__(self, server: IndexServer) -> None:
        self._server = server
        self._settings = server.settings
        self._cache = HttpCache(self._settings.cache_folder, server.url)
        self._under_way: dict[str, Future[bytes | None]] = {}
        self._name = server.name
        self.location = server.location

    def read(self, path: str, *, limit: int) -> bytes | None:
        """The file at `path`, None when the server has none."""
        if self._settings.offline:
            return self._read_offline(path)
        self.prefetch((path,), limit=limit)
        return self._under_way.pop(path).result()

    def _read_offline(self, path: str) -> bytes | None:
        kept = self._cache.load(path)
        if kept is None:
            raise NetworkError(
                "offline",
                f"{self.location}/{path} was never fetched, and --offline forbids fetching it now",
                hint=f"leave --offline out, or bring a copy: `polpkg export --bundle` and --index {self._name}=FILE",
            )
        return kept.body

    def prefetch(self, paths: Iterable[str], *, limit: int) -> None:
        """Begin to fetch files that will be read soon."""
        if self._settings.offline:
            return
        for path in paths:
            if path not in self._under_way:
                self._under_way[path] = background().start(self._fetch(path, limit))

    def listing(self) -> None:
        """Nothing: a web server does not tell which packages there are, its `index/names.json` may."""

    def archive(self, sha256: str, *, size: int, label: str) -> bytes | None:
        """The archive with that digest, None when the server has none."""
        if self._settings.offline:
            raise NetworkError(
                "offline",
                f"{label} is not in the store, and --offline forbids fetching it from {self.location}",
                hint="fetch it once without --offline, or bring it along with `polpkg export --bundle`",
            )
        return background().start(Download(self._server, sha256, size, label).run()).result()

    async def _fetch(self, path: str, limit: int) -> bytes | None:
        kept = self._cache.load(path)

        async def attempt() -> CachedFile:
            async with self._server.ask(path, kept.conditions if kept else {}) as answer:
                return await self._understood(answer, kept, limit)

        found = await self._server.try_again(path, attempt)
        if found is not kept:
            self._cache.keep(path, found)
        return found.body

    async def _understood(self, answer: Answer, kept: CachedFile | None, limit: int) -> CachedFile:
        match answer.status:
            case 404 | 410:
                return CachedFile(None)
            case 304 if kept is not None and kept.conditions:
                return kept
            case 200:
                body = await answer.body(limit, self._settings.timeouts.body)
                refuse_web_page(body, answer.where)
                return CachedFile(body, answer.header("etag"), answer.header("last-modified"))
            case status:
                raise NetworkError("index-unreachable", f"{answer.where} answered with status {status}, unasked")
