"""The server of one index: requests that are repeated while their failure may pass.  Runs on the event loop."""

from __future__ import annotations

import weakref
from functools import cached_property
from typing import TYPE_CHECKING, TypeVar

from polpkg.errors import NetworkError, PolpkgError, UsageError
from polpkg.packages.transport.background import background
from polpkg.packages.transport.credentials import find_credentials, variable_of
from polpkg.packages.transport.retry import PassingFailure
from polpkg.packages.transport.urls import what_is_wrong, without_credentials

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping
    from contextlib import AbstractAsyncContextManager

    from polpkg.packages.transport.client import Answer, HttpClient
    from polpkg.packages.transport.settings import NetworkSettings

_Result = TypeVar("_Result")

ENOUGH = 1 << 16
"""An attempt that brought this many bytes was no failure: attempts are counted anew."""


class IndexServer:
    """Where the tree of the index `name` is.

    Raises `UsageError` for a URL with credentials in it.
    """

    def __init__(
        self,
        name: str,
        url: str,
        settings: NetworkSettings,
        *,
        ca_file: str = "",
    ) -> None:
        if wrong := what_is_wrong(url):
            hint = f"credentials go into the keyring or {variable_of(name, 'TOKEN')}"
            raise UsageError("bad-index-url", f"the URL of the index {name} {wrong}", hint=hint)
        self.name = name
        self.url = url.rstrip("/")
        self.location = without_credentials(self.url)
        self.settings = settings
        self._ca_file = ca_file
        self._refusal: PolpkgError | None = None

    def ask(self, path: str, headers: Mapping[str, str]) -> AbstractAsyncContextManager[Answer]:
        """The response to one request for the file at `path`; see `HttpClient.ask`."""
        return self._client.ask(f"{self.url}/{path}", headers)

    @cached_property
    def _client(self) -> HttpClient:
        from polpkg.packages.transport.client import HttpClient

        client = HttpClient(
            self.name,
            self.url,
            lambda: find_credentials(self.name, self.url),
            timeouts=self.settings.timeouts,
            now=self.settings.clock.now,
            ca_file=self._ca_file,
        )
        weakref.finalize(self, lambda: background().start(client.close())).atexit = False
        return client

    async def try_again(
        self, path: str, attempt: Callable[[], Awaitable[_Result]], *, so_far: Callable[[], int] = lambda: 0
    ) -> _Result:
        """The result of `attempt`, which is repeated when it raises `PassingFailure`.

        `so_far` counts the bytes that were fetched.  Raises `NetworkError` (`index-unreachable`) in the end.  A refusal
        of access, and a server that never answers, end all requests to this server at once.
        """
        failed, before = 0, so_far()
        while True:
            if self._refusal is not None:
                raise self._refusal
            try:
                return await attempt()
            except PassingFailure as failure:
                failed = 1 if so_far() - before >= ENOUGH else failed + 1
                before = so_far()
                await self._wait(path, failed, failure)
            except PolpkgError as error:
                if error.code in ("access-refused", "certificate-refused"):
                    self._refusal = error
                raise

    async def _wait(self, path: str, failed: int, failure: PassingFailure) -> None:
        clock = self.settings.clock
        seconds = self.settings.retries.wait(failed, failure.retry_after, clock.random())
        if seconds is not None:
            await clock.sleep(seconds)
            return
        asked = f"; it asks to wait {failure.retry_after:.0f} seconds" if failure.retry_after else ""
        times = "" if failed == 1 else f", {failed} times"
        error = NetworkError(
            "index-unreachable",
            f"{self.location}/{path} cannot be fetched: {failure.because}{times}{asked}",
            hint="check the network and the URL; `--offline` works with what was fetched before",
        )
        if failure.unanswered:
            self._refusal = error
        raise error from failure
