"""What to do about a finding: the label that would fit, the domain that could do it, the package that grants it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from polpkg.policy.analysis.contexts import context_of
from polpkg.targets.xl import demands
from polpkg.targets.xl.deciding import Parties
from polpkg.targets.xl.demands import Need
from polpkg.targets.xl.guest import GuestKind

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from polpkg.policy.analysis.access import AccessDecider, Subject
    from polpkg.targets.xl.deciding import Surroundings
    from polpkg.targets.xl.devices import PciDevice, VirtualDevice

STUB_DOMAIN = "use a label whose device model the builder may be, or a stub domain"

_SHOWN = 3
"""How many names a hint offers."""


def creators(decider: AccessDecider, building: int) -> tuple[int, ...]:
    """The domains that may create guests of a type, without the hypervisor itself."""
    return tuple(n for n in decider.holders(building, "domain", "create") if n not in _hypervisor(decider))


def _hypervisor(decider: AccessDecider) -> frozenset[int]:
    policy = decider.policy
    contexts = zip(policy.abi.initial_sids, policy.initial_sids, strict=True)
    return frozenset(c.type for name, c in contexts if c is not None and name in ("xen", "xenboot"))


def for_building(stage: str, parties: Parties) -> str:
    """Who may build or run the guest instead, or which build label fits."""
    building, builder = parties.subject("building"), parties.name("builder")
    if stage == "relabel":
        guest = parties.subject("guest").type
        fitting = _names(parties, parties.decider.holders(guest, "domain", "transition"))
        return f"the build label of {parties.name('guest')} is {fitting}" if fitting else "this type has no build label"
    if building.type in _objects(parties, "builder", "domain", "create"):
        return _for_kind(parties)
    others = [n for n in creators(parties.decider, building.type) if n != parties.subject("builder").type]
    if others:
        return f"{_names(parties, others)} may: run the toolstack there"
    guest, label = parties.subject("guest"), parties.name("guest")
    if stage == "build" and building == guest and (found := _build_labels(parties)):
        return f'{label} is built under another label: init_seclabel = "{context_of(parties.policy, found)}"'
    mine = [n for n in _objects(parties, "builder", "domain", "create") if n != building.type]
    return f"{builder} may create {_names(parties, mine)}" if mine else f"{builder} may create no guest at all"


def _for_kind(parties: Parties) -> str:
    """The builder may create such guests, but not in every way."""
    pv = Parties(parties.decider, parties.subjects, GuestKind.PV)
    if not pv.missing(demands.BUILD, Need.ALWAYS):
        return 'the policy lets it build PV guests of this label only: type = "pv"'
    return "`create_domain` of xen-base grants a builder all that it needs"


def _build_labels(parties: Parties) -> str:
    """The type that may turn into the guest's."""
    found = parties.decider.holders(parties.subject("guest").type, "domain", "transition")
    return parties.policy.types[found[0]].name if found else ""


def _names(parties: Parties, numbers: Iterable[int]) -> str:
    return _listed([parties.policy.types[n].name for n in numbers])


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


def ring_servers(parties: Parties, dom0: Subject | None) -> Iterator[Subject]:
    """Domains that could serve the guest over a ring: dom0 first, then whoever may map what it grants."""
    if dom0 is not None:
        yield dom0
    for number in parties.decider.holders(parties.subject("guest").type, "grant", "map_write"):
        yield subject_with_type(parties, number)


def subject_with_type(parties: Parties, number: int) -> Subject:
    """A context with this type and the user and role of the builder."""
    return parties.subject("builder")._replace(type=number)


def for_backend(device: VirtualDevice, parties: Parties, surroundings: Surroundings) -> str:
    """Which domains may serve the device to the guest."""
    fitting = servers(device, parties)
    if not fitting:
        package, function = ("netdom", "net-backend") if device.kind == "vif" else ("stordom", "block-backend")
        return f"no domain may: choose another label, install {package}, or give an instance of vmv services={function}"
    known = [name for name, label in surroundings.backends.items() if label.split(":")[-1] in fitting]
    return f"{_listed(fitting)} may: backend={known[0] if known else 'the name of that domain'}"


def servers(device: VirtualDevice, parties: Parties) -> tuple[str, ...]:
    """The types of domains that may serve the device to the guest; those that may least else with its pages first."""
    table = (*demands.RING, *(demands.COPY_BOTH if device.kind == "vif" else ()))
    found: list[tuple[int, str]] = []
    for number in parties.decider.holders(parties.subject("guest").type, "grant", "map_write"):
        server = subject_with_type(parties, number)
        if number != parties.subject("guest").type and not parties.having(backend=server).missing(table):
            powers = parties.decider.allowed(server, parties.subject("guest"), "grant")
            found.append((len(powers), parties.policy.types[number].name))
    return tuple(name for _, name in sorted(found))


def for_model(parties: Parties) -> str:
    """Which types may be the device model of the guest."""
    guest = parties.subject("building").type
    fitting = parties.decider.holders(guest, "domain", "set_target")
    if fitting:
        return (
            f'device_model_stubdomain_seclabel = "{context_of(parties.policy, parties.policy.types[fitting[0]].name)}"'
        )
    return "no stub domain is paired with this label: `device_model` of xen-base does that"


def for_device(device: PciDevice, parties: Parties) -> str:
    """How the device would be labelled for the guest."""
    for permission in demands.ISOLATION:
        for number in _objects(parties, "guest", "resource", permission):
            name = parties.policy.types[number].name
            user = parties.policy.users[parties.subject("guest").user].name
            return f"label the device: flask-label-pci {device} {user}:object_r:{name}"
    return f"{parties.name('guest')} may use no devices at all: give them to an instance of netdom or stordom"


def _objects(parties: Parties, party: str, security_class: str, permission: str) -> tuple[int, ...]:
    return parties.decider.objects(parties.subject(party).type, security_class, permission)
