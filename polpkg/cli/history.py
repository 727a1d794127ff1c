"""`polpkg history`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from polpkg.cli.console import Console
from polpkg.cli.options import PlaceOptions

if TYPE_CHECKING:
    from collections.abc import Iterator

    from polpkg.ops.history import PastGeneration


def command(console: Console, place: PlaceOptions) -> None:
    """List the generations of a target.

    Each with its time, what was asked for, and the packages that it changed.  `rollback N` goes back to one of them;
    `history pin N` keeps one whatever comes after it.

    For example:
      polpkg history --root build/demo
    """
    from polpkg.cli.session import make_context, open_target
    from polpkg.ops.history import read_history
    from polpkg.targets.steady import read_steadily

    target = open_target(make_context(console), place.target)
    history = read_steadily(target, lambda: read_history(target))
    current = next((each.number for each in history if each.is_current), None)
    lines = [line for each in history for line in _lines(each, console.width)]
    document = {"current": current, "generations": [_values(each) for each in history]}
    console.answer(document, "\n".join(lines) or "nothing was installed yet")


Number = Annotated[int, typer.Argument(metavar="N", help="The number of the generation.")]


def pin(console: Console, place: PlaceOptions, number: Number) -> None:
    """Keep a generation for ever.

    For example:
      polpkg history pin 1 --root build/demo
    """
    _pin(console, place, number, pinned=True)


def unpin(console: Console, place: PlaceOptions, number: Number) -> None:
    """Let a generation go when it is old.

    For example:
      polpkg history unpin 1 --root build/demo
    """
    _pin(console, place, number, pinned=False)


def _pin(console: Console, place: PlaceOptions, number: int, *, pinned: bool) -> None:
    from polpkg.cli.session import make_context, open_target
    from polpkg.ops.confirm import pin_generation

    context = make_context(console)
    marks = pin_generation(context, open_target(context, place.target), number, pinned=pinned)
    told = f"generation {number} stays" if pinned else f"generation {number} goes when it is old"
    console.answer({"pinned": sorted(marks.pinned), "confirmed": marks.confirmed}, told)


def _values(past: PastGeneration) -> dict[str, Any]:
    receipt = past.receipt
    return {
        "generation": past.number,
        "current": past.is_current,
        "confirmed": past.is_confirmed,
        "pinned": past.is_pinned,
        "created": receipt.created if receipt else None,
        "action": receipt.action if receipt else None,
        "parent": receipt.parent if receipt else None,
        "changes": past.changes.document if past.changes else None,
        "damaged": past.damage or None,
    }


def _lines(past: PastGeneration, width: int) -> Iterator[str]:
    from polpkg.cli.render import visible, wrapped

    mark = "*" if past.is_current else " "
    if past.receipt is None:
        yield visible(f"{mark} {past.number}  damaged: {past.damage}")
        return
    marks = {"current": past.is_current, "confirmed": past.is_confirmed, "pinned": past.is_pinned}
    told = ", ".join(name for name, holds in marks.items() if holds)
    yield visible(f"{mark} {past.number}  {past.receipt.created}  {past.receipt.action}{f' ({told})' if told else ''}")
    changed = ["(the one before is not kept)"] if past.changes is None else past.changes.lines or ["same packages"]
    yield from wrapped(", ".join(changed), width, "     ", "     ")


SUBVERBS = {"pin": pin, "unpin": unpin}
