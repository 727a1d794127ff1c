"""Carrying a change out that was worked out: the way that every change of a target takes, whatever began it.

lock -> finish what was interrupted -> prepare -> what runs there -> ask -> apply, or try and apply
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from polpkg.errors import TargetError
from polpkg.ops.project_files import ProjectFiles
from polpkg.targets.generations import current_generation, usable_generation

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from polpkg.diagnostics import Diagnostic
    from polpkg.ops.activation import Activating, Activation
    from polpkg.ops.context import Context
    from polpkg.ops.review import PolicyReview
    from polpkg.targets.boot.path import BootOnce
    from polpkg.targets.plan import Plan
    from polpkg.targets.receipt import Receipt
    from polpkg.targets.target import Target
    from polpkg.targets.wanted import WantedState


class Prepared(NamedTuple):
    """A change that is ready to be applied: what is wanted, the way there, and what a person should know.

    `overrides`: those of policy.toml that the lock was made with, name to specifier.
    """

    wanted: WantedState
    plan: Plan
    warnings: tuple[Diagnostic, ...]
    overrides: Mapping[str, str]


class Outcome(NamedTuple):
    """What became of a change: the plan, and the receipt of the generation that is current now.

    `receipt` is None when nothing was applied, because it was a dry run or the target has nothing yet.  `overrides` are
    as in `Prepared`.  `reviews`, after a dry run: what the new policies allow that the old ones do not.  `activation`:
    what it means for what runs on the target; None when that is a tree or an image.
    """

    plan: Plan
    receipt: Receipt | None
    warnings: tuple[Diagnostic, ...]
    overrides: Mapping[str, str]
    reviews: tuple[PolicyReview, ...] = ()
    activation: Activation | None = None

    @property
    def has_work(self) -> bool:
        """Whether there was anything to do."""
        return not self.plan.is_empty or (self.activation is not None and self.activation.load is not None)

    @property
    def waits(self) -> bool:
        """Whether the change is in force, but only becomes a generation when a person confirms it."""
        return self.activation is not None and self.activation.outcome == "waiting"


class Proposal(NamedTuple):
    """A change that a person is to agree to; `review` works out what it newly allows."""

    plan: Plan
    activation: Activation | None
    review: Callable[[], tuple[PolicyReview, ...]]


def carry_out(
    context: Context,
    target: Target,
    prepare: Callable[[], Prepared],
    *,
    project_folder: Path | None,
    dry_run: bool,
    agree: Callable[[Proposal], None],
    how: Activating | None = None,
) -> Outcome:
    """Makes the change that `prepare` works out, which is called with the target locked.

    `how` it comes into force on a host that runs; at once by default.  The rest as in `change_target`.
    """
    from polpkg.ops.loading import check_not_waiting, finish_interrupted

    if dry_run:
        check_not_waiting(target)
        prepared = prepare()
        activation = _activation(target, prepared, how)
        told = (prepared.plan, None, prepared.warnings, prepared.overrides)
        return Outcome(*told, _reviews(target, prepared), activation)
    with target.lock(context.tell):
        finish_interrupted(context, target)
        prepared = prepare()
        activation = _activation(target, prepared, how)
        receipt = _commit(context, target, prepared, project_folder, agree, activation)
    outcome = Outcome(prepared.plan, receipt, prepared.warnings, prepared.overrides, activation=activation)
    _follow(context, prepared, outcome, project_folder)
    return outcome


def _activation(target: Target, prepared: Prepared, how: Activating | None) -> Activation | None:
    from polpkg.ops.activation import Activating, plan_activation

    return plan_activation(target, prepared.wanted, prepared.plan, how or Activating())


def _reviews(target: Target, prepared: Prepared) -> tuple[PolicyReview, ...]:
    from polpkg.ops.review import review_change

    return review_change(target, usable_generation(target), prepared.wanted, prepared.plan)


def _commit(
    context: Context,
    target: Target,
    prepared: Prepared,
    project_folder: Path | None,
    agree: Callable[[Proposal], None],
    activation: Activation | None,
) -> Receipt | None:
    """Asks plugins and the person, and applies; the receipt of the current generation.

    Raises TargetError `vetoed` when a plugin refuses the plan.
    """
    plan = prepared.plan
    if plan.is_empty and (activation is None or activation.load is None):
        return current_generation(target)
    refusals, warnings = context.plugins.plan_ready(plan)
    context.warn(warnings)
    if refusals:
        reasons = "; ".join(f"{r.distribution}: {r.veto.reason}" for r in refusals)
        raise TargetError("vetoed", f"a plugin refuses this change: {reasons}", hint=refusals[0].veto.hint)
    if project_folder is not None:
        ProjectFiles(project_folder).check_writable(prepared.wanted.project, prepared.wanted.lock)
    agree(Proposal(plan, activation, lambda: _reviews(target, prepared)))
    return _bring_about(context, target, prepared, activation)


def _follow(context: Context, prepared: Prepared, outcome: Outcome, project_folder: Path | None) -> None:
    """What comes after a change, once the lock is let go: before that, an image still is what it was."""
    if prepared.plan.is_empty:
        return
    if project_folder is not None:
        ProjectFiles(project_folder).write(prepared.wanted.project, prepared.wanted.lock)
    if outcome.receipt is not None:
        context.warn(context.plugins.generation_committed(outcome.receipt))


def tell_firmware(context: Context, target: Target, once: Sequence[BootOnce]) -> None:
    """Have the firmware try what is new at the next boot; when it cannot, that takes the confirmed policy."""
    from polpkg.targets.live.host import find_live_host

    host = find_live_host(target) if once else None
    if host is None:
        return
    from polpkg.diagnostics import Diagnostic, Severity
    from polpkg.targets.boot.firmware import boot_once

    for each in once:
        try:
            boot_once(host.commands, each)
        except TargetError as error:
            hint = f"start `{each.arguments}` in the EFI shell to try the new one"
            message = f"the next boot takes the confirmed policy: {error.message}"
            context.warn([Diagnostic("not-tried-at-boot", message, hint=hint, severity=Severity.WARNING)])


def _bring_about(context: Context, target: Target, prepared: Prepared, activation: Activation | None) -> Receipt | None:
    from polpkg.targets.apply import apply_plan

    plan, wanted = prepared.plan, prepared.wanted

    def apply() -> Receipt | None:
        if plan.is_empty:
            return current_generation(target)
        receipt = apply_plan(target, plan, wanted)
        tell_firmware(context, target, wanted.boot.once)
        return receipt

    if activation is None:
        return apply()
    from polpkg.ops.loading import activate

    return activate(context, activation, plan, wanted, apply)
