"""Trying a policy on a running Xen: it is loaded under guard, looked at through a new connection, and stays or goes.

arm       the old policy, the new one and the guard are on disk, and the guard runs
load      Xen takes the new policy, or refuses it and keeps the old one
settle    booleans whose value at boot changed are set, and devices get their labels again
look      domains, labels and booleans are as they should be
confirm   one rename, after which the guard leaves the new policy alone
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from polpkg.errors import ApplyError, HostError, TargetError
from polpkg.targets.live.guard import change_phase, render_guard, revert_now, start_guard
from polpkg.targets.live.layout import (
    ARMED,
    CONFIRMED,
    CONFIRMING,
    GUARD,
    NEW,
    PHASES,
    PREVIOUS,
    PULSE,
    REVERTED,
    STUCK,
    find_phase,
    phase_path,
)
from polpkg.targets.live.record import Trial, render_trial
from polpkg.targets.live.running import Flask, read_booleans, read_domains

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from polpkg.targets.devices.unit import DeviceLabel
    from polpkg.targets.host.commands import Commands
    from polpkg.targets.live.host import LiveHost
    from polpkg.targets.live.preflight import Load
    from polpkg.targets.live.running import RunningXen
    from polpkg.targets.target import Target

    Say = Callable[[str], None]

LOOKING = 120
"""Seconds that polpkg has to look at what it loaded, and to put the rest in place, before the guard acts."""

_LOADERS = (("xl", "loadpolicy"), ("flask-loadpolicy",))
_NOT_FOUND = 127
_KILLED = range(128, 192)
"""How a shell says that a signal ended a program: nobody knows whether it had loaded the policy before."""

_GRACE = 30
"""Seconds that the host has beyond the time of the guard to load the old policy."""

_BETWEEN = 2.0
"""Seconds between two attempts to reach a host that is cut off."""

_TURN = 0.5
"""Seconds between two looks at what the guard does."""

_TOLD = 4
"""How many lines of Xen's log an error has."""


def try_policy(
    host: LiveHost,
    running: RunningXen,
    load: Load,
    trial: Trial,
    current: str,
    labelled: Sequence[DeviceLabel],
    say: Say,
) -> None:
    """Load a policy and look at what became of it; afterwards the trial is armed, and the guard waits.

    `current`: where the link `current` leads, which ends the trial when it changes.  `labelled`: the devices that have
    labels now.  Raises TargetError `no-guard` before anything is loaded, and ApplyError when the old policy is in
    force again: `load-refused`, `probe-failed`; `revert-failed` when it could not be brought back.
    """
    _arm(host, running, load, trial, current, labelled)
    try:
        log = _log(host.commands)
        if reason := _load(host.commands):
            disarm(host.target)
            raise _refused(host, reason, log)
        again = host.connect()
        wrong = [*_settle(again.commands, load), *find_wrong(again.commands, running, load)]
        if not wrong and again.target.stat(phase_path(ARMED)) is None:
            wrong = [f"to look at it took longer than {trial.seconds} seconds"]
    except TargetError as error:  # the new policy may be what cut the connection
        unreachable = isinstance(error, HostError)
        wrong = [f"{host.target.name} cannot be reached any more: {error.message}" if unreachable else error.message]
    if wrong:
        raise take_back(host, trial, wrong, say)


def _arm(
    host: LiveHost, running: RunningXen, load: Load, trial: Trial, current: str, labelled: Sequence[DeviceLabel]
) -> None:
    target = host.target
    before = load.before
    booleans = running.booleans or {}
    guard = render_guard(
        trial.seconds, current, previous=before is not None, booleans=booleans, devices=tuple(labelled)
    )
    disarm(target)
    target.write(NEW, load.new.policydb)
    if before is not None:
        target.write(PREVIOUS, before.policydb)
    target.write(GUARD, guard)
    target.write(phase_path(ARMED), render_trial(trial))
    try:
        start_guard(host.commands)
    except TargetError:
        disarm(target)
        raise


def disarm(target: Target) -> None:
    """Forget the trial: the guard, if it runs, sees that and ends.  Raises TargetError."""
    for phase in PHASES:
        target.remove(phase_path(phase))
    target.remove(PULSE)
    target.remove(CONFIRMING)


def _load(commands: Commands) -> str:
    """Load the new policy; why it was not loaded, empty when it was."""
    said = "neither xl nor flask-loadpolicy is there"
    for loader in _LOADERS:
        done = commands.run([*loader, NEW])
        if done.status == 0:
            return ""
        if done.status in _KILLED:
            raise TargetError("loader-killed", f"{' '.join(loader)} was ended by signal {done.status - 128}")
        if done.status != _NOT_FOUND:
            return " ".join(done.errors.decode("utf-8", "replace").split()) or f"status {done.status}"
    return said


def _settle(commands: Commands, load: Load) -> Iterator[str]:
    """Set what a load leaves as it was, and label what it forgot; what did not work."""
    for name, value in sorted(load.booleans.items()):
        done = commands.run(["flask-set-bool", name, str(int(value))])
        if done.status != 0:
            yield f"boolean {name} cannot be set: {_said(done.errors)}"
    for address, context in load.devices:
        done = commands.run(["flask-label-pci", str(address), context])
        if done.status != 0:
            yield f"PCI device {address} cannot be labelled {context}: {_said(done.errors)}"


