"""The privileged functions that dom0 is taken apart into (DESIGN.md 1): what each is, and how it may be claimed."""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple

NOBODY = "nobody"
"""In place of an owner, in manifests and expectations: the function is taken away from everybody."""


class Holding(Enum):
    """Who may hold a function."""

    EXCLUSIVE = "one owner for each client"
    SHARED = "any number of owners for each client"
    HOST_WIDE = "one owner for the host"


class Function(NamedTuple):
    """One privileged function."""

    name: str
    holding: Holding
    summary: str


FUNCTIONS: dict[str, Function] = {
    function.name: function
    for function in (
        Function("block-backend", Holding.SHARED, "serves disks to clients"),
        Function("console", Holding.EXCLUSIVE, "serves the consoles of clients"),
        Function("debug", Holding.EXCLUSIVE, "reads and writes the memory of clients as a debugger"),
        Function("device-model", Holding.EXCLUSIVE, "emulates devices for clients"),
        Function("domain-builder", Holding.EXCLUSIVE, "creates clients and loads their memory"),
        Function("domain-manager", Holding.EXCLUSIVE, "pauses, unpauses, sizes and destroys clients"),
        Function("hardware", Holding.EXCLUSIVE, "hands devices, memory and processors to clients"),
        Function("introspection", Holding.EXCLUSIVE, "watches and alters running clients"),
        Function("migration", Holding.EXCLUSIVE, "moves clients away and back"),
        Function("net-backend", Holding.SHARED, "serves network interfaces to clients"),
        Function("platform", Holding.HOST_WIDE, "controls the hypervisor and the machine"),
        Function("policy-admin", Holding.HOST_WIDE, "loads and changes the security policy"),
        Function("xenstore", Holding.EXCLUSIVE, "serves the store that clients and backends meet in"),
    )
}
"""Every function by name."""


def is_exclusive(function: str) -> bool:
    """Whether two packages cannot both hold `function` for all clients."""
    return FUNCTIONS[function].holding is not Holding.SHARED
