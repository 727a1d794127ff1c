"""Reaching a host with the system's own ssh: its configuration, keys, agent and known_hosts count, and are left alone.

Nothing is asked (BatchMode): what would need an answer is an error that says what to do.  A host key is never accepted
by polpkg.
"""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from polpkg.errors import HostError, TargetError
from polpkg.targets.host.remote import RemoteHost
from polpkg.targets.host.session import Session, SessionEnd

if TYPE_CHECKING:
    from collections.abc import Sequence

    from polpkg.targets.host.address import SshAddress

_OPTIONS = (
    "-T", "-a", "-x",
    "-o", "BatchMode=yes",
    "-o", "LogLevel=ERROR",
    "-o", "ClearAllForwardings=yes",
    "-o", "RemoteCommand=none",
    "-o", "ConnectTimeout=15",
    "-o", "ServerAliveInterval=15",
    "-o", "ServerAliveCountMax=4",
)  # fmt: skip

_LOGIN = """exec sh -c '[ "$(id -u)" = 0 ] && exec sh; sudo -n true 2>/dev/null && exec sudo -n sh; exec sh'"""
"""What the login shell there, whichever it is, is told: a POSIX sh, as root if it may."""

_PATIENCE = 60.0
_PACKAGES = {"flock": "util-linux"}
"""The Debian package of a program, where that is not coreutils."""

_TROUBLES = (
    (
        "REMOTE HOST IDENTIFICATION HAS CHANGED",
        "host-key-changed",
        "{name} has another host key than the one that is known",
        "find out why before anything else; if it is right, `ssh-keygen -R {host}` forgets the old key",
    ),
    (
        "Host key verification failed",
        "unknown-host-key",
        "the host key of {name} is not known",
        "log in once with `ssh {login}`, and compare the fingerprint that it shows",
    ),
    (
        "Permission denied (",
        "login-refused",
        "{name} does not let you in",
        "polpkg asks for no password: use a key (`ssh-copy-id {login}`), and an agent if it has a passphrase",
    ),
    ("Could not resolve hostname", "unknown-host", "ssh finds no host called {host}", ""),
    ("Connection refused", "host-unreachable", "{name} refuses the connection", "does sshd run there, on that port?"),
    ("timed out", "host-unreachable", "{name} does not answer", ""),
    ("No route to host", "host-unreachable", "there is no way to {name}", ""),
    ("Network is unreachable", "host-unreachable", "there is no way to {name}", ""),
    ("Connection closed by", "host-unreachable", "{name} closed the connection", "its log says why: journalctl -u ssh"),
    ("Connection reset by", "host-unreachable", "{name} closed the connection", "its log says why: journalctl -u ssh"),
)
"""What ssh says, and the code, message and hint of the error."""


def open_ssh(address: SshAddress) -> RemoteHost:
    """The host at `address`.

    Raises HostError when it cannot be reached: `unknown-host`, `unknown-host-key`, `host-key-changed`,
    `login-refused`, `host-unreachable`, `no-ssh`; and TargetError `host-lacks-programs`.
    """
    name = str(address)
    try:
        session = Session(["ssh", *_OPTIONS, *_where(address), _LOGIN], patience=_PATIENCE)
    except FileNotFoundError:
        raise HostError(
            "no-ssh", "there is no ssh on this machine", hint="on Debian: apt install openssh-client"
        ) from None
    except SessionEnd as end:
        raise _login_error(address, end) from end
    return RemoteHost(checked(session, name), name, again=lambda: open_ssh(address))


def checked(session: Session, name: str) -> Session:
    """The session, if the host has all that it needs.  Raises TargetError `host-lacks-programs`."""
    _, *missing = session.greeting.split("\n")
    missing = [each for each in missing if each]
    if missing:
        session.close()
        packages = sorted({_PACKAGES.get(each.partition(" ")[0], "coreutils") for each in missing})
        raise TargetError(
            "host-lacks-programs",
            f"{name} lacks what polpkg needs there: {', '.join(missing)}",
            hint=f"on Debian: apt install {' '.join(packages)}",
        )
    return session


def _where(address: SshAddress) -> Sequence[str]:
    port = ("-p", str(address.port)) if address.port else ()
    user = ("-l", address.user) if address.user else ()
    return (*port, *user, "--", address.host)


def _login_error(address: SshAddress, end: SessionEnd) -> TargetError:
    name, host = str(address), address.host
    known = f"[{host}]:{address.port}" if address.port else host
    login = shlex.join(
        [*(("-p", str(address.port)) if address.port else ()), f"{address.user}@{host}" if address.user else host]
    )
    for text, code, message, hint in _TROUBLES:
        if text in end.said:
            return HostError(
                code, message.format(name=name, host=host), hint=hint.format(host=shlex.quote(known), login=login)
            )
    said = end.said.splitlines()
    reason = said[-1] if said else f"ssh ended with status {end.status}"
    if end.status == 127:
        return TargetError("host-lacks-programs", f"{name} has no POSIX shell: {reason}")
    return HostError("host-unreachable", f"cannot log in to {name}: {reason}")
