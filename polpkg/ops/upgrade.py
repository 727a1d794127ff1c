"""`polpkg upgrade PKG`: the newest version of some packages, and everything else left where it is if it can be."""

from __future__ import annotations

from typing import TYPE_CHECKING

from polpkg.errors import ResolutionError
from polpkg.ops.releases import newest_first
from polpkg.ops.resolution import resolve_requirements
from polpkg.packages.requirement import Requirement
from polpkg.packages.versions import asks_for_prereleases, is_prerelease, same_version

if TYPE_CHECKING:
    from collections.abc import Iterator

    from polpkg.ops.context import Context
    from polpkg.packages.index.catalog import Catalog
    from polpkg.packages.lock import Lockfile
    from polpkg.packages.project import Project


def resolve_upgrade(
    context: Context,
    project: Project,
    requirements: tuple[Requirement, ...],
    previous: Lockfile,
    names: frozenset[str],
    *,
    xen: str = "",
) -> tuple[Lockfile, Catalog]:
    """The lock in which each of `names` is as new as `requirements` let it be.

    Every other package keeps its version of `previous`, unless the newer ones cannot do with it: a preference alone
    would let what is locked hold them back.  Raises ResolutionError when nothing fits at all.
    """
    catalog = context.catalog(project, requirements)
    found, pins = previous, list[Requirement]()
    for name in sorted(names - project.overrides.keys()):
        for version in _candidates(name, requirements, previous, catalog):
            pin = Requirement(name, f"=={version}")
            asked = (*requirements, *pins, pin)
            try:
                found, _ = resolve_requirements(
                    context, project, asked, previous=previous, move=names, xen=xen, catalog=catalog
                )
            except ResolutionError:
                continue
            pins.append(pin)
            break
    move = frozenset[str]() if pins else names
    return resolve_requirements(context, project, requirements, previous=found, move=move, xen=xen, catalog=catalog)


def _candidates(
    name: str, requirements: tuple[Requirement, ...], previous: Lockfile, catalog: Catalog
) -> Iterator[str]:
    """The versions above the locked one, newest first, that may be chosen by themselves."""
    asked = [requirement for requirement in requirements if requirement.name == name]
    prereleases = any(asks_for_prereleases(requirement.specifier) for requirement in asked)
    locked = previous.versions.get(name, "")
    for release in newest_first(catalog.releases(name)):
        if locked and same_version(release.version, locked):
            return
        fits = all(requirement.accepts(release.version) for requirement in asked)
        if fits and not release.yanked and (prereleases or not is_prerelease(release.version)):
            yield release.version
