"""From the address of a host to the host."""

from __future__ import annotations

from typing import TYPE_CHECKING

from polpkg.errors import TargetError, UsageError

if TYPE_CHECKING:
    from polpkg.targets.host.host_target import HostTarget

LOCAL = "local"


def open_host(address: str) -> HostTarget:
    """The host at `local` or `ssh://[user@]host[:port]`.

    This machine must be a Xen dom0 (TargetError `not-dom0`).  A host behind ssh need not run Xen yet: what can only be
    done on a running dom0 says so itself.
    """
    if address == LOCAL:
        return open_local_host()
    return open_ssh_host(address)


def open_ssh_host(address: str) -> HostTarget:
    """The host at `ssh://[user@]host[:port]`.  Raises UsageError and, see `polpkg.targets.host.ssh`, TargetError."""
    from polpkg.targets.host.address import SCHEME, parse_ssh_address

    if not address.startswith(f"{SCHEME}://"):
        raise UsageError("malformed-host", f"--host {address}: expected local or ssh://[user@]host[:port]")
    from polpkg.targets.host.ssh import open_ssh

    return open_ssh(parse_ssh_address(address))


def open_local_host(address: str = LOCAL) -> HostTarget:
    """The machine that polpkg runs on.  Raises TargetError `not-dom0`."""
    del address
    from polpkg.targets.host.dom0 import why_not_dom0
    from polpkg.targets.host.local import LocalHost

    host = LocalHost()
    if reason := why_not_dom0(host):
        raise TargetError(
            "not-dom0",
            f"this machine {reason}",
            hint="--host ssh://HOST names another; --root / changes the files of this one and nothing else",
        )
    return host


def open_default_host() -> HostTarget:
    """The host that is meant when none is named: this machine.  Raises TargetError `no-target` if it is not a dom0."""
    try:
        return open_local_host()
    except TargetError as error:
        hint = "pass --root DIR, --image FILE, or --host ssh://HOST"
        raise TargetError("no-target", f"no target is named, and {error.message}", hint=hint) from None
