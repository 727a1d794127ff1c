"""Confirming the current generation: the machine booted with it, and a later one that fails comes back to it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from polpkg.errors import TargetError
from polpkg.targets.boot.known import BOOT_PATHS
from polpkg.targets.boot.set_up import with_boot_set_up
from polpkg.targets.boot.trial import Trial, read_trial
from polpkg.targets.changes import Changes
from polpkg.targets.document import digest
from polpkg.targets.generations import current_generation, is_damage, read_generation, read_state
from polpkg.targets.layout import MARKS
from polpkg.targets.marks import Marks, render_marks
from polpkg.targets.plan import Action, Plan, WriteMarks, compare_boot_configuration
from polpkg.targets.present import read_present

if TYPE_CHECKING:
    from collections.abc import Sequence

    from polpkg.targets.boot.path import BootPath
    from polpkg.targets.receipt import Receipt
    from polpkg.targets.target import Target
    from polpkg.targets.wanted import WantedState


def plan_confirmation(
    target: Target, *, force: bool = False, boot_paths: Sequence[BootPath] = BOOT_PATHS
) -> tuple[Plan, WantedState]:
    """The way to a confirmed current generation, and the state that it leads to; nothing is changed here.

    Raises TargetError: `no-generation`, `damaged-generation`, `not-what-boots` when a policy in /boot is not that of
    the generation, so that it cannot be what the machine booted with, and without `force` also `trial-failed` when
    the boot loader went back to the confirmed one.
    """
    receipt = current_generation(target)
    if receipt is None:
        raise TargetError("no-generation", f"{target.name} has no generation", hint="`polpkg install` makes the first")
    _refuse_other_policies(target, receipt)
    if not force and read_trial(target) is Trial.FAILED:
        raise TargetError(
            "trial-failed",
            f"generation {receipt.generation} was tried and not confirmed, so {target.name} boots the policy before it",
            hint="`polpkg rollback` goes back to that; --force confirms a generation that was chosen in the boot menu",
        )
    number = receipt.generation
    state = with_boot_set_up(target, read_state(target, receipt, "confirm"), number, boot_paths)
    present = read_present(target, state)
    state = replace(state, marks=Marks(present.marks.pinned, receipt.generation))
    first, last = compare_boot_configuration(state.boot, present, is_changing=True)
    actions: list[Action] = [*first, *last]
    if present.marks.confirmed != receipt.generation:
        content = render_marks(state.marks)
        before = digest(target.read(MARKS)) if target.stat(MARKS) else None
        actions.append(WriteMarks(MARKS, receipt.generation, digest(content), len(content), before))
    plan = Plan(
        "confirm",
        number,
        number,
        tuple(actions),
        Changes(),
        receipt.packages,
        receipt.functions,
        receipt.policies,
        state.boot.notes,
    )
    return plan, state


def _refuse_other_policies(target: Target, receipt: Receipt) -> None:
    for path, policy in receipt.boot_files.items():
        if target.stat(path) is None or digest(target.read(path)) != policy.sha256:
            raise TargetError(
                "not-what-boots",
                f"{path} is not the policy of generation {receipt.generation}, which therefore did not boot",
                hint="`polpkg sync` puts it back; confirm it after a boot",
            )


def is_confirmed(target: Target, receipt: Receipt, marks: Marks) -> bool:
    """Whether a generation is confirmed: it is the one that is marked, or has the same policies for all hypervisors.

    It is not when the marked generation is damaged, for then nobody can tell.
    """
    if marks.confirmed is None or marks.confirmed == receipt.generation:
        return marks.confirmed is not None
    try:
        confirmed = {policy.abi: policy.sha256 for policy in read_generation(target, marks.confirmed).policies}
    except TargetError as error:
        if is_damage(error):
            return False
        raise
    return all(confirmed.get(policy.abi) == policy.sha256 for policy in receipt.policies)
