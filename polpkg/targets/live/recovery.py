"""What became of a trial that polpkg did not see the end of: the guard acted, the machine restarted, or polpkg died."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, NamedTuple

from polpkg.errors import TargetError
from polpkg.targets.generations import current_number
from polpkg.targets.journal import Direction, read_journal
from polpkg.targets.layout import GENERATIONS
from polpkg.targets.live.guard import change_phase, is_guarded, revert_now
from polpkg.targets.live.layout import (
    ARMED,
    CANDIDATE,
    CONFIRMED,
    REVERTED,
    REVERTING,
    STUCK,
    phase_path,
)
from polpkg.targets.live.record import (
    Last,
    Record,
    Trial,
    policy_before,
    read_record,
    read_trial,
    tried_policy,
    write_record,
)
from polpkg.targets.live.running import read_boot
from polpkg.targets.live.trial import bring_back, disarm
from polpkg.targets.recovery import undo

if TYPE_CHECKING:
    from polpkg.targets.live.host import LiveHost
    from polpkg.targets.target import Target

_PATIENCE = 20
"""Seconds that a guard has which is bringing the old policy back."""


class Ending(NamedTuple):
    """How a trial ended: `confirmed`, or as in `Last`; or `waits`: it has not, a person is to confirm it."""

    outcome: str
    trial: Trial


def find_waiting(host: LiveHost) -> Trial | None:
    """The trial that a person can still confirm: its guard runs, in this run of the machine.  Nothing is changed.

    Raises TargetError.
    """
    found = read_trial(host.target)
    if found is None or found[0] != ARMED or not found[1].waits or found[1].boot != read_boot(host.commands):
        return None
    return found[1] if is_guarded(host.commands) else None


def settle(host: LiveHost) -> Ending | None:
    """Bring an earlier trial to its end, unless a person is still to confirm it; None when there was none.

    Called with the target locked, before `polpkg.targets.recovery.recover`: a change of which only the trial failed is
    undone, not finished.  Raises TargetError.
    """
    found = read_trial(host.target)
    if found is None:
        return None
    phase, trial = found
    boot = read_boot(host.commands)
    is_in_place = phase == ARMED and trial.becomes > 0 and current_number(host.target) == trial.becomes
    if trial.boot != boot:  # what was in force then need not be what booted
        outcome = CONFIRMED if phase == CONFIRMED or is_in_place else "restart"
        close_trial(host.target, trial, outcome, trial.boot)
        return Ending(outcome, trial)
    if is_in_place:
        phase = CONFIRMED if change_phase(host.commands, ARMED, CONFIRMED) else phase
    if phase == ARMED and trial.waits and is_guarded(host.commands):
        return Ending("waits", trial)
    outcome = _end(host, phase)
    if outcome in ("reverted", "undone"):
        _undo(host.target, trial)
    close_trial(host.target, trial, outcome, boot)
    return Ending(outcome, trial)


def _end(host: LiveHost, phase: str) -> str:
    if phase == ARMED:
        return _take_back(host)
    if phase == REVERTING:
        return _wait_for_guard(host)
    return phase


def _take_back(host: LiveHost) -> str:
    """Do what the guard would do.  Raises TargetError `still-reverting` when it is at it and does not end."""
    return _outcome(host, bring_back(host))


def _outcome(host: LiveHost, ended: bool | None) -> str:  # noqa: FBT001 - what `bring_back` says
    if ended is None:
        message = f"{host.target.name} is bringing its old policy back, or cannot be asked about it"
        raise TargetError("still-reverting", message, hint="try again in a minute")
    return "undone" if ended else STUCK


def _wait_for_guard(host: LiveHost) -> str:
    """The guard is at work, or died in it."""
    for _ in range(_PATIENCE):
        if not is_guarded(host.commands):
            break
        time.sleep(1)
    for phase in (REVERTED, STUCK):
        if host.target.stat(phase_path(phase)):
            return phase
    return _outcome(host, revert_now(host.commands, again=True))


def _undo(target: Target, trial: Trial) -> None:
    """Take back what was put in place for a policy that is not in force any more."""
    journal = read_journal(target)
    if journal is None or journal.direction is Direction.BACK or journal.generation != trial.becomes:
        return
    undo(target, journal)


def close_trial(target: Target, trial: Trial, outcome: str, boot: str) -> None:
    """Remember how a trial ended and which policy is in force, and forget the rest.  Raises TargetError."""
    last = None if outcome == CONFIRMED else Last(outcome, trial.what, int(time.time()))
    if outcome == "restart":
        earlier = read_record(target)
        write_record(target, (earlier or Record("", "", ""))._replace(last=last))
    else:
        stays = outcome in (CONFIRMED, STUCK)
        policy = tried_policy(target, trial) if stays else policy_before(target, trial)
        if policy is None:
            write_record(target, Record("", "", "", last))
        else:
            write_record(target, Record(boot, policy.sha256, policy.name, last), policy.policydb)
    target.remove(CANDIDATE)
    disarm(target)


def current_link(target: Target) -> str:
    """Where the link `current` leads, as the guard reads it; empty before the first generation."""
    number = current_number(target)
    return "" if number is None else f"{GENERATIONS.rpartition('/')[2]}/{number}"
