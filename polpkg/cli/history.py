"""`polpkg history`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from polpkg.cli.console import Console
from polpkg.cli.options import PlaceOptions

if TYPE_CHECKING:
    from collections.abc import Iterator

    from polpkg.ops.history import PastGeneration


def command(console: Console, place: PlaceOptions) -> None:
    """List the generations of a target.

    Each with its time, what was asked for, and the packages that it changed.  `rollback N` goes back to one of them.

    For example:
      polpkg history --root build/demo
    """
    from polpkg.cli.session import make_context, open_target
    from polpkg.ops.history import read_history

    history = read_history(open_target(make_context(console), place.target))
    current = next((each.number for each in history if each.is_current), None)
    lines = [line for each in history for line in _lines(each)]
    document = {"current": current, "generations": [_values(each) for each in history]}
    console.answer(document, "\n".join(lines) or "nothing was installed yet")


def _values(past: PastGeneration) -> dict[str, Any]:
    receipt = past.receipt
    return {
        "generation": past.number,
        "current": past.is_current,
        "created": receipt.created if receipt else None,
        "action": receipt.action if receipt else None,
        "parent": receipt.parent if receipt else None,
        "changes": past.changes.document if past.changes else None,
        "damaged": past.damage or None,
    }


def _lines(past: PastGeneration) -> Iterator[str]:
    from textwrap import wrap

    from polpkg.cli.render import visible

    mark = "*" if past.is_current else " "
    if past.receipt is None:
        yield visible(f"{mark} {past.number}  damaged: {past.damage}")
        return
    current = " (current)" if past.is_current else ""
    yield visible(f"{mark} {past.number}  {past.receipt.created}  {past.receipt.action}{current}")
    changed = ["(the one before is not kept)"] if past.changes is None else past.changes.lines or ["same packages"]
    yield from wrap(visible(", ".join(changed)), 78, initial_indent="     ", subsequent_indent="     ")
