"""What the current generation of a target holds: the beginning of every verb that only looks.

Reading needs no lock: a change puts a whole new generation in place at one instant.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from polpkg.errors import PolicyError, TargetError
from polpkg.targets.generations import current_generation, read_generation_file
from polpkg.targets.layout import LOCK_FILE, PROJECT_FILE, generation_path

if TYPE_CHECKING:
    from polpkg.packages.lock import Lockfile
    from polpkg.packages.project import Project
    from polpkg.targets.receipt import Receipt
    from polpkg.targets.target import Target


@dataclass(frozen=True, slots=True)
class Installed:
    """A generation: its receipt, and the policy.toml and the lock that it was made from."""

    receipt: Receipt
    project: Project
    lock: Lockfile


def read_installed(target: Target) -> Installed | None:
    """What `target` has; None when nothing was installed yet.

    Raises TargetError for a damaged receipt or generation, and PolicyError when its files do not parse.
    """
    receipt = current_generation(target)
    return None if receipt is None else read_inputs(target, receipt)


def read_inputs(target: Target, receipt: Receipt) -> Installed:
    """The generation of `receipt` with what it was made from; raises as `read_installed` does."""
    from polpkg.packages.lock import read_lock
    from polpkg.packages.project import read_project

    folder = generation_path(receipt.generation)
    project = read_generation_file(target, receipt, PROJECT_FILE).decode()
    lock = read_generation_file(target, receipt, LOCK_FILE).decode()
    return Installed(
        receipt, read_project(project, f"{folder}/{PROJECT_FILE}"), read_lock(lock, f"{folder}/{LOCK_FILE}")
    )


def usable_lock(target: Target, receipt: Receipt | None) -> Lockfile | None:
    """The lock of that generation; None without one, and when it is damaged.

    For whoever makes a new generation, which is the way to repair a damaged one.
    """
    try:
        return None if receipt is None else read_inputs(target, receipt).lock
    except (TargetError, PolicyError):
        return None
