"""`polpkg why-not`: whether a package would fit beside all that is wanted, and if not, why not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from polpkg.errors import ResolutionError
from polpkg.ops.resolution import resolve_requirements
from polpkg.targets.changes import Changes, compare_packages
from polpkg.targets.receipt import PackageRecord

if TYPE_CHECKING:
    from polpkg.ops.context import Context
    from polpkg.packages.lock import Lockfile
    from polpkg.packages.project import Project
    from polpkg.packages.requirement import Requirement


@dataclass(frozen=True, slots=True)
class Fit:
    """Whether a requirement fits: `refusal` is the proof that it does not, else `changes` is what it would move."""

    changes: Changes
    refusal: ResolutionError | None = None


def try_requirement(
    context: Context, project: Project, lock: Lockfile | None, requirement: Requirement, *, xen: str = ""
) -> Fit:
    """Resolves what `project` asks for together with `requirement`, keeping locked versions where they fit.

    Raises what the indexes raise.
    """
    named = context.named(requirement)
    asked = (*project.requirements, named)
    try:
        after, _ = resolve_requirements(context, project, asked, previous=lock, xen=xen)
    except ResolutionError as error:
        return Fit(Changes(), error)
    return Fit(compare_packages(_records(lock), _records(after)))


def _records(lock: Lockfile | None) -> tuple[PackageRecord, ...]:
    return tuple(PackageRecord(p.name, p.version, p.index, p.sha256) for p in lock.packages) if lock else ()
