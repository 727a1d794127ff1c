"""`polpkg adopt`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from polpkg.cli.console import Console
from polpkg.cli.options import ChangeOptions, DryRun, PlaceOptions, Yes
from polpkg.errors import ExitCode

if TYPE_CHECKING:
    from collections.abc import Iterator

    from polpkg.ops.adopt import AdoptedPolicy, Adoption


def command(console: Console, place: PlaceOptions, dry_run: DryRun = False, yes: Yes = False) -> ExitCode | None:
    """Keep the policies that a target had before, as generation 0.

    Every policy that somebody made by hand is kept with its bytes, also one that no hypervisor takes; nothing in /boot
    changes.  The next change shows what it allows that the old policy did not, `polpkg diff 0 1` compares them, and
    `polpkg rollback 0` puts the old files back.  Generation 0 is never deleted.

    For example:
      polpkg adopt --root build/demo
    """
    from polpkg.cli.changing import agreement
    from polpkg.cli.session import make_context, open_target
    from polpkg.ops.adopt import adopt_target

    context = make_context(console)
    agree = agreement(console, ChangeOptions(dry_run=dry_run, yes=yes))
    found = adopt_target(context, open_target(context, place.target), dry_run=dry_run, agree=agree)
    root = "" if place.root is None else str(place.root)
    lines = [part for line in _lines(found, root, dry_run=dry_run) for part in _wrapped(line, console.width)]
    console.answer(_document(found, dry_run=dry_run), "\n".join(lines))
    return ExitCode.PENDING if dry_run and not found.outcome.plan.is_empty else ExitCode.OK


def _wrapped(line: str, width: int) -> list[str]:
    from polpkg.cli.render import visible, wrapped

    return wrapped(visible(line), width)


def _document(found: Adoption, *, dry_run: bool) -> dict[str, Any]:
    from polpkg.ops.adopt import text_of
    from polpkg.targets.plan_text import plan_document

    plan = found.outcome.plan
    policies = [
        {
            **each._asdict(),
            "hypervisors": list(each.hypervisors),
            "misfit": each.misfit or None,
            "unreadable": each.unreadable or None,
            "text": None if each.unreadable else text_of(each),
        }
        for each in found.policies
    ]
    document: dict[str, Any] = {"generation": plan.generation, "changed": not plan.is_empty, "policies": policies}
    return document | ({"plan": plan_document(plan)} if dry_run else {})


def _lines(found: Adoption, root: str, *, dry_run: bool) -> Iterator[str]:
    from polpkg.ops.adopt import text_of

    for each in found.policies:
        yield from _policy_lines(each)
    plan = found.outcome.plan
    if plan.is_empty:
        known = found.policies or found.outcome.receipt is not None
        yield "nothing to do: " + ("no policy is there that polpkg does not have" if known else "there is no policy")
        return
    yield from (f"note: {note}" for note in plan.notes)
    yield f"generation {plan.generation} {'would keep' if dry_run else 'keeps'} them as they are"
    readable = next((each for each in found.policies if not each.unreadable), None)
    if readable is not None and not dry_run:
        command = f"polpkg import {root}{text_of(readable)} -o packages --name site"
        yield f"to go on from it: `{command}` makes a package of it"
        yield "`polpkg confirm` says that it boots: then a later policy that does not falls back to it"


def _policy_lines(policy: AdoptedPolicy) -> Iterator[str]:
    served = ", ".join(policy.hypervisors)
    yield f"{policy.path}" + (f", for {served}" if served else ": no boot loader is known to load it")
    if policy.unreadable:
        yield f"! it cannot be read, and is kept all the same: {policy.unreadable}"
    elif policy.misfit:
        yield f"! it fits no hypervisor here, and is kept all the same: {policy.misfit}"
