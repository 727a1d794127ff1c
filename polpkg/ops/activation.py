"""What a change means for the Xen that runs on its target, if any: worked out before, carried out with a way back.

    plan_activation    what runs, and whether the new policy is loaded now or waits for the next boot
    touched_domains    which of the domains that run it concerns

`polpkg.ops.loading` carries it out.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

from polpkg.errors import TargetError
from polpkg.targets.layout import DEVICES_UNIT, POLICYDB_FILE
from polpkg.targets.live.host import LiveHost, find_live_host

if TYPE_CHECKING:
    from collections.abc import Sequence

    from polpkg.policy.analysis.diff import RuleChange
    from polpkg.targets.devices.unit import DeviceLabel
    from polpkg.targets.live.known_policy import KnownPolicy
    from polpkg.targets.live.preflight import Load
    from polpkg.targets.live.running import RunningDomain, RunningXen
    from polpkg.targets.plan import Plan
    from polpkg.targets.target import Target
    from polpkg.targets.wanted import WantedState


class Activating(NamedTuple):
    """How a change shall come into force on a host that runs.

    `now`: at once; else at the next boot.  `confirm_within`: seconds in which a person confirms it, 0: polpkg does.
    `booleans`: those that shall have the value that they have after a boot, whatever they were set to.
    """

    now: bool = True
    confirm_within: int = 0
    booleans: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Activation:
    """What becomes of the policy in force.

    `running`: None when no Xen runs there that can be asked.  `before`: the policy in force, if known.  `load`: what
    to load; None when nothing is, and then `reason` says why: it waits for the next boot, or if `is_in_force` there is
    nothing to do.
    """

    host: LiveHost
    how: Activating
    running: RunningXen | None = None
    before: KnownPolicy | None = None
    load: Load | None = None
    reason: str = ""
    is_in_force: bool = False

    @property
    def outcome(self) -> str:
        """One word: `unchanged`, `staged`, `waiting` for a confirmation, or `loaded`."""
        if self.load is None:
            return "unchanged" if self.is_in_force else "staged"
        return "waiting" if self.how.confirm_within else "loaded"


class TouchedDomain(NamedTuple):
    """A running domain whose permissions a change touches, or those of others on it: how many come and go."""

    domain: RunningDomain
    gained: int
    lost: int


def plan_activation(target: Target, wanted: WantedState, plan: Plan, how: Activating) -> Activation | None:
    """What `plan` means for what runs on `target`; None when nothing runs there: a tree or an image.

    Nothing is changed.  Raises TargetError: `label-in-use`, `late-with-domains`, and when the host cannot be asked.
    """
    host = find_live_host(target)
    if host is None:
        return None
    from polpkg.targets.live.running import read_running

    try:
        running = read_running(host.commands)
    except TargetError as error:
        if error.code != "not-a-dom0":
            raise
        return Activation(host, how, reason=error.message)
    return _plan(Activation(host, how, running), running, wanted, plan)


def _plan(begun: Activation, running: RunningXen, wanted: WantedState, plan: Plan) -> Activation:
    from polpkg.targets.live.in_force import find_in_force
    from polpkg.targets.live.known_policy import KnownPolicy
    from polpkg.targets.live.preflight import changed_booleans, check_late, find_loadable, plan_load, why_not_now
    from polpkg.targets.live.running import Flask

    record = find_loadable(running.version, plan.policies)
    places = [boot.path for boot in record.boot_files] if record else []
    before = find_in_force(begun.host.target, running, places) if running.flask is Flask.LOADED else None
    begun = replace(begun, before=before)
    if record is None:
        return replace(begun, reason=f"none of its policies is for Xen {running.version}, which runs")
    artifact = next(each for each in wanted.artifacts if each.abi_fingerprint == record.abi)
    new = KnownPolicy(artifact.files[POLICYDB_FILE], f"that of generation {plan.generation}")
    asked, target = begun.how.booleans, begun.host.target
    devices = present_devices(target, labels_in(wanted.system.get(DEVICES_UNIT, b"")))
    stays = not changed_booleans(running, before, new, asked) and set(devices) == set(labelled_devices(target))
    if _is_in_force(before, new, running) and stays:
        return replace(begun, is_in_force=True, reason="the policy is in force")
    if not begun.how.now:
        return replace(begun, reason="as it was asked for (--no-activate)")
    check_late(running)
    if reason := why_not_now(running, before, new):
        return replace(begun, reason=reason)
    return replace(begun, load=plan_load(running, before, new, devices, asked))


def _is_in_force(before: KnownPolicy | None, new: KnownPolicy, running: RunningXen) -> bool:
    return before is not None and before.sha256 == new.sha256 and not before.contradiction(running)


def labels_in(unit: bytes) -> tuple[DeviceLabel, ...]:
    """What a unit that labels devices gives."""
    from polpkg.targets.devices.function import parse_address
    from polpkg.targets.devices.unit import DeviceLabel, read_device_labels

    found = read_device_labels(unit.decode("utf-8", "replace"))
    parsed = ((parse_address(text), context) for text, context in found.items())
    return tuple(DeviceLabel(address, context) for address, context in parsed if address is not None)


def present_devices(target: Target, labels: Sequence[DeviceLabel]) -> tuple[DeviceLabel, ...]:
    """Those of devices that are there: the others cannot be labelled, now or before."""
    return tuple(each for each in labels if target.stat(f"/sys/bus/pci/devices/{each.address}"))


def labelled_devices(target: Target) -> tuple[DeviceLabel, ...]:
    """The devices that are there and have labels now: what the unit of the current generation gave them."""
    unit = target.read(DEVICES_UNIT) if target.stat(DEVICES_UNIT) else b""
    return present_devices(target, labels_in(unit))


def touched_domains(activation: Activation) -> tuple[TouchedDomain, ...]:
    """The running domains that a load touches, by number: the policy in force beside the one that is loaded."""
    load, running = activation.load, activation.running
    if load is None or load.before is None or running is None:
        return ()
    from polpkg.policy.analysis.diff import diff_policies

    rules = diff_policies(load.before.linked, load.new.linked).allow
    counted = (
        TouchedDomain(domain, *(_count(changes, domain.type_name) for changes in (rules.added, rules.removed)))
        for domain in running.domains
    )
    return tuple(each for each in counted if each.gained or each.lost)


def _count(changes: Sequence[RuleChange], type_name: str) -> int:
    return sum(len(change.permissions) for change in changes if type_name in (change.source, change.target))


def activation_document(activation: Activation) -> dict[str, Any]:
    """All that is known of an activation, as JSON values."""
    running, load = activation.running, activation.load
    return {
        "outcome": activation.outcome,
        "reason": activation.reason or None,
        "xen": running.version if running else None,
        "flask": running.flask.value if running else None,
        "in_force": activation.before.name if activation.before else None,
        "confirm_within": activation.how.confirm_within or None,
        "domains": [domain._asdict() for domain in running.domains] if running else [],
        "touched": [
            {**each.domain._asdict(), "gained": each.gained, "lost": each.lost} for each in touched_domains(activation)
        ],
        "booleans": dict(load.booleans) if load else {},
        "booleans_kept": dict(load.kept) if load else {},
        "devices": {str(each.address): each.context for each in load.devices} if load else {},
        "notes": list(load.notes) if load else [],
    }
