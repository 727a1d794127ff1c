"""`polpkg functions`: who owns what, what a domain still holds on others and why, what giving a function away takes."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, NamedTuple

from polpkg.errors import UsageError
from polpkg.ops.installed_packages import read_installed_packages
from polpkg.ops.policies import find_generation, read_installed_policy
from polpkg.packages.claims import DOM0, DOM0_TYPE, EVERY_CLIENT, Owner
from polpkg.packages.functions import FUNCTIONS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from polpkg.ops.context import Context
    from polpkg.ops.installed_packages import InstalledPackages
    from polpkg.packages.claims import Claims
    from polpkg.policy.analysis.holdings import Holding
    from polpkg.policy.analysis.view import PolicyView
    from polpkg.policy.ir.linked import LinkedPolicy
    from polpkg.targets.target import Target

CHANNEL = "_channel"
"""What the label of a domain's event channel endpoints ends in."""

_LABELS = {"": "client", CHANNEL: "client-channel", "_target": "client-target", "_building": "client-building"}
"""What others see of a domain: itself, its channels, itself as its device model sees it, itself while it is built."""

_HOST_SIDS = ("xen", "domxen", "domio", "security")
_DEVICES = "resource_type"

_MEMORY = frozenset({("mmu", "map_read"), ("mmu", "map_write")})


class Served(NamedTuple):
    """A domain that others own functions for, and what the holder holds on it under all its labels.

    `package`: where it comes from.  `owners`: of every function that is not host-wide.
    """

    type: str
    package: str
    owners: Mapping[str, tuple[Owner, ...]]
    holdings: tuple[Holding, ...]


@dataclass(frozen=True, slots=True)
class FunctionsReport:
    """What the compiled policy of a generation says about functions.

    `holder`: whose holdings these are.  `others`: the versions of Xen that the generation has other policies for.
    `owners`: function to its owner for ordinary clients.  `host`: what the holder holds on the hypervisor, the policy
    and devices.  `ordinary`: those of its holdings that every domain has, or dom0 whatever it owns.  `gives_up`: what
    it would lose with each function that it owns, by function.  `residuals`: what no policy takes away, as sentences.
    """

    holder: Owner
    generation: int
    xen: str
    abi: str
    others: tuple[str, ...]
    owners: Mapping[str, str]
    host_owners: Mapping[str, tuple[Owner, ...]]
    clients: tuple[Served, ...]
    host: tuple[Holding, ...]
    ordinary: frozenset[Holding]
    gives_up: Mapping[str, tuple[Holding, ...]]
    residuals: tuple[str, ...]


def report_functions(
    context: Context, target: Target, generation: int | None = None, *, xen: str = "", holder: str = DOM0
) -> FunctionsReport:
    """The report on a generation, by default the current one.

    `xen` chooses among several policies, `holder` is an owner by name or type.  Raises TargetError when nothing is
    installed, UsageError `unknown-owner`, and what fetching the packages raises.
    """
    receipt = find_generation(target, generation)
    read = read_installed_policy(target, receipt.generation, xen)
    installed = read_installed_packages(context, target, receipt)
    policy, claims = read.view.policy, installed.claims
    who = _find_holder(claims, policy, holder)
    clients, host = _find_all(read.view, installed, claims, who)
    everything = [holding for served in clients for holding in served.holdings] + list(host)
    owned = sorted({function for held in everything for function in held.functions})
    versions = {record.abi: record.xen_version for record in receipt.policies}
    chosen = policy.abi.fingerprint
    return FunctionsReport(
        holder=who,
        generation=receipt.generation,
        xen=versions.get(chosen, policy.abi.version),
        abi=chosen,
        others=tuple(version for abi, version in versions.items() if abi != chosen),
        owners=claims.summary(),
        host_owners={name: claims.named_owners(name, EVERY_CLIENT) for name in FUNCTIONS if _is_host(name)},
        clients=clients,
        host=host,
        ordinary=frozenset(_ordinary(who, everything, policy)),
        gives_up={name: tuple(held for held in everything if held.is_lost_without((name,))) for name in owned},
        residuals=(*_permissive(policy), *_residuals(who, clients, host)),
    )


def labels_of(client: str) -> tuple[str, ...]:
    """The types under which others see a domain; it need not have all of them."""
    return tuple(f"{client}{suffix}" for suffix in _LABELS)


def _is_host(function: str) -> bool:
    from polpkg.packages.functions import Holding

    return FUNCTIONS[function].holding is Holding.HOST_WIDE


def _find_holder(claims: Claims, policy: LinkedPolicy, holder: str) -> Owner:
    """The owner that is called so, by its name, its type, or that of any domain of the policy."""
    owners = {Owner(DOM0_TYPE, DOM0)}
    owners |= {owner for clients in claims.table.values() for found in clients.values() for owner in found}
    for owner in sorted(owners):
        if holder in owner:
            return owner
    if policy.number_of_type(holder) >= 0:
        return Owner(holder, holder)
    close = get_close_matches(holder, [owner.name for owner in owners], 1)
    hint = f"did you mean `{close[0]}`?" if close else f"owners: {', '.join(sorted(o.name for o in owners))}"
    raise UsageError("unknown-owner", f"nobody called `{holder}` owns a function here", hint=hint)


