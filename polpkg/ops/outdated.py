"""`polpkg outdated`: what is locked against what policy.toml would allow, and against what there is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from polpkg.errors import ResolutionError
from polpkg.ops.releases import best_release, newest_first
from polpkg.ops.resolution import resolve_requirements
from polpkg.packages.index.index import PATH
from polpkg.packages.versions import same_version, satisfies, sorted_versions

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from polpkg.ops.context import Context
    from polpkg.packages.index.catalog import Catalog
    from polpkg.packages.lock import LockedPackage, Lockfile
    from polpkg.packages.project import Project


@dataclass(frozen=True, slots=True)
class PackageAge:
    """A locked package beside what there is.

    `allowed`: the version that `polpkg upgrade` would choose; empty when it would leave the package out, or finds no
    answer.  `newest`: of all releases that are neither yanked nor pre-releases, if there are such.  `yanked`: why the
    locked release was withdrawn.  `is_gone`: the index does not have it any more.  `held_by`: who does not let the
    newest one through.
    """

    name: str
    index: str
    locked: str
    allowed: str
    newest: str
    yanked: str = ""
    is_gone: bool = False
    held_by: tuple[str, ...] = ()

    @property
    def state(self) -> str:
        """`gone`, `yanked`, `upgradable`, `held` (there is a newer one, which does not fit) or `current`."""
        if self.is_gone:
            return "gone"
        if self.yanked:
            return "yanked"
        if self.allowed and not same_version(self.allowed, self.locked):
            return "upgradable"
        return "held" if _is_newer(self.newest, self.locked) else "current"


@dataclass(frozen=True, slots=True)
class Ages:
    """All locked packages by name; `refusal` is why no set of versions fits any more, when that is so."""

    packages: tuple[PackageAge, ...]
    refusal: ResolutionError | None = None


def find_ages(context: Context, project: Project, lock: Lockfile, *, xen: str = "") -> Ages:
    """Compares `lock` with the indexes.  Raises what the indexes raise."""
    refusal: ResolutionError | None = None
    allowed: Mapping[str, str] = {}
    catalog = context.catalog(project, tuple(context.named(r) for r in project.requirements))
    catalog.prefetch(tuple(lock.versions))
    try:
        found, _ = resolve_requirements(context, project, project.requirements, xen=xen, catalog=catalog)
        allowed = found.versions
    except ResolutionError as error:
        refusal = error
    return Ages(tuple(_age(package, allowed, catalog, project, lock) for package in lock.packages), refusal)


def _age(
    package: LockedPackage, allowed: Mapping[str, str], catalog: Catalog, project: Project, lock: Lockfile
) -> PackageAge:
    releases = newest_first(catalog.releases(package.name))
    newest = best_release(releases).version if releases else ""
    same = [release for release in releases if same_version(release.version, package.version)]
    return PackageAge(
        package.name,
        package.index,
        package.version,
        allowed.get(package.name, ""),
        newest,
        same[0].yanked if same else "",
        is_gone=not same and package.index != PATH,
        held_by=tuple(_holding(package.name, newest, project, lock)) if newest else (),
    )


def _holding(name: str, newest: str, project: Project, lock: Lockfile) -> Iterator[str]:
    """Who does not let the newest version through: policy.toml, or a locked package."""
    if name in project.overrides:
        asking = [("an override", project.overrides[name])]
    else:
        asking = [("policy.toml", r.specifier) for r in project.requirements if r.name == name]
        asking += [(str(p), r.specifier) for p in lock.packages for r in p.requires if r.name == name]
    for who, specifier in asking:
        if not satisfies(newest, specifier):
            yield f"{who} ({specifier})"


def _is_newer(version: str, than: str) -> bool:
    return bool(version) and not same_version(version, than) and sorted_versions((version, than))[1] == version
