"""`polpkg history`: the generations that are kept, and what each changed."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from polpkg.errors import TargetError
from polpkg.targets.changes import Changes, compare_packages
from polpkg.targets.generations import current_number, generation_numbers, read_generation
from polpkg.targets.marks import read_marks

if TYPE_CHECKING:
    from polpkg.targets.receipt import Receipt
    from polpkg.targets.target import Target


class PastGeneration(NamedTuple):
    """One generation.

    `receipt`: None when it is damaged, and then `damage` says how.  `changes`: against the generation before it, None
    when that one is not kept any more.  `is_confirmed`: it booted well, and is what a machine falls back to.
    `is_pinned`: it is kept for ever.
    """

    number: int
    is_current: bool
    receipt: Receipt | None
    damage: str
    changes: Changes | None
    is_confirmed: bool = False
    is_pinned: bool = False


def read_history(target: Target) -> tuple[PastGeneration, ...]:
    """The generations of `target`, oldest first; one damaged receipt hides no other.

    Raises TargetError when `current` itself is damaged, or files cannot be read.
    """
    current, marks = current_number(target), read_marks(target)
    receipts: dict[int, Receipt | None] = {}
    history: list[PastGeneration] = []
    for number in generation_numbers(target):
        receipt, damage = _read(target, number)
        receipts[number] = receipt
        changes = None if receipt is None else _changes(receipt, receipts)
        confirmed, pinned = number == marks.confirmed, number in marks.pinned
        history.append(PastGeneration(number, number == current, receipt, damage, changes, confirmed, pinned))
    return tuple(history)


def _read(target: Target, number: int) -> tuple[Receipt | None, str]:
    try:
        return read_generation(target, number), ""
    except TargetError as error:
        return None, error.message


def _changes(receipt: Receipt, receipts: dict[int, Receipt | None]) -> Changes | None:
    if receipt.parent is None:
        return compare_packages((), receipt.packages)
    before = receipts.get(receipt.parent)
    return None if before is None else compare_packages(before.packages, receipt.packages)
