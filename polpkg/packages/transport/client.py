"""Requests over http(s): the only module that knows httpx.

It sends, follows redirects within bounds, keeps credentials to the server that they are for, bounds bodies, and turns
whatever httpx raises into `PassingFailure` or a `PolpkgError`.  It neither repeats nor keeps anything.
"""

from __future__ import annotations

import asyncio
import ssl
from contextlib import asynccontextmanager, suppress
from importlib.util import find_spec
from typing import TYPE_CHECKING
from urllib.parse import urljoin

import httpx

from polpkg import __version__
from polpkg.errors import NetworkError, PolpkgError, TrustError, UsageError
from polpkg.packages.transport.credentials import CREDENTIALS_FILE, credentials_path, variable_of
from polpkg.packages.transport.retry import PassingFailure, may_pass, read_retry_after
from polpkg.packages.transport.urls import server_of, without_credentials

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping

    from polpkg.packages.transport.credentials import Credentials
    from polpkg.packages.transport.settings import Timeouts

MAX_REDIRECTS = 5
"""How many redirects are followed for one request."""

MAX_CONNECTIONS = 16
"""How many connections one index may have open."""

MAX_STREAMS = 64
"""How many requests to one index may be under way once it speaks HTTP/2, where they share a connection."""

_REDIRECTS = frozenset((301, 302, 303, 307, 308))
_ACCEPTED = frozenset((200, 206, 304, 404, 410, 416))
_DRAINED = 1 << 16
_DRAIN_SECONDS = 1.0


class Answer:
    """A response whose body has not been read yet; `where` names it in messages."""

    def __init__(self, response: httpx.Response, where: str) -> None:
        self._response = response
        self.where = where
        self.status = response.status_code

    def header(self, name: str) -> str:
        """The value of a header; empty when it is not there."""
        return self._response.headers.get(name, "")

    @property
    def length(self) -> int | None:
        """How many bytes the body has by its header; None when the header does not say, or the body is encoded."""
        text = self.header("content-length")
        encoded = self.header("content-encoding") not in ("", "identity")
        return int(text) if text.isascii() and text.isdigit() and not encoded else None

    async def parts(self) -> AsyncIterator[bytes]:
        """The body, piece by piece."""
        async for part in self._response.aiter_bytes():
            yield part

    async def body(self, limit: int, seconds: float) -> bytes:
        """The whole body.  Raises `TrustError` beyond `limit` bytes, `PassingFailure` beyond `seconds`."""
        if (self.length or 0) > limit:
            raise self.too_large(limit)
        parts: list[bytes] = []
        size = 0
        try:
            async with asyncio.timeout(seconds):
                async for part in self.parts():
                    parts.append(part)
                    size += len(part)
                    if size > limit:
                        raise self.too_large(limit)
        except TimeoutError:
            raise PassingFailure(f"it did not come within {seconds:g} seconds") from None
        return b"".join(parts)

    async def drain(self) -> None:
        """Read a body that nobody wanted, if it is short: a connection is used again once its response was read."""
        short = self.status == 304 or (self.length is not None and self.length <= _DRAINED)
        if not short or self._response.is_stream_consumed:
            return
        with suppress(httpx.HTTPError, TimeoutError):
            async with asyncio.timeout(_DRAIN_SECONDS):
                async for _ in self._response.aiter_raw():
                    pass

    def too_large(self, limit: int) -> TrustError:
        """The error for a body of more than `limit` bytes."""
        return TrustError("index-too-large", f"{self.where} is larger than {limit} bytes")


class HttpClient:
    """Asks the server at `url` of the index that is called `index`.

    `credentials` finds those for that server when the first request is made.  Use it on one event loop.
    """

    def __init__(
        self,
        index: str,
        url: str,
        credentials: Callable[[], Credentials | None],
        *,
        timeouts: Timeouts,
        now: Callable[[], float],
        ca_file: str = "",
    ) -> None:
        self._index = index
        self._server = server_of(url)
        self._credentials = credentials
        self._now = now
        self._http = _open_client(timeouts, ca_file)
        self._slots = asyncio.Semaphore(MAX_CONNECTIONS)
        self._multiplexed = False
        self._authorization: dict[str, str] | None = None

    @asynccontextmanager
    async def ask(self, url: str, headers: Mapping[str, str]) -> AsyncGenerator[Answer, None]:
        """The response to a GET of `url`, of a status that the caller has to understand: 200, 206, 304, 404, 410, 416.

        Raises `PassingFailure` for what may pass, here and while the body is read, and `TrustError` or `NetworkError`
        for everything else.
        """
        where = without_credentials(url)
        async with self._slots:
            try:
                response = await self._follow(url, headers)
                try:
                    self._check(response, where)
                    answer = Answer(response, where)
                    yield answer
                    await answer.drain()
                finally:
                    await response.aclose()
            except httpx.HTTPError as error:
                raise _failure(error, where) from error
            except httpx.InvalidURL as error:
                raise NetworkError("bad-redirect", f"{where} is no URL, or was redirected to what is none") from error

    async def close(self) -> None:
        """Close all connections."""
        await self._http.aclose()

    async def _follow(self, url: str, headers: Mapping[str, str]) -> httpx.Response:
        where = without_credentials(url)
        for _ in range(MAX_REDIRECTS + 1):
            request = self._http.build_request("GET", url, headers={**headers, **self._authorization_for(url)})
            response = await self._http.send(request, stream=True, follow_redirects=False)
            self._widen(response.http_version)
            if response.status_code not in _REDIRECTS:
                return response
            await response.aclose()
            url = _redirected(url, response.headers.get("location", ""), where)
        raise NetworkError("too-many-redirects", f"{where} was redirected more than {MAX_REDIRECTS} times")

    def _refusal_hint(self) -> str:
        if self._authorization:
            return "the credentials for this index were sent: look whether they are still good"
        token = variable_of(self._index, "TOKEN")
        file = credentials_path() or CREDENTIALS_FILE
        return f"give a token in {token}, in {file} or in the keyring; no other index is asked instead"

    def _widen(self, version: str) -> None:
        """Let more requests run at once when they need no connections of their own."""
        if version == "HTTP/2" and not self._multiplexed:
            self._multiplexed = True
            for _ in range(MAX_STREAMS - MAX_CONNECTIONS):
                self._slots.release()

    def _authorization_for(self, url: str) -> dict[str, str]:
        if server_of(url) != self._server:
            return {}
        if self._authorization is None:
            found = self._credentials()
            self._authorization = {"Authorization": found.header} if found else {}
        return self._authorization

    def _check(self, response: httpx.Response, where: str) -> None:
        status = response.status_code
        if status in (401, 403):
            raise TrustError(
                "access-refused",
                f"index {self._index}: access to {where} was refused ({status})",
                hint=self._refusal_hint(),
            )
        if may_pass(status):
            asked = read_retry_after(response.headers.get("retry-after", ""), self._now())
            raise PassingFailure(f"the server answered with status {status}", retry_after=asked)
        if status not in _ACCEPTED:
            raise NetworkError("index-unreachable", f"{where} answered with status {status}")


