"""Who asks: the token, or user and password, for an index.

Looked for in this order:

1. the environment: `POLPKG_INDEX_<NAME>_TOKEN`, or `..._USERNAME` and `..._PASSWORD`; in NAME hyphens are underscores;
2. the credentials file, `POLPKG_CREDENTIALS` or `polpkg/credentials.toml` in the user's configuration directory, which
   must belong to the user and be readable by nobody else:

       [site]
       url = "https://packages.example/tree"    # sent to what lies below, and nowhere else
       token = "..."                            # or username and password

3. the keyring, where the package `keyring` is installed: the service `polpkg:<scheme>://<host>:<port>`.

Never in policy.toml, never in a URL, never in a lock: those are shared.  The file and the keyring name the server
because policy.toml, which may come from somebody else, says where an index is.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from polpkg.errors import TrustError, UsageError
from polpkg.packages.tables import Document, Table, read_toml
from polpkg.packages.transport.urls import is_below, server_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

CREDENTIALS_FILE = "credentials.toml"
"""The name of the credentials file."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """A token, or a user and a password; neither is ever shown."""

    token: str = field(default="", repr=False)
    username: str = field(default="", repr=False)
    password: str = field(default="", repr=False)

    @property
    def header(self) -> str:
        """The value of the `Authorization` header (RFC 6750 for tokens, RFC 7617 for passwords)."""
        if self.token:
            return f"Bearer {self.token}"
        from base64 import b64encode

        return "Basic " + b64encode(f"{self.username}:{self.password}".encode()).decode()


def find_credentials(index: str, url: str, environment: Mapping[str, str] = os.environ) -> Credentials | None:
    """What is known for `index` at `url`; None when there is nothing.

    Raises `UsageError` for a value that no header can hold, `TrustError` for a credentials file that others can read
    or that is meant for another server, and `PolicyError` for one that does not parse.
    """
    found = _from_environment(index, environment) or _from_file(index, url, environment) or _from_keyring(url)
    if found is not None:
        _check(index, found)
    return found


def variable_of(index: str, what: str) -> str:
    """The environment variable for the `TOKEN`, `USERNAME` or `PASSWORD` of an index."""
    return f"POLPKG_INDEX_{index.upper().replace('-', '_')}_{what}"


def _from_environment(index: str, environment: Mapping[str, str]) -> Credentials | None:
    token, username, password = (
        environment.get(variable_of(index, what), "") for what in ("TOKEN", "USERNAME", "PASSWORD")
    )
    return _made_of(token, username, password)


def _made_of(token: str, username: str, password: str) -> Credentials | None:
    if token:
        return Credentials(token=token)
    return Credentials(username=username, password=password) if username or password else None


def _check(index: str, found: Credentials) -> None:
    for value in (found.token, found.username, found.password):
        if not value.isprintable() or (value == found.token and not value.isascii()):
            raise UsageError(
                "bad-credentials", f"the credentials for the index {index} hold a character that cannot be sent"
            )
    if ":" in found.username:
        raise UsageError("bad-credentials", f"the user name for the index {index} holds a colon")


def credentials_path(environment: Mapping[str, str] = os.environ) -> Path | None:
    """Where the credentials file is, or would be; None for a user without a home directory."""
    from pathlib import Path

    if own := environment.get("POLPKG_CREDENTIALS"):
        return Path(own)
    base = environment.get("XDG_CONFIG_HOME", "")
    try:
        return (Path(base) if base.startswith("/") else Path.home() / ".config") / "polpkg" / CREDENTIALS_FILE
    except RuntimeError:
        return None


def _from_file(index: str, url: str, environment: Mapping[str, str]) -> Credentials | None:
    path = credentials_path(environment)
    if path is None:
        return None
    try:
        with path.open("rb") as file:
            _check_private(path, os.fstat(file.fileno()))
            text = file.read().decode()
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(
            "cannot-read", f"{path} cannot be read: {getattr(error, 'strerror', 'it is not UTF-8')}"
        ) from None
    document = Document(text, str(path), "credentials", secret=True)
    root = read_toml(document)
    found = _from_table(root.table(index), index, url, path) if index in root else None
    document.check()
    return found


def _check_private(path: Path, status: os.stat_result) -> None:
    if status.st_uid != os.geteuid() or status.st_mode & 0o077:
        raise TrustError(
            "credentials-exposed",
            f"{path} does not belong to this user alone",
            hint=f"`chmod 600 {path}`; if others could read it, get new credentials",
        )


def _from_table(table: Table, index: str, url: str, path: Path) -> Credentials | None:
    place = table.text("url", required=True)
    found = _made_of(table.text("token"), table.text("username"), table.text("password"))
    table.finish()
    if place and not is_below(url, place):
        raise TrustError(
            "credentials-for-another-url",
            f"the credentials for the index {index} in {path} are meant for another URL than the index has",
            hint="look at where policy.toml says that the index is, before you change the file",
        )
    return found


def _from_keyring(url: str) -> Credentials | None:
    from importlib import import_module
    from importlib.util import find_spec

    server = server_of(url)
    if server is None or find_spec("keyring") is None:
        return None
    keyring: Any = import_module("keyring")
    errors: Any = import_module("keyring.errors")
    try:
        found = keyring.get_credential(f"polpkg:{server.scheme}://{server.host}:{server.port}", None)
    except errors.KeyringError:
        return None
    if found is None:
        return None
    token = found.username in ("", "token", None)
    return Credentials(token=found.password) if token else Credentials(username=found.username, password=found.password)
