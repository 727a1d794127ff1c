"""Where polpkg keeps, on a host, what belongs to the policy that is in force there.

The trial of a policy is one file that changes its name: whoever renames it decides, and only one can.

    armed       the policy is being tried; the guard brings the old one back in time
    confirmed   it stays
    reverting   the old one is being brought back
    reverted    the old one is in force again
    stuck       the old one could not be brought back
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from polpkg.targets.layout import STATE

if TYPE_CHECKING:
    from polpkg.targets.target import Target

LIVE = f"{STATE}/live"

RECORD = f"{LIVE}/record.json"
IN_FORCE = f"{LIVE}/in-force"
"""The policy in force, when polpkg loaded it or saw what booted."""

NEW = f"{LIVE}/new"
PREVIOUS = f"{LIVE}/previous"
CANDIDATE = f"{LIVE}/candidate"
"""A generation that becomes one when the trial is confirmed."""

GUARD = f"{LIVE}/guard.sh"
PULSE = f"{LIVE}/pulse"
"""The process number of the guard that has the trial."""

CONFIRMING = f"{LIVE}/confirming"
"""There while a person's confirmation is carried out: the guard gives it some time more."""

ARMED, CONFIRMED, REVERTING, REVERTED, STUCK = "armed", "confirmed", "reverting", "reverted", "stuck"
PHASES = (ARMED, CONFIRMED, REVERTING, REVERTED, STUCK)


def phase_path(phase: str) -> str:
    """The file of a trial while it is in this phase."""
    return f"{LIVE}/{phase}"


def find_phase(target: Target) -> str:
    """The phase of the trial on `target`; empty when there is none."""
    there = frozenset(target.list(LIVE))
    return next((phase for phase in PHASES if phase in there), "")