def _open_client(timeouts: Timeouts, ca_file: str) -> httpx.AsyncClient:
    try:
        return httpx.AsyncClient(
            http2=find_spec("h2") is not None,
            timeout=httpx.Timeout(timeouts.read, connect=timeouts.connect, pool=None),
            limits=httpx.Limits(max_connections=MAX_CONNECTIONS, max_keepalive_connections=MAX_CONNECTIONS),
            headers={"User-Agent": f"polpkg/{__version__}"},
            verify=_authorities(ca_file),
        )
    except (ValueError, ImportError, httpx.InvalidURL) as error:
        raise UsageError(
            "bad-proxy", f"the proxy that the environment names cannot be used: {type(error).__name__}"
        ) from None


def _authorities(ca_file: str) -> ssl.SSLContext:
    """Whom to believe: `ca_file` alone, else what `SSL_CERT_FILE`, `SSL_CERT_DIR` or the system say, else certifi."""
    try:
        if ca_file:
            return ssl.create_default_context(cafile=ca_file)
        found = ssl.get_default_verify_paths()
        if found.cafile or found.capath:
            return ssl.create_default_context()
    except (OSError, ssl.SSLError) as error:
        name = ca_file or "SSL_CERT_FILE"
        raise UsageError("bad-ca-file", f"{name} cannot be read as certificates: {error.strerror or error}") from error
    return httpx.create_ssl_context()


def _redirected(url: str, location: str, where: str) -> str:
    """Where a redirect leads.  Raises NetworkError for nowhere, and TrustError from https to http."""
    try:
        target = urljoin(url, location)
    except ValueError:
        target = ""
    server = server_of(target)
    if not location or server is None:
        raise NetworkError("bad-redirect", f"{where} was redirected to nowhere")
    if url.startswith("https:") and server.scheme != "https":
        raise TrustError(
            "insecure-redirect",
            f"{where} was redirected from https to {without_credentials(target)}, which is not safe",
        )
    if "@" in target.partition("://")[2].partition("/")[0]:
        raise NetworkError("bad-redirect", f"{where} was redirected to a URL that holds a user name or a password")
    return target


def _failure(error: httpx.HTTPError, where: str) -> PassingFailure | PolpkgError:
    """What a failure of httpx means."""
    if _is_caused_by(error, ssl.SSLCertVerificationError):
        return TrustError(
            "certificate-refused",
            f"the certificate of {where} is not one to be trusted",
            hint="if it is from an authority of your own, name its file: ca-file in policy.toml, or SSL_CERT_FILE",
        )
    if isinstance(error, (httpx.LocalProtocolError, httpx.UnsupportedProtocol)):
        return NetworkError("index-unreachable", f"{where} cannot be asked: {type(error).__name__}")
    unanswered = isinstance(error, (httpx.ConnectError, httpx.ConnectTimeout, httpx.ProxyError))
    return PassingFailure(_in_words(error), unanswered=unanswered)


def _is_caused_by(error: BaseException | None, kind: type[BaseException]) -> bool:
    while error is not None:
        if isinstance(error, kind):
            return True
        error = error.__cause__ or error.__context__
    return False


def _in_words(error: httpx.HTTPError) -> str:
    match error:
        case httpx.ConnectTimeout():
            return "it took too long to connect"
        case httpx.TimeoutException():
            return "the server took too long to answer"
        case httpx.ProxyError():
            return "the proxy refused"
        case httpx.ConnectError():
            return f"no connection ({error})" if str(error) else "no connection"
        case httpx.RemoteProtocolError():
            return f"the answer was cut short or is no http ({error})"
        case httpx.DecodingError():
            return "the answer is damaged"
        case _:
            return str(error) or type(error).__name__
