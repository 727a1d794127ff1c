"""`polpkg refit`: the policies of a target made to fit its hypervisors, after Xen itself was upgraded there.

What package managers call when files in /boot changed: nothing is resolved or fetched, and nothing happens unless a
hypervisor is new, gone or another one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from polpkg.diagnostics import Diagnostic
from polpkg.errors import PolpkgError
from polpkg.targets.generations import current_generation
from polpkg.targets.recovery import is_interrupted
from polpkg.targets.verify import hypervisor_drift

if TYPE_CHECKING:
    from collections.abc import Sequence

    from polpkg.ops.carrying_out import Outcome
    from polpkg.ops.context import Context
    from polpkg.targets.boot.path import BootPath
    from polpkg.targets.target import Target
    from polpkg.targets.verify import Drift


class Refit(NamedTuple):
    """What had changed, and what became of it; `outcome` is None when there was nothing to do."""

    found: tuple[Drift, ...] = ()
    outcome: Outcome | None = None


def refit_target(context: Context, target: Target) -> Refit:
    """Compiles and places the locked policy for every hypervisor that `target` has now.

    Raises what a change raises, with one more diagnostic that names the hypervisors which no policy fits: the target is
    then as it was, and an entry of polpkg's boots none of them.
    """
    receipt = current_generation(target)
    is_unfinished = is_interrupted(target)
    found = tuple(hypervisor_drift(target, receipt)) if receipt else ()
    if not found and not is_unfinished:
        return Refit()
    from polpkg.ops.activation import Activating
    from polpkg.ops.change import ChangeRequest, change_target

    try:
        outcome = change_target(context, target, ChangeRequest(action="refit", locked=True), how=Activating(now=False))
    except PolpkgError as error:
        unfit = Diagnostic("unfit-hypervisors", _what_is_unfit(target, context.boot_paths()))
        raise type(error).of((*error.diagnostics, unfit)) from error
    return Refit(found, outcome)


def _what_is_unfit(target: Target, boot_paths: Sequence[BootPath]) -> str:
    """The hypervisors that would refuse the policy which is in place for them, for a person to see at once."""
    from polpkg.ops.probe import probe_target

    probed = probe_target(target, boot_paths).hypervisors
    unfit = [each.file.path for each in probed if each.policy is None or not each.policy.fits]
    if not unfit:
        return "nothing was changed; the policies in place fit all hypervisors"
    return f"nothing was changed, and NO POLICY FITS {', '.join(unfit)}: do not boot that before this is mended"