def _find_all(
    view: PolicyView, installed: InstalledPackages, claims: Claims, who: Owner
) -> tuple[tuple[Served, ...], tuple[Holding, ...]]:
    """What the holder has on every other domain and on the host, found in one pass over the rules."""
    from polpkg.policy.analysis.holdings import find_holdings

    served = {t: package for t, package in _served_types(installed) if t != who.type}
    host = tuple(_host_labels(view.policy))
    labels = {t: labels_of(t) for t in served}
    targets = [*host, *(label for found in labels.values() for label in found)]
    found = find_holdings(view, (who.type, f"{who.type}{CHANNEL}"), targets)
    clients = tuple(
        _served(client, package, claims, who, [held for label in labels[client] for held in found.get(label, ())])
        for client, package in served.items()
        if view.policy.number_of_type(client) >= 0
    )
    owned = {name for name in FUNCTIONS if who in claims.named_owners(name, EVERY_CLIENT)}
    owned |= {name for each in clients for name, owners in each.owners.items() if who in owners}
    return clients, tuple(held.with_owned(owned) for label in host for held in found.get(label, ()))


def _served(client: str, package: str, claims: Claims, who: Owner, found: list[Holding]) -> Served:
    owners = {name: claims.named_owners(name, client) for name in FUNCTIONS if not _is_host(name)}
    owned = {name for name, holders in owners.items() if who in holders}
    return Served(client, package, owners, tuple(held.with_owned(owned) for held in found))


def _served_types(installed: InstalledPackages) -> Iterator[tuple[str, str]]:
    """Guests and the domains of instances, each with its package."""
    for manifest, instances in installed.packages:
        for guest in manifest.functions.guests:
            yield guest, manifest.name
        for instance in instances:
            if manifest.instance is not None:
                yield instance.domain_type, str(instance)
            for guest in instance.guest_types:
                yield guest, str(instance)


def _host_labels(policy: LinkedPolicy) -> dict[str, str]:
    """The types of the hypervisor, its pseudo-domains, the policy, and of every device, with the kind of each."""
    from polpkg.policy.ir.linked import bits

    found: dict[str, str] = {}
    for sid, context in zip(policy.abi.initial_sids, policy.initial_sids, strict=True):
        if sid in _HOST_SIDS and context is not None:
            found.setdefault(policy.types[context.type].name, sid)
    number = policy.number_of_type(_DEVICES)
    devices = bits(policy.expand(number)) if number >= 0 else ()
    return found | {policy.types[n].name: "device" for n in devices}


def _ordinary(who: Owner, holdings: Iterable[Holding], policy: LinkedPolicy) -> Iterator[Holding]:
    """Those holdings that no function explains and that belong to ordinary life by the table of powers."""
    from polpkg.policy.powers import ORDINARY, Access, functions_with

    kinds = _host_labels(policy)
    subjects = ("domain", DOM0) if who.type == DOM0_TYPE else ("domain",)
    for held in holdings:
        kind = "any-channel" if held.target.endswith(CHANNEL) else kinds.get(held.target, "client")
        found = (Access(subject, kind, held.security_class, held.permission) for subject in subjects)
        if not held.functions and any(ORDINARY in functions_with(access) for access in found):
            yield held


def _permissive(policy: LinkedPolicy) -> Iterator[str]:
    names = [symbol.name for symbol in policy.types if symbol.permissive]
    if names:
        yield f"{_some(names)} may do anything, whatever rules say: the policy is permissive for it."


def _residuals(who: Owner, clients: Iterable[Served], host: Iterable[Holding]) -> Iterator[str]:
    """What the holder can do all the same: what FLASK does not check, and what some permissions imply."""
    reached = [c.type for c in clients if any(_maps(held, c.type) for held in c.holdings)]
    building = [c.type for c in clients if any(_maps(held, f"{c.type}_building") for held in c.holdings)]
    if reached:
        yield f"{who.name} reaches all memory of {_some(reached)}: it needs no grant of theirs, and can change them."
    if building:
        yield f"{who.name} reaches the memory of {_some(building)} while it builds them."
    if any((held.security_class, held.permission) == ("security", "load_policy") for held in host):
        yield f"{who.name} may load another policy: what this one forbids holds for as long as it does not."
    if who.type == DOM0_TYPE:
        yield (
            "The hypervisor gives dom0 the memory and ports of all devices at boot and does not ask FLASK; "
            "it refuses dom0 only the assignment of devices and their interrupts."
        )


def _maps(held: Holding, target: str) -> bool:
    return held.target == target and (held.security_class, held.permission) in _MEMORY


def _some(names: list[str]) -> str:
    shown = ", ".join(names[:4])
    return shown if len(names) <= 4 else f"{shown} and {len(names) - 4:,} more"
