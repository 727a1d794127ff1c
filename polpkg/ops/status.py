"""`polpkg status`: what a target has now, and whether anything about it is odd."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

from polpkg.errors import TargetError
from polpkg.ops.installed import read_inputs
from polpkg.ops.live_status import read_live_status
from polpkg.targets.boot.trial import read_trial
from polpkg.targets.confirm import is_confirmed
from polpkg.targets.generations import current_generation
from polpkg.targets.marks import read_marks
from polpkg.targets.recovery import is_interrupted
from polpkg.targets.verify import DriftKind, verify_files

if TYPE_CHECKING:
    from collections.abc import Mapping

    from polpkg.ops.live_status import LiveStatus
    from polpkg.packages.lock import Lockfile
    from polpkg.packages.manifest import ParameterValue
    from polpkg.packages.project import Project
    from polpkg.targets.boot.trial import Trial
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


class Claim(NamedTuple):
    """A package that owns functions for the guests of its own instances, where dom0 would have them otherwise."""

    package: str
    functions: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Status:
    """What a target has.

    `receipt`: of the current generation, None when nothing is installed.  `asked` and `claims`: None then as well, and
    when the generation's own policy.toml or lock is damaged, which `drift` tells.  `confirmed`: the generation to fall
    back to; `is_confirmed`: the current one has the same policies; `trial`: how far GRUB is with it.  `live`: what runs
    there; None for a tree or an image.
    """

    target: str
    receipt: Receipt | None = None
    asked: tuple[Asked, ...] | None = None
    claims: tuple[Claim, ...] | None = None
    interrupted: bool = False
    drift: tuple[Drift, ...] = ()
    confirmed: int | None = None
    is_confirmed: bool = False
    trial: Trial | None = None
    live: LiveStatus | None = None


def read_status(target: Target) -> Status:
    """The status of `target`.  Raises TargetError when its receipt is damaged, or files cannot be read."""
    interrupted = is_interrupted(target)
    receipt = current_generation(target)
    if receipt is None:
        return Status(target.name, interrupted=interrupted, live=read_live_status(target, None))
    drift = tuple(each for each in verify_files(target) if each.kind is not DriftKind.INTERRUPTED)
    marks = read_marks(target)
    status = Status(
        target.name,
        receipt,
        interrupted=interrupted,
        drift=drift,
        confirmed=marks.confirmed,
        is_confirmed=is_confirmed(target, receipt, marks),
        trial=read_trial(target),
        live=read_live_status(target, receipt),
    )
    if receipt.is_adopted:  # no packages, and nobody asked for any
        return status
    try:
        installed = read_inputs(target, receipt)
    except TargetError:  # the drift says which file it is
        return status
    return replace(status, asked=_asked(installed.project), claims=_claims(installed.lock))


def _claims(lock: Lockfile) -> tuple[Claim, ...]:
    return tuple(Claim(p.name, p.functions) for p in lock.packages if p.functions and not p.clients)


def _asked(project: Project) -> tuple[Asked, ...]:
    return tuple(
        Asked(r.name, str(r), r.name not in project.packages, project.instances.get(r.name, {}))
        for r in project.requirements
    )
