"""`polpkg rollback`: a new generation with the content of an earlier one, made the same way as any other change."""

from __future__ import annotations

from typing import TYPE_CHECKING

from polpkg.ops.change import Outcome, Prepared, carry_out
from polpkg.targets.generations import current_generation
from polpkg.targets.plan import Plan, compute_plan
from polpkg.targets.present import read_present
from polpkg.targets.probe import find_hypervisors
from polpkg.targets.rollback import rollback_state

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from polpkg.ops.context import Context
    from polpkg.targets.target import Target


def rollback_target(
    context: Context,
    target: Target,
    number: int | None = None,
    *,
    project_folder: Path | None = None,
    dry_run: bool = False,
    agree: Callable[[Plan], None] = lambda _: None,
) -> Outcome:
    """Makes `target` have again what generation `number` had, by default the one before the current one.

    Nothing is resolved, linked or compiled: the generation has it all.  policy.toml and policy.lock become those of the
    generation, in the target and in `project_folder`.  Raises TargetError as `rollback_state` does.
    """

    def prepare() -> Prepared:
        return prepare_rollback(target, number)

    return carry_out(context, target, prepare, project_folder=project_folder, dry_run=dry_run, agree=agree)


def prepare_rollback(target: Target, number: int | None) -> Prepared:
    """Works out the way back without touching the target."""
    hypervisors = find_hypervisors(target, current_generation(target))
    wanted = rollback_state(target, number, hypervisors)
    return Prepared(wanted, compute_plan(wanted, read_present(target, wanted)), ())
