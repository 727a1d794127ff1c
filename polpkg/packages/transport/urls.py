"""URLs of indexes: which are accepted, how messages show them, and which two are the same server."""

from __future__ import annotations

from typing import NamedTuple
from urllib.parse import SplitResult, urlsplit, urlunsplit

_PORTS = {"http": 80, "https": 443}


class ServerAddress(NamedTuple):
    """What credentials belong to: scheme, host and port."""

    scheme: str
    host: str
    port: int


def is_http(location: str) -> bool:
    """Whether `location` is an http(s) URL."""
    return location.partition("://")[0].lower() in _PORTS


def server_of(url: str) -> ServerAddress | None:
    """The server that an http(s) URL names; None when it names none."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    if parts.scheme not in _PORTS or not parts.hostname:
        return None
    return ServerAddress(parts.scheme, parts.hostname, port if port is not None else _PORTS[parts.scheme])


def without_credentials(url: str) -> str:
    """`url` without user, password, query and fragment, for messages."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return f"{url.partition('://')[0]}://..."
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def what_is_wrong(url: str) -> str:
    """Why `url` cannot be that of an index, as the end of a sentence; empty when it can.  Never quotes the URL."""
    if server_of(url) is None:
        return "names no server"
    parts = urlsplit(url)
    if "@" in parts.netloc:
        return "holds a user name or a password"
    if parts.query or parts.fragment:
        return "has a query or a fragment"
    return ""


def is_below(url: str, prefix: str) -> bool:
    """Whether `url` is `prefix` or lies below it, on the same server."""
    return server_of(url) == server_of(prefix) and _folder(urlsplit(url)).startswith(_folder(urlsplit(prefix)))


def _folder(parts: SplitResult) -> str:
    return parts.path.rstrip("/") + "/"
