"""What is in force on a host that runs, and what became of the last policy that was tried there; nothing is changed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from polpkg.errors import TargetError
from polpkg.targets.live.host import find_live_host

if TYPE_CHECKING:
    from collections.abc import Iterator

    from polpkg.targets.live.host import LiveHost
    from polpkg.targets.live.known_policy import KnownPolicy
    from polpkg.targets.live.record import Last, Trial
    from polpkg.targets.live.running import RunningXen
    from polpkg.targets.receipt import PolicyRecord, Receipt
    from polpkg.targets.target import Target


@dataclass(frozen=True, slots=True)
class LiveStatus:
    """What runs on a host.

    `running`: None when it is no dom0 that can be asked, and `reason` says why.  `in_force`: what polpkg knows to be in
    force.  `wanted`: the policy of the current generation for the Xen that runs.  `trial`: the policy that is tried;
    `last`: how the last trial ended, when not well.
    """

    running: RunningXen | None = None
    reason: str = ""
    in_force: KnownPolicy | None = None
    wanted: PolicyRecord | None = None
    trial: Trial | None = None
    last: Last | None = None

    @property
    def is_current(self) -> bool | None:
        """Whether the policy in force is that of the current generation; None when nobody can tell."""
        if self.in_force is None or self.wanted is None:
            return None
        return self.in_force.sha256 == self.wanted.sha256


def read_live_status(target: Target, receipt: Receipt | None) -> LiveStatus | None:
    """What runs on `target`, whose current generation is `receipt`; None for a tree or an image.

    Raises TargetError.
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
        return LiveStatus(reason=error.message)
    return _read(host, running, receipt)


def _read(host: LiveHost, running: RunningXen, receipt: Receipt | None) -> LiveStatus:
    from polpkg.targets.live.in_force import find_in_force
    from polpkg.targets.live.preflight import find_loadable
    from polpkg.targets.live.running import Flask

    trial, last, tried = _trial(host, running)
    in_force = tried or (find_in_force(host.target, running) if running.flask is Flask.LOADED else None)
    if in_force is not None and in_force.contradiction(running):
        in_force = None
    wanted = find_loadable(running.version, receipt.policies) if receipt else None
    return LiveStatus(running, "", in_force, wanted, trial, last)


def _trial(host: LiveHost, running: RunningXen) -> tuple[Trial | None, Last | None, KnownPolicy | None]:
    """The trial under way, how the last one ended, and the policy that is known by it to be in force."""
    from polpkg.targets.live.layout import ARMED, CONFIRMED, REVERTED, STUCK
    from polpkg.targets.live.record import Last, policy_before, read_record, read_trial, tried_policy

    found = read_trial(host.target)
    if found is None:
        record = read_record(host.target)
        return None, record.last if record else None, None
    phase, trial = found
    if trial.boot != running.boot:
        return None, None if phase == CONFIRMED else Last("restart", trial.what), None
    if phase == REVERTED:
        return None, Last("reverted", trial.what), policy_before(host.target, trial)
    if phase == STUCK:
        return None, Last("stuck", trial.what), tried_policy(host.target, trial)
    return (trial if phase == ARMED else None), None, tried_policy(host.target, trial)


class LiveDrift(NamedTuple):
    """One thing in which what runs differs from the current generation: its kind, as `--json` has it, and what."""

    kind: str
    message: str


def find_live_drift(target: Target, receipt: Receipt) -> tuple[tuple[LiveDrift, ...], tuple[str, ...]]:
    """How what runs on `target` differs from its current generation, and what could not be looked at.

    Xen does not give its policy away: what was loaded is remembered, and labels and booleans must go with it.  Raises
    TargetError.
    """
    live = read_live_status(target, receipt)
    if live is None:
        return (), ()
    if live.running is None:
        return (), (f"what is in force was not looked at: {live.reason}",)
    if live.wanted is None:
        return (), (f"no policy of this generation is for Xen {live.running.version}, which runs",)
    return tuple(_live_drift(target, receipt, live, live.running, live.wanted)), ()


def _live_drift(
    target: Target, receipt: Receipt, live: LiveStatus, running: RunningXen, wanted: PolicyRecord
) -> Iterator[LiveDrift]:
    from polpkg.targets.generations import read_generation_file
    from polpkg.targets.in_use import reason_against
    from polpkg.targets.layout import POLICYDB_FILE, artifact_folder
    from polpkg.targets.live.known_policy import KnownPolicy
    from polpkg.targets.live.running import Flask

    if running.flask is not Flask.LOADED:
        yield LiveDrift("not-in-force", "no policy is in force on the Xen that runs")
        return
    if running.enforcing is False:
        yield LiveDrift("permissive-mode", "Xen is in permissive mode: what is denied is only logged")
    if not live.is_current:
        known = live.in_force.name if live.in_force else "one that polpkg does not know"
        yield LiveDrift("not-loaded", f"the policy in force is {known}, not that of generation {receipt.generation}")
    try:
        file = f"{artifact_folder(wanted.abi)}/{POLICYDB_FILE}"
        policy = KnownPolicy(read_generation_file(target, receipt, file), "")
    except TargetError:  # it is damaged, which is told elsewhere
        return
    for domain in running.domains:
        if reason := reason_against(domain.label, policy.linked):
            yield LiveDrift("label-unknown", f"{domain} runs as {domain.label}: {reason}")
    yield from _boolean_drift(running, policy)


def _boolean_drift(running: RunningXen, policy: KnownPolicy) -> Iterator[LiveDrift]:
    for name, value in sorted((running.booleans or {}).items()):
        at_boot = policy.booleans.get(name)
        if at_boot is None:
            yield LiveDrift("boolean-unknown", f"the policy in force has a boolean {name}, this generation has not")
        elif at_boot is not value:
            word, other = ("on", "off") if value else ("off", "on")
            yield LiveDrift("boolean-differs", f"boolean {name} is {word}, and {other} after a boot")


def live_document(live: LiveStatus | None) -> dict[str, Any] | None:
    """All of it as JSON values; None for a tree or an image."""
    if live is None:
        return None
    running = live.running
    return {
        "reason": live.reason or None,
        "xen": running.version if running else None,
        "flask": running.flask.value if running else None,
        "enforcing": running.enforcing if running else None,
        "in_force": live.in_force.name if live.in_force else None,
        "current": live.is_current,
        "domains": [domain._asdict() for domain in running.domains] if running else [],
        "booleans": dict(running.booleans) if running and running.booleans is not None else None,
        "trial": live.trial._asdict() if live.trial else None,
        "last": live.last._asdict() if live.last else None,
    }
