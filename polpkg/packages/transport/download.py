"""Fetches one archive: resumed where it broke off (RFC 9110 14, 13.1.5), and compared with its digest at the end."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING

from polpkg.errors import TrustError
from polpkg.packages.archive import LIMITS
from polpkg.packages.source import sha256_of
from polpkg.packages.store import ArchiveStore
from polpkg.packages.transport.cache import refuse_web_page
from polpkg.packages.transport.partial import Partial
from polpkg.packages.transport.retry import PassingFailure

if TYPE_CHECKING:
    from polpkg.packages.transport.client import Answer
    from polpkg.packages.transport.server import IndexServer

_CONTENT_RANGE = re.compile(r"bytes ([0-9]{1,18})-.*", re.ASCII)


class Download:
    """One archive on its way: `size` is what the index states, 0 when it does not; `label` is what messages call it."""

    def __init__(self, server: IndexServer, sha256: str, size: int, label: str) -> None:
        self._server = server
        self._sha256 = sha256
        self._path = f"blobs/sha256/{sha256}"
        self._size = size
        self._limit = size or LIMITS.archive_size
        self._label = label

    async def run(self) -> bytes | None:
        """The archive; None when the server has none.

        Bytes that turn out wrong are thrown away; when some of them were left by an earlier attempt, all of them are
        fetched once more.  Raises `TrustError` (`digest-mismatch`, `wrong-length`, `index-too-large`) and what
        `IndexServer.try_again` raises.
        """
        with Partial(ArchiveStore(self._server.settings.cache_folder).partial_path(self._sha256)) as partial:
            resumed = partial.size > 0
            archive = await self._complete(partial)
            if archive is not None and sha256_of(archive) != self._sha256 and resumed:
                partial.restart("")
                archive = await self._complete(partial)
            partial.remove()
        if archive is not None and sha256_of(archive) != self._sha256:
            where = f"{self._server.location}/{self._path}"
            refuse_web_page(archive, where)
            raise TrustError("digest-mismatch", f"{where} is another archive than the index lists for {self._label}")
        return archive

    async def _complete(self, partial: Partial) -> bytes | None:
        async def attempt() -> bool:
            return await self._attempt(partial)

        found = await self._server.try_again(self._path, attempt, so_far=lambda: partial.size)
        return partial.content() if found else None

    async def _attempt(self, partial: Partial) -> bool:
        """Fetch what is missing; false when the server has no such file."""
        if self._size and partial.size >= self._size:
            return True
        async with self._server.ask(self._path, _headers(partial)) as answer:
            if answer.status in (404, 410):
                return False
            self._begin(partial, answer)
            await self._receive(partial, answer)
        if partial.size < self._size:
            raise PassingFailure(f"it ended after {partial.size} of {self._size} bytes")
        return True

    def _begin(self, partial: Partial, answer: Answer) -> None:
        """Make `partial` ready for the body of `answer`: a part that continues it, or the whole."""
        if answer.status == 206 and _starts_at(answer) == partial.size and partial.size:
            pass
        elif answer.status == 200:
            partial.restart(_validator(answer))
        else:
            partial.restart("")
            raise PassingFailure("the server answered with another part than it was asked for")
        if self._size and answer.length is not None and partial.size + answer.length != self._size:
            size = partial.size + answer.length
            partial.restart("")
            raise TrustError("wrong-length", f"{answer.where} has {size} bytes, and {self._size} by the index")

    async def _receive(self, partial: Partial, answer: Answer) -> None:
        settings = self._server.settings
        missing = self._limit - partial.size
        try:
            async with asyncio.timeout(settings.timeouts.body + missing / settings.timeouts.slowest):
                async for part in answer.parts():
                    if partial.size + len(part) > self._limit:
                        partial.remove()
                        raise answer.too_large(self._limit)
                    partial.append(part)
                    if settings.progress is not None:
                        settings.progress(self._label, partial.size, self._size)
        except TimeoutError:
            raise PassingFailure("it came too slowly") from None


def _headers(partial: Partial) -> dict[str, str]:
    headers = {"Accept-Encoding": "identity"}
    if partial.size:
        headers["Range"] = f"bytes={partial.size}-"
        if partial.validator:
            headers["If-Range"] = partial.validator
    return headers


def _starts_at(answer: Answer) -> int:
    found = _CONTENT_RANGE.fullmatch(answer.header("content-range"))
    return int(found[1]) if found else -1


def _validator(answer: Answer) -> str:
    """What `If-Range` takes: a strong ETag, else the date; nothing when there is neither."""
    etag = answer.header("etag")
    return etag if etag.startswith('"') else answer.header("last-modified")
