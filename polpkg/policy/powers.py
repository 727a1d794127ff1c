"""What each privileged function is made of: the table `powers.txt`, by which functions are checked and explained.

A power is one permission that one kind of subject needs on one kind of object.  Kinds are relative: `owner` is whoever
owns the function, `client` the domain it is owned for.  The table was made by hand from the hooks of the hypervisor
(xen/xsm/flask/hooks.c and flask_op.c of Xen 4.6 to 4.22), and each row names those it is made from.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from polpkg.policy.abi import Abi

TABLE = Path(__file__).with_name("powers.txt")

ORDINARY = "ordinary"
"""In place of a function: what every domain, every guest or the hypervisor does, whoever owns what."""

LABELS = {
    "any-channel": "any endpoint of an event channel",
    "client": "the domain that is served",
    "client-building": "the label of a sealed client until it runs",
    "client-channel": "the client's endpoints of event channels",
    "client-target": "the client, as its device model in a stub domain sees it",
    "device": "a device: a PCI function, an interrupt, I/O memory, I/O ports",
    "dom0": "domain 0",
    "domain": "any domain",
    "domio": "the pseudo-domain that owns I/O memory",
    "domxen": "the pseudo-domain that owns the heap of the hypervisor",
    "model": "a device model in a stub domain",
    "new-client": "the client while it is built: its build label if it is sealed, else its own",
    "new-domain": "a domain that the hypervisor starts",
    "own-channel": "the domain's endpoints of event channels",
    "owner": "whoever owns the function",
    "owner-channel": "the owner's endpoints of event channels",
    "peer": "a domain that shares pages and messages with another as an equal",
    "security": "the policy itself",
    "self": "the domain itself",
    "xen": "the hypervisor",
    "xenboot": "the hypervisor while it boots",
}
"""The kinds of subjects and objects."""

WHEN = {
    "always": "every owner, every client",
    "dom0": "dom0, whatever it owns",
    "drivers": "domains that drive a device",
    "every-domain": "every domain",
    "flipping": "backends that exchange pages",
    "host": "the host itself, not a client",
    "hypervisor": "the hypervisor itself",
    "hypervisor-log": "a console that keeps the log of the hypervisor",
    "in-owner": "QEMU runs in the owner",
    "late-hardware-domain": "a hardware domain other than dom0",
    "no-grants": "clients whose rings are not granted",
    "oxenstored": "the store is oxenstored",
    "pairing": "the client has a device model in a stub domain",
    "pass-through": "the device model serves a client with devices",
    "pciback": "a PV domain drives the device",
    "peers": "domains that talk as equals",
    "qemu": "disks served by QEMU",
    "remote-tables": "a builder that no toolstack has",
    "sealed": "the client is sealed",
    "self-relabel": "a domain that relabels itself",
    "store-domain": "the client is the store",
    "stub": "QEMU runs in a stub domain",
}
"""Which owners and clients a row is for."""


class Power(NamedTuple):
    """One row: `functions` need `permissions` of one class for `subject` on `target`.

    `when`: for which owners and clients, a key of `WHEN`.  `subject`, `target`: keys of `LABELS`.  `hooks`: the hooks
    that check it and, in brackets, the files that call them.
    """

    functions: tuple[str, ...]
    when: str
    subject: str
    target: str
    security_class: str
    permissions: tuple[str, ...]
    hooks: str
    reason: str

    def known_to(self, abi: Abi) -> tuple[str, ...]:
        """The permissions that a hypervisor has."""
        return tuple(p for p in self.permissions if abi.has_permission(self.security_class, p))


class Access(NamedTuple):
    """One permission between two kinds of labels."""

    subject: str
    target: str
    security_class: str
    permission: str


@cache
def read_powers() -> tuple[Power, ...]:
    """The table."""
    return parse_powers(TABLE.read_text(encoding="ascii"))


def parse_powers(text: str) -> tuple[Power, ...]:
    """The rows of a text in the form of `powers.txt`.  Raises ValueError for a line that is none."""
    return tuple(_parse_row(line) for line in text.splitlines() if line and not line.startswith("#"))


def _parse_row(line: str) -> Power:
    functions, when, pair, security_class, permissions, hooks, reason = line.split(" | ")
    subject, target = pair.split(" -> ")
    if when not in WHEN or subject not in LABELS or target not in LABELS:
        raise ValueError(f"{when}, {subject} or {target} is not known")
    return Power(
        tuple(functions.split()), when, subject, target, security_class, tuple(permissions.split()), hooks, reason
    )


def accesses(rows: Iterable[Power], abi: Abi) -> Iterator[Access]:
    """The single permissions of rows, as far as a hypervisor has them."""
    for row in rows:
        for permission in row.known_to(abi):
            yield Access(row.subject, row.target, row.security_class, permission)


def powers_of(function: str, *when: str) -> tuple[Power, ...]:
    """The rows of a function, or of `ORDINARY`; with `when` those for these owners and clients alone."""
    return tuple(row for row in read_powers() if function in row.functions and (not when or row.when in when))


def functions_with(access: Access) -> tuple[str, ...]:
    """The functions that need a permission, sorted, `ORDINARY` among them; empty when nothing known does."""
    return _index().get(access, ())


@cache
def _index() -> dict[Access, tuple[str, ...]]:
    found: dict[Access, set[str]] = {}
    for row in read_powers():
        for permission in row.permissions:
            access = Access(row.subject, row.target, row.security_class, permission)
            found.setdefault(access, set()).update(row.functions)
    return {access: tuple(sorted(functions)) for access, functions in found.items()}
