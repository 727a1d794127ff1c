"""Claims: who owns which privileged function for which client (DESIGN.md 1).

A client is a guest type.  For each it has exactly one owner of every function; dom0 owns what nobody claims.  Shared
functions may have several owners, host-wide ones have a single client, `*`, which stands for the host.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from polpkg.diagnostics import Diagnostic
from polpkg.errors import PolicyError
from polpkg.packages.functions import FUNCTIONS, Holding
from polpkg.packages.names import did_you_mean

if TYPE_CHECKING:
    from polpkg.packages.instances import Instance
    from polpkg.packages.manifest import Manifest

DOM0 = "dom0"
"""The name of the owner of what nobody claims."""

DOM0_TYPE = "dom0_t"
"""The type of that owner."""

EVERY_CLIENT = "*"
"""In a claim: every client.  As a client: the host itself."""


class Owner(NamedTuple):
    """Who owns a function for a client: the type of its domain, and the instance or package as people call it.

    The type is empty for a package that takes the function away from everybody.
    """

    type: str
    name: str


_DOM0 = Owner(DOM0_TYPE, DOM0)


@dataclass(frozen=True, slots=True)
class Claims:
    """The owners of every function for every client.

    `table`: function to client to owners, complete.  `ordinary`: function to the owners for clients that no package
    treats specially, for people.  `services`: function to the owners for a domain that is nobody's guest, as domains
    that serve others are: whoever claims every client, not who was given some guest.
    """

    table: Mapping[str, Mapping[str, tuple[Owner, ...]]]
    ordinary: Mapping[str, tuple[Owner, ...]]
    services: Mapping[str, tuple[Owner, ...]]
    _owned: dict[str, dict[str, list[str]]] = field(
        default_factory=dict[str, dict[str, list[str]]], init=False, repr=False, compare=False
    )

    def owners(self, function: str, client: str) -> tuple[str, ...]:
        """The types that own `function` for the type `client`, sorted; those for services if it is nobody's guest.

        For a host-wide function the client does not matter.
        """
        return tuple(owner.type for owner in self.named_owners(function, client) if owner.type)

    def named_owners(self, function: str, client: str) -> tuple[Owner, ...]:
        """The same, with what people call them."""
        clients = self.table[function]
        return clients.get(EVERY_CLIENT) or clients.get(client) or self.services[function]

    def clients(self, function: str, owner: str) -> tuple[str, ...]:
        """The client types for which the type `owner` owns `function`, sorted."""
        owned = self._owned.get(function)
        if owned is None:
            owned = self._owned[function] = {}
            for client, owners in self.table[function].items():
                for kind in dict.fromkeys(found.type for found in owners):
                    owned.setdefault(kind, []).append(client)
        return tuple(owned.get(owner, ()))

    def is_owner(self, function: str, owner: str, client: str) -> bool:
        """Whether the type `owner` owns `function` for the type `client`."""
        return owner in self.owners(function, client)

    def summary(self) -> dict[str, str]:
        """Function to the name of its owner for ordinary clients, for people and JSON; several joined by commas."""
        return {function: ", ".join(owner.name for owner in owners) for function, owners in self.ordinary.items()}


class _Claim(NamedTuple):
    """One instance claims a function for a client, or for every client.

    `of_declarer`: the client is declared by the claiming package itself.
    """

    owner: Owner
    client: str
    of_declarer: bool

    @property
    def is_general(self) -> bool:
        return self.client == EVERY_CLIENT


class _Claims:
    """The claims on one function, found by client."""

    def __init__(self, claims: list[_Claim]) -> None:
        self._claims = claims
        self._by_client: dict[str, list[int]] = {EVERY_CLIENT: []}
        for number, claim in enumerate(claims):
            self._by_client.setdefault(claim.client, []).append(number)

    def on(self, client: str) -> list[_Claim]:
        """The claims on `client` and on every client, in the order they were made."""
        numbers = {*self._by_client[EVERY_CLIENT], *self._by_client.get(client, ())}
        return [self._claims[number] for number in sorted(numbers)]


def claims_of(packages: Iterable[tuple[Manifest, tuple[Instance, ...]]]) -> Claims:
    """The claims of all chosen packages with their instances.

    Raises `PolicyError` with every problem: `contested-client` for two claims on one client, `unknown-client` for a
    claim on a type that no package declares as a guest.
    """
    chosen = sorted(packages, key=lambda package: package[0].name)
    problems: list[Diagnostic] = []
    plain = sorted({guest for manifest, _ in chosen for guest in manifest.functions.guests})
    own = {guest for _, instances in chosen for instance in instances for guest in instance.guest_types}
    clients = sorted({*plain, *own})
    problems += _unknown_clients(chosen, clients)
    table: dict[str, dict[str, tuple[Owner, ...]]] = {}
    ordinary: dict[str, tuple[Owner, ...]] = {}
    services: dict[str, tuple[Owner, ...]] = {}
    for function, kind in FUNCTIONS.items():
        claims = _Claims(_claims_on(function, chosen))
        asked = [EVERY_CLIENT] if kind.holding is Holding.HOST_WIDE else clients
        table[function] = {client: _owners(function, client, claims.on(client), problems) for client in asked}
        general = _owners(function, EVERY_CLIENT, claims.on(EVERY_CLIENT), problems)
        found = {owner for client in plain for owner in table[function].get(client, ())}
        ordinary[function] = tuple(sorted(found)) or general
        services[function] = general if kind.holding is Holding.EXCLUSIVE else ordinary[function]
    if problems:
        raise PolicyError.of(dict.fromkeys(problems))
    return Claims(table, ordinary, services)


def _unknown_clients(chosen: Iterable[tuple[Manifest, tuple[Instance, ...]]], clients: list[str]) -> list[Diagnostic]:
    known = frozenset(clients)
    return [
        Diagnostic(
            "unknown-client",
            f"{instance} names the client `{named}`, which no package declares as a guest",
            hint=did_you_mean(named, clients),
        )
        for manifest, instances in chosen
        if manifest.functions.provides
        for instance in instances
        for named in instance.named_types
        if named not in known
    ]


def _claims_on(function: str, chosen: Iterable[tuple[Manifest, tuple[Instance, ...]]]) -> list[_Claim]:
    """What the packages that provide `function` claim."""
    claims: list[_Claim] = []
    host_wide = FUNCTIONS[function].holding is Holding.HOST_WIDE
    for manifest, instances in chosen:
        if function not in manifest.functions.provides:
            continue
        for instance in instances:
            owner = Owner(instance.domain_type if manifest.functions.is_held else "", str(instance))
            is_general = manifest.functions.clients == EVERY_CLIENT and not instance.named_types
            if host_wide or is_general:
                claims.append(_Claim(owner, EVERY_CLIENT, of_declarer=False))
            else:
                claims += (_Claim(owner, guest, of_declarer=True) for guest in instance.guest_types)
                claims += (_Claim(owner, named, of_declarer=False) for named in instance.named_types)
    return claims


def _owners(function: str, client: str, claims: list[_Claim], problems: list[Diagnostic]) -> tuple[Owner, ...]:
    """Who owns `function` for `client`, with `claims` on it: who claims it, dom0 if nobody does."""
    matching = claims
    if FUNCTIONS[function].holding is not Holding.SHARED:
        if any(claim.of_declarer for claim in matching):
            matching = [claim for claim in matching if not claim.is_general]
        problems += (_contested(function, client, matching[0].owner, rival.owner) for rival in matching[1:])
    return tuple(sorted({claim.owner for claim in matching})) or (_DOM0,)


def _contested(function: str, client: str, one: Owner, other: Owner) -> Diagnostic:
    whom = "every client" if client == EVERY_CLIENT else f"`{client}`"
    return Diagnostic(
        "contested-client",
        f"{one.name} and {other.name} both claim {function} for {whom}",
        hint="give the client to one of them, or remove one of the packages",
    )
