"""`polpkg confirm`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from polpkg.cli.console import Console
from polpkg.cli.options import DryRun, PlaceOptions
from polpkg.cli.render import visible, wrapped
from polpkg.errors import ExitCode

if TYPE_CHECKING:
    from collections.abc import Iterator

    from polpkg.ops.confirm import Confirmation
    from polpkg.ops.loading import Confirmed


def command(
    console: Console,
    place: PlaceOptions,
    dry_run: DryRun = False,
    force: Annotated[bool, typer.Option("--force", help="Also when it was given up, or not booted yet.")] = False,
) -> ExitCode | None:
    """Say that the current generation booted well.

    A later one that fails comes back to it: its policies are kept for the boot loader beside the current ones, and it
    is never deleted.  A generation that is not confirmed is booted once by GRUB, and the boot after that takes the one
    that was confirmed before.

    On a host that tries a policy (--confirm-within), say that this one stays: its generation becomes the current one.

    For example:
      polpkg confirm --root build/demo
    """
    from polpkg.cli.session import make_context, open_target
    from polpkg.ops.confirm import confirm_target
    from polpkg.ops.loading import check_booted, confirm_waiting
    from polpkg.targets.plan_text import plan_document

    context = make_context(console)
    target = open_target(context, place.target)
    waiting = confirm_waiting(context, target, dry_run=dry_run)
    if waiting is not None:
        return _tell_waiting(console, waiting, target.name, dry_run=dry_run)
    if not force:
        check_booted(target)
    found = confirm_target(context, target, dry_run=dry_run, force=force)
    changed = not found.plan.is_empty
    document: dict[str, Any] = {
        "generation": found.generation,
        "before": found.before,
        "changed": changed,
        "live": False,
    }
    if dry_run:
        document["plan"] = plan_document(found.plan)
    console.answer(document, "\n".join(_lines(found, dry_run=dry_run)))
    return ExitCode.PENDING if dry_run and changed else ExitCode.OK


def _tell_waiting(console: Console, waiting: Confirmed, name: str, *, dry_run: bool) -> ExitCode:
    number = waiting.generation
    document: dict[str, Any] = {"generation": number, "before": None, "changed": True, "live": True}
    done = "would become" if dry_run else "is"
    text = [
        f"{waiting.action}: the policy that {name} runs stays; generation {number} {done} current",
        "confirm it once more after a boot, which shows that it boots as well",
    ]
    console.answer(document, "\n".join(line for each in text for line in wrapped(visible(each), console.width)))
    return ExitCode.PENDING if dry_run else ExitCode.OK


def _lines(found: Confirmation, *, dry_run: bool) -> Iterator[str]:
    from polpkg.targets.plan_text import plan_lines

    if found.plan.is_empty:
        yield f"nothing to do: generation {found.generation} is confirmed"
        return
    if dry_run:
        yield from plan_lines(found.plan)
        return
    yield from (f"note: {note}" for note in found.plan.notes)
    instead = f" instead of {found.before}" if found.before not in (None, found.generation) else ""
    yield f"generation {found.generation} is confirmed{instead}"
