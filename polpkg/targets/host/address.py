"""How a host is named: `ssh://[user@]host[:port]`."""

from __future__ import annotations

import re
from typing import NamedTuple

from polpkg.errors import UsageError

SCHEME = "ssh"

_FORM = re.compile(
    r"(?:(?P<user>[^@/?#:\s]+)@)?(?P<host>\[[0-9A-Fa-f:.]+(?:%[\w.-]+)?\]|[^@/?#:\[\]\s]+)(?::(?P<port>\d{1,5}))?/?"
)


class SshAddress(NamedTuple):
    """Where ssh is to log in; what is empty or None is left to its own configuration."""

    host: str
    user: str = ""
    port: int | None = None

    def __str__(self) -> str:
        """As it is typed."""
        user = f"{self.user}@" if self.user else ""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{SCHEME}://{user}{host}" + (f":{self.port}" if self.port else "")


def parse_ssh_address(text: str) -> SshAddress:
    """The parts of an address with or without its scheme.  Raises UsageError `malformed-host`."""
    found = _FORM.fullmatch(text.removeprefix(f"{SCHEME}://"))
    if found is None or text.count("@") > 1:
        raise _malformed(text, "expected ssh://[user@]host[:port]")
    user, host, port = found["user"] or "", found["host"].strip("[]"), found["port"]
    if host.startswith("-") or user.startswith("-"):  # ssh would take it for an option
        raise _malformed(text, "a name does not begin with `-`")
    if port is not None and not 0 < int(port) < 1 << 16:
        raise _malformed(text, "a port is a number from 1 to 65535")
    return SshAddress(host, user, int(port) if port else None)


def _malformed(text: str, reason: str) -> UsageError:
    hint = "keys are ssh's own business: polpkg takes no password" if ":" in text.partition("@")[0][6:] else ""
    return UsageError("malformed-host", f"--host {text}: {reason}", hint=hint)
