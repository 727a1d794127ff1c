"""The committed states of a target: `generations/<n>/` for each, and the link `current` to one (DESIGN.md 4).

Numbers only grow.  A generation is never changed once it has its number: going back makes a new one.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from polpkg.errors import TargetError
from polpkg.targets.document import digest
from polpkg.targets.layout import (
    CURRENT,
    GENERATIONS,
    LOCK_FILE,
    POLICYDB_FILE,
    PROJECT_FILE,
    RECEIPT_FILE,
    SYSTEM_FILES,
    generation_path,
    system_file,
)
from polpkg.targets.receipt import PolicyRecord, Receipt, parse_receipt
from polpkg.targets.wanted import PolicyArtifact, WantedState

if TYPE_CHECKING:
    from polpkg.targets.target import Target

_DAMAGE = frozenset(
    (
        "damaged-generation",
        "damaged-receipt",
        "damaged-state",
        "link-loop",
        "no-such-file",
        "no-such-generation",
        "not-a-directory",
        "not-a-file",
    )
)

_NUMBER = re.compile(r"0|[1-9][0-9]{0,17}")
_LINK = re.compile(f"generations/({_NUMBER.pattern})")


def is_damage(error: TargetError) -> bool:
    """Whether what was read is not what polpkg wrote; otherwise it could not be read, and may well be whole."""
    return error.code in _DAMAGE


def current_number(target: Target) -> int | None:
    """The number of the current generation; None when there is none yet.

    Raises TargetError `damaged-state` when `current` is no link to a generation.
    """
    link = target.read_link(CURRENT)
    if link is None:
        if target.stat(CURRENT) is None:
            return None
        raise TargetError("damaged-state", f"{CURRENT} in {target.name} is not a link")
    found = _LINK.fullmatch(link)
    if found is None:
        raise TargetError("damaged-state", f"{CURRENT} in {target.name} leads to {link}, which is no generation")
    return int(found[1])


def current_generation(target: Target) -> Receipt | None:
    """The receipt of the current generation; None when there is none yet.  Raises TargetError."""
    number = current_number(target)
    return None if number is None else read_generation(target, number)


def usable_generation(target: Target) -> Receipt | None:
    """The receipt of the current generation; None when there is none yet, and when it is damaged.

    For whoever makes a new generation, which is the way to repair a damaged one.
    """
    try:
        return current_generation(target)
    except TargetError as error:
        if is_damage(error):
            return None
        raise


def generation_numbers(target: Target) -> tuple[int, ...]:
    """The numbers of the generations that are kept, in order."""
    return tuple(sorted(int(name) for name in target.list(GENERATIONS) if _NUMBER.fullmatch(name)))


def read_generation(target: Target, number: int) -> Receipt:
    """The receipt of generation `number`.

    Raises TargetError: `no-such-generation`, `damaged-receipt`, `newer-format`.
    """
    path = f"{generation_path(number)}/{RECEIPT_FILE}"
    if target.stat(path) is None:
        kept = ", ".join(map(str, generation_numbers(target))) or "none"
        raise TargetError("no-such-generation", f"{target.name} has no generation {number}", hint=f"it has: {kept}")
    receipt = parse_receipt(target.read(path), path)
    if receipt.generation != number:
        raise TargetError("damaged-receipt", f"{path} is of generation {receipt.generation}")
    return receipt


def history(target: Target) -> tuple[Receipt, ...]:
    """The receipts of all generations that are kept, oldest first.  Raises TargetError."""
    return tuple(read_generation(target, number) for number in generation_numbers(target))


def read_generation_file(target: Target, receipt: Receipt, relative: str, folder: str = "") -> bytes:
    """The bytes of one file of a generation, which are checked against its receipt.

    `folder`: where the generation is, when it has no place of its own yet.  Raises TargetError `damaged-generation`
    when they are not what was written.
    """
    path = f"{folder or generation_path(receipt.generation)}/{relative}"
    if target.stat(path) is None:
        raise _damaged(receipt, f"{path} is missing")
    content = target.read(path)
    if digest(content) != receipt.files.get(relative):
        raise _damaged(receipt, f"{path} was changed")
    return content


def read_artifact(target: Target, receipt: Receipt, policy: PolicyRecord, folder: str = "") -> PolicyArtifact:
    """A compiled policy of a generation, checked: what need not be compiled again.

    `folder` as in `read_generation_file`.  Raises TargetError.
    """
    inside = f"{policy.place}/"
    names = (path.removeprefix(inside) for path in receipt.files if path.startswith(inside))
    files = {name: read_generation_file(target, receipt, inside + name, folder) for name in names}
    if digest(files.get(POLICYDB_FILE, b"")) != policy.sha256:
        raise _damaged(receipt, f"its policy {policy.place} is not the one recorded")
    return PolicyArtifact(
        policy.abi,
        policy.xen_version,
        policy.policydb_version,
        policy.backend,
        policy.backend_version,
        policy.types,
        policy.attributes,
        policy.allow_rules,
        files,
        policy.boot_files,
        policy.inputs,
        policy.permissive,
        policy.folder,
    )


def read_state(target: Target, receipt: Receipt, action: str, folder: str = "") -> WantedState:
    """All of a generation, as what a target is to have again.

    `folder` as in `read_generation_file`.  Raises TargetError `damaged-generation`.
    """
    return WantedState(
        read_generation_file(target, receipt, PROJECT_FILE, folder),
        read_generation_file(target, receipt, LOCK_FILE, folder),
        receipt.packages,
        receipt.functions,
        tuple(read_artifact(target, receipt, policy, folder) for policy in receipt.policies),
        action,
        receipt.unusable,
        read_system_files(target, receipt, folder),
    )


def read_system_files(target: Target, receipt: Receipt, folder: str = "") -> dict[str, bytes]:
    """The files that a generation has outside /etc/polpkg and /boot, by path.

    `folder` as in `read_generation_file`.  Raises TargetError.
    """
    there = (path for path in sorted(SYSTEM_FILES) if system_file(path) in receipt.files)
    return {path: read_generation_file(target, receipt, system_file(path), folder) for path in there}


def _damaged(receipt: Receipt, reason: str) -> TargetError:
    return TargetError(
        "damaged-generation",
        f"generation {receipt.generation} is damaged: {reason}",
        hint="`polpkg verify` lists what differs; `polpkg sync` makes a new generation from the lock file",
    )
