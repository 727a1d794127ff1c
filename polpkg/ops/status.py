"""`polpkg status`: what a target has now, and whether anything about it is odd."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from polpkg.errors import TargetError
from polpkg.ops.installed import read_inputs
from polpkg.targets.generations import current_generation
from polpkg.targets.recovery import is_interrupted
from polpkg.targets.verify import DriftKind, verify_files

if TYPE_CHECKING:
    from collections.abc import Mapping

    from polpkg.packages.manifest import ParameterValue
    from polpkg.packages.project import Project
    from polpkg.targets.receipt import Receipt
    from polpkg.targets.target import Target
    from polpkg.targets.verify import Drift


class Asked(NamedTuple):
    """A package that was asked for, with the instances that policy.toml names; none are named: the default one.

    `is_base`: every target has it, nobody asked.
    """

    name: str
    requirement: str
    is_base: bool
    instances: Mapping[str, Mapping[str, ParameterValue]]


@dataclass(frozen=True, slots=True)
class Status:
    """What a target has.

    `receipt`: of the current generation, None when nothing is installed.  `asked`: None then as well, and when the
    generation's own policy.toml is damaged, which `drift` tells.
    """

    target: str
    receipt: Receipt | None = None
    asked: tuple[Asked, ...] | None = None
    interrupted: bool = False
    drift: tuple[Drift, ...] = ()


def read_status(target: Target) -> Status:
    """The status of `target`.  Raises TargetError when its receipt is damaged, or files cannot be read."""
    interrupted = is_interrupted(target)
    receipt = current_generation(target)
    if receipt is None:
        return Status(target.name, interrupted=interrupted)
    drift = tuple(each for each in verify_files(target) if each.kind is not DriftKind.INTERRUPTED)
    return Status(target.name, receipt, _asked(target, receipt), interrupted, drift)


def _asked(target: Target, receipt: Receipt) -> tuple[Asked, ...] | None:
    try:
        project = read_inputs(target, receipt).project
    except TargetError:  # the drift says which file it is
        return None
    return asked_packages(project)


def asked_packages(project: Project) -> tuple[Asked, ...]:
    """What a policy.toml asks for, and the base."""
    return tuple(
        Asked(r.name, str(r), r.name not in project.packages, project.instances.get(r.name, {}))
        for r in project.requirements
    )
