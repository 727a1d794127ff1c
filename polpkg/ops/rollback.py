"""`polpkg rollback`: a new generation with the content of an earlier one, made the same way as any other change."""

from __future__ import annotations

from typing import TYPE_CHECKING

from polpkg.errors import PolicyError
from polpkg.ops.carrying_out import Outcome, Prepared, carry_out
from polpkg.targets.boot.known import BOOT_PATHS
from polpkg.targets.boot.set_up import with_boot_set_up
from polpkg.targets.generations import current_generation
from polpkg.targets.plan import DEFAULT_KEEP, compute_plan
from polpkg.targets.present import read_present
from polpkg.targets.probe import find_hypervisors
from polpkg.targets.rollback import rollback_state

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from polpkg.ops.activation import Activating
    from polpkg.ops.carrying_out import Proposal
    from polpkg.ops.context import Context
    from polpkg.targets.boot.path import BootPath
    from polpkg.targets.present import PresentState
    from polpkg.targets.target import Target
    from polpkg.targets.wanted import WantedState


def rollback_target(
    context: Context,
    target: Target,
    number: int | None = None,
    *,
    project_folder: Path | None = None,
    dry_run: bool = False,
    agree: Callable[[Proposal], None] = lambda _: None,
    how: Activating | None = None,
) -> Outcome:
    """Makes `target` have again what generation `number` had; see `rollback_state` for the default.

    Nothing is resolved, linked or compiled: the generation has it all.  policy.toml and policy.lock become those of the
    generation, in the target and in `project_folder`.  Raises TargetError as `rollback_state` does.
    """

    def prepare() -> Prepared:
        return prepare_rollback(target, number, context.boot_paths())

    return carry_out(context, target, prepare, project_folder=project_folder, dry_run=dry_run, agree=agree, how=how)


def prepare_rollback(target: Target, number: int | None, boot_paths: Sequence[BootPath] = BOOT_PATHS) -> Prepared:
    """Works out the way back without touching the target."""
    hypervisors = find_hypervisors(target, current_generation(target))
    wanted = with_boot_set_up(target, rollback_state(target, number, hypervisors, boot_paths), boot_paths=boot_paths)
    present = read_present(target, wanted)
    return Prepared(wanted, compute_plan(wanted, present, keep=how_many(wanted, present)), (), {})


def how_many(wanted: WantedState, present: PresentState) -> int:
    """How many generations stay; all, when the policy.toml of the old one is of another polpkg and does not say."""
    from polpkg.packages.project import read_project

    try:
        return read_project(wanted.project.decode()).target.keep or DEFAULT_KEEP
    except PolicyError:
        return len(present.numbers) + 1
