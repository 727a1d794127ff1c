"""Which policy is in force on a host: the one that was loaded there, else the one that booted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from polpkg.errors import TargetError
from polpkg.targets.boot.firmware import can_boot_once
from polpkg.targets.boot.trial import Trial, read_trial
from polpkg.targets.confirm import is_confirmed
from polpkg.targets.generations import read_generation, read_generation_file, usable_generation
from polpkg.targets.layout import POLICYDB_FILE
from polpkg.targets.live.known_policy import KnownPolicy
from polpkg.targets.live.preflight import find_loadable
from polpkg.targets.live.record import recorded_policy
from polpkg.targets.marks import read_marks

if TYPE_CHECKING:
    from collections.abc import Iterable

    from polpkg.targets.live.running import RunningXen
    from polpkg.targets.receipt import Receipt
    from polpkg.targets.target import Target


def find_in_force(target: Target, running: RunningXen, places: Iterable[str] = ()) -> KnownPolicy | None:
    """The policy in force on `target`; None when nobody knows.

    Asked before anything changes: a policy that was only put in /boot would be taken for it.  `places`: boot files
    of the Xen that runs, for a host on which polpkg has changed nothing yet.  Raises TargetError.
    """
    recorded = recorded_policy(target, running.boot)
    if recorded is not None:
        return recorded
    receipt = usable_generation(target)
    if receipt is None:
        return next((policy for path in places if (policy := _file(target, path))), None)
    booted = _booted_generation(target, receipt)
    return None if booted is None else _of_generation(target, booted, running)


def _booted_generation(target: Target, receipt: Receipt) -> Receipt | None:
    """The generation that the boot loader took: the confirmed one while a new one waits, or was given up.

    None when nobody can tell: EFI firmware tries a new one once, and does not say afterwards whether it did.
    """
    marks, trial = read_marks(target), read_trial(target)
    if trial is None:
        tried_once = marks.confirmed is not None and can_boot_once(target)
        return None if tried_once and not is_confirmed(target, receipt, marks) else receipt
    if trial not in (Trial.STAGED, Trial.FAILED):
        return receipt
    try:
        return None if marks.confirmed is None else read_generation(target, marks.confirmed)
    except TargetError:
        return None


def _of_generation(target: Target, receipt: Receipt, running: RunningXen) -> KnownPolicy | None:
    record = find_loadable(running.version, receipt.policies)
    if record is None:
        return None
    try:
        policydb = read_generation_file(target, receipt, f"{record.place}/{POLICYDB_FILE}")
    except TargetError:
        return None
    return KnownPolicy(policydb, f"that of generation {receipt.generation}")


def _file(target: Target, path: str) -> KnownPolicy | None:
    """A boot file that somebody else wrote, when it is a policy."""
    from polpkg.errors import PolicyError

    if target.stat(path) is None:
        return None
    policy = KnownPolicy(target.read(path), path)
    try:
        _ = policy.linked
    except PolicyError:
        return None
    return policy
