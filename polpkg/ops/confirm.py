"""`polpkg confirm` and `history pin`: which generations are good, and which stay."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from polpkg.targets.generations import read_generation
from polpkg.targets.marks import Marks, read_marks, write_marks

if TYPE_CHECKING:
    from polpkg.ops.context import Context
    from polpkg.targets.plan import Plan
    from polpkg.targets.target import Target


class Confirmation(NamedTuple):
    """What was confirmed, and which generation had been; `plan`: what it changed, nothing when it was confirmed."""

    plan: Plan
    before: int | None

    @property
    def generation(self) -> int:
        """The generation that is confirmed now."""
        return self.plan.generation


def confirm_target(context: Context, target: Target, *, dry_run: bool = False, force: bool = False) -> Confirmation:
    """Marks the current generation of `target` as confirmed, and keeps its policies to fall back to.

    `force`: also when the boot loader gave it up.

    Raises TargetError as `plan_confirmation` does, and what applying a plan raises.
    """
    from polpkg.ops.loading import finish_interrupted
    from polpkg.targets.apply import apply_plan
    from polpkg.targets.confirm import plan_confirmation

    if dry_run:
        plan, _ = plan_confirmation(target, force=force, boot_paths=context.boot_paths())
        return Confirmation(plan, read_marks(target).confirmed)
    with target.lock(context.tell):
        finish_interrupted(context, target)
        before = read_marks(target).confirmed
        plan, state = plan_confirmation(target, force=force, boot_paths=context.boot_paths())
        apply_plan(target, plan, state)
    return Confirmation(plan, before)


def pin_generation(context: Context, target: Target, number: int, *, pinned: bool) -> Marks:
    """Keeps generation `number` whatever comes, or no longer; the marks that hold now.

    Raises TargetError `no-such-generation`.
    """
    from polpkg.ops.loading import finish_interrupted

    with target.lock(context.tell):
        finish_interrupted(context, target)
        marks = read_marks(target)
        if pinned:
            read_generation(target, number)
        numbers = marks.pinned | {number} if pinned else marks.pinned - {number}
        if numbers != marks.pinned:
            marks = Marks(numbers, marks.confirmed)
            write_marks(target, marks)
    return marks
