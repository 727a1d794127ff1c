"""A static tree over http(s).  The only place that knows httpx, which is imported when the first file is fetched."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING
from urllib.parse import urlsplit, urlunsplit

from polpkg.errors import NetworkError, TrustError

if TYPE_CHECKING:
    import httpx

TIMEOUT_SECONDS = 20.0
"""How long connecting, and each read, may take."""


class HttpTransport:
    """Fetches files of a tree below `url`; `client` can be given to talk to something else than the network.

    A redirect to another host is not followed, and an answer of 401 or 403 is final.
    """

    def __init__(self, url: str, *, client: httpx.Client | None = None) -> None:
        self._url = url.rstrip("/")
        self._given = client
        self.location = without_credentials(self._url)

    @cached_property
    def _client(self) -> httpx.Client:
        import httpx

        return self._given or httpx.Client(timeout=TIMEOUT_SECONDS, follow_redirects=False)

    def read(self, path: str, *, limit: int) -> bytes | None:
        """The file at `path`; see `Transport.read`."""
        import httpx

        where = f"{self.location}/{path}"
        try:
            with self._client.stream("GET", f"{self._url}/{path}") as response:
                if response.status_code in (404, 410):
                    return None
                _check_status(response.status_code, where)
                return _body(response, where, limit)
        except httpx.HTTPError as error:
            raise NetworkError(
                "index-unreachable",
                f"{where} cannot be fetched: {error or type(error).__name__}",
                hint="check the network and the URL; `--offline` uses the store only",
            ) from error


def without_credentials(url: str) -> str:
    """`url` without user, password, query and fragment, for messages."""
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def _check_status(status: int, where: str) -> None:
    if status in (401, 403):
        raise TrustError(
            "access-refused",
            f"access to {where} was refused ({status})",
            hint="log in to the index with `polpkg login`; no other index is asked instead",
        )
    if status != 200:
        raise NetworkError("index-unreachable", f"{where} answered with status {status}")


def _body(response: httpx.Response, where: str, limit: int) -> bytes:
    parts: list[bytes] = []
    size = 0
    for part in response.iter_bytes():
        size += len(part)
        if size > limit:
            raise TrustError("index-too-large", f"{where} is larger than {limit} bytes")
        parts.append(part)
    return b"".join(parts)