def find_wrong(commands: Commands, before: RunningXen, load: Load) -> list[str]:
    """What is not as it should be with the new policy in force, in words.  Raises TargetError."""
    domains = {domain.number: domain for domain in read_domains(commands)}
    wrong = [] if ":" in domains[0].label else [f"domain 0 has no label but {domains[0].label}"]
    for domain in before.domains:
        now = domains.get(domain.number)
        if now is None:
            if _is_in_store(commands, domain.number):
                wrong.append(f"{domain} cannot be seen any more")
        elif now.label != domain.label and before.flask is Flask.LOADED:
            wrong.append(f"{domain} was labelled {domain.label}, and is {now.label} now")
    return [*wrong, *_wrong_booleans(read_booleans(commands), load)]


def _is_in_store(commands: Commands, number: int) -> bool:
    """Whether a domain that is not listed is there all the same, and has not just ended: the store knows its name."""
    return commands.run(["xl", "domname", str(number)]).status == 0


def _wrong_booleans(found: dict[str, bool] | None, load: Load) -> Iterator[str]:
    if found is None:
        return
    if odd := sorted(set(found) ^ set(load.new.booleans)):
        yield f"the booleans in force are not those of the new policy: {', '.join(odd)}"
    for name, value in sorted(load.booleans.items()):
        if found.get(name, value) is not value:
            yield f"boolean {name} does not have its new value"


def confirm_trial(host: LiveHost) -> bool:
    """Let the new policy stay; False when the guard was faster, and the old one is in force again."""
    return change_phase(host.commands, ARMED, CONFIRMED) or host.target.stat(phase_path(CONFIRMED)) is not None


def take_back(host: LiveHost, trial: Trial, reasons: Sequence[str], say: Say) -> ApplyError:
    """Bring the old policy back and return the error that says why.

    When nothing gets through, the host does it alone; that is waited for.
    """
    why, name = "; ".join(reasons), host.target.name
    ended = bring_back(host)
    if ended is None:
        say(f"nothing gets through to {name}: waiting until it takes its old policy back by itself")
        ended = _wait_for_host(host, trial.seconds + _GRACE)
    if ended:
        return ApplyError("probe-failed", f"the new policy was taken back: {why}; {name} runs the old one")
    told = "it could not take its old policy back" if ended is False else "nobody can tell what it runs now"
    return ApplyError(
        "revert-failed",
        f"the new policy is not good: {why}; and of {name}, {told}",
        hint="what it boots was not changed; `polpkg status` tells more once it can be reached",
    )


def bring_back(host: LiveHost) -> bool | None:
    """Bring the old policy back now; whether it is in force again, None when nothing gets through.  Never raises."""
    for connect in (lambda: host, host.connect):
        try:
            at = connect()
            ended = revert_now(at.commands)
            return _wait_for_guard(at.target) if ended is None else ended
        except TargetError:  # this connection is gone; the next one is a new one
            continue
    return None


def _wait_for_host(host: LiveHost, seconds: int) -> bool | None:
    """What the guard did, once something gets through again."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        time.sleep(_BETWEEN)
        try:
            return _wait_for_guard(host.connect().target, end)
        except TargetError:  # not yet
            continue
    return None


def _wait_for_guard(target: Target, end: float = 0.0) -> bool | None:
    """Whether the guard, which has taken the matter over, brought the old policy back; None when it does not end.

    When there is no trial, nothing was loaded that would have to be taken back.  Raises TargetError.
    """
    end = end or time.monotonic() + _GRACE
    missing = 0
    while True:
        for phase, ended in ((REVERTED, True), (STUCK, False)):
            if target.stat(phase_path(phase)) is not None:
                return ended
        if not find_phase(target):  # a name that is changed just now may be missing once
            missing += 1
        if missing > 1:
            return True
        if time.monotonic() > end:
            return None
        time.sleep(_TURN)


def _refused(host: LiveHost, reason: str, before: str) -> ApplyError:
    """Xen's own words are in its log: `xl` says "Operation not permitted" to whatever was wrong."""
    log = _log(host.commands)
    fresh = log.removeprefix(before)
    lines = [" ".join(line.split()) for line in fresh.splitlines() if "avc:" in line or "lask" in line]
    told = f"; the log of Xen says: {' / '.join(lines[-_TOLD:])}" if lines else "; the log of Xen does not say why"
    hint = '"Operation not permitted" is what xl says to every refused policy, not only to a missing permission'
    message = f"Xen refuses the policy ({reason}){told}; {host.target.name} is as it was"
    return ApplyError("load-refused", message, hint=hint)


def _log(commands: Commands) -> str:
    done = commands.run(["xl", "dmesg"])
    return done.output.decode("utf-8", "replace") if done.status == 0 else ""


def _said(errors: bytes) -> str:
    return " ".join(errors.decode("utf-8", "replace").split()) or "it does not say why"
