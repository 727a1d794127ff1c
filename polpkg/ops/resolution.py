"""From requirements to a lock, and from a lock to the packages it names."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from polpkg.errors import PendingError
from polpkg.ops.staleness import check_fresh
from polpkg.packages.lock import LOCK_FILE, Lockfile, lock_of

if TYPE_CHECKING:
    from polpkg.ops.context import Context
    from polpkg.packages.index.catalog import Catalog
    from polpkg.packages.project import Project
    from polpkg.packages.requirement import Requirement
    from polpkg.packages.source import PackageFiles


class Locked(NamedTuple):
    """A lock and the packages that it names, in requirement order, read and checked."""

    lock: Lockfile
    packages: tuple[PackageFiles, ...]


def resolve_requirements(
    context: Context,
    project: Project,
    requirements: tuple[Requirement, ...],
    *,
    previous: Lockfile | None = None,
    move: frozenset[str] = frozenset(),
    xen: str = "",
    minimal: bool = False,
    catalog: Catalog | None = None,
) -> tuple[Lockfile, Catalog]:
    """The lock that answers `requirements`, and the catalog that it was made from.

    Versions of `previous` are kept where they fit, but for the packages `move`.  `minimal`: the lowest versions that
    fit instead of the highest.  `catalog`: one that was opened for them already.  Raises ResolutionError.
    """
    from polpkg.packages.resolver.request import ResolutionRequest
    from polpkg.packages.resolver.resolve import resolve

    requirements = tuple(context.named(r) for r in requirements)
    catalog = catalog or context.catalog(project, requirements)
    prefer = {n: v for n, v in previous.versions.items() if n not in move} if previous else {}
    request = ResolutionRequest(
        requirements, project.options, xen, prefer, overrides=project.overrides, minimal=minimal
    )
    resolution = resolve(request, catalog)
    extra = previous.extra if previous else None
    return lock_of(resolution, catalog.sealed, extra=extra, overrides=project.overrides), catalog


def use_lock(
    context: Context, project: Project, lock: Lockfile | None, *, file: str = LOCK_FILE
) -> tuple[Lockfile, Catalog]:
    """`lock` as it is.

    Raises PendingError `stale-lock` when it does not answer what policy.toml asks for, with a finding for each reason,
    placed at the line of policy.toml or of the lock that is at odds.
    """
    if lock is None:
        message = f"there is no {file}, and --locked forbids making one"
        raise PendingError("stale-lock", message, hint="run `polpkg lock` first")
    requirements = tuple(context.named(r) for r in project.requirements)
    check_fresh(project, lock, requirements)
    return lock, context.catalog(project, requirements)


def load_packages(context: Context, lock: Lockfile, catalog: Catalog) -> Locked:
    """The packages of `lock`, each after those that it requires."""
    context.fetch_missing(lock.packages, catalog)
    return Locked(lock, tuple(context.fetch(package, catalog) for package in lock.in_order()))


def with_options(project: Project, options: tuple[tuple[str, str], ...]) -> Project:
    """`project` with more options on, as (package, option)."""
    merged = {name: set(on) for name, on in project.options.items()}
    for package, option in options:
        merged.setdefault(package, set()).add(option)
    return replace(project, options={name: tuple(sorted(on)) for name, on in merged.items()})
