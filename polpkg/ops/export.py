"""`polpkg export`: all that a lock names, for a site without network."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from polpkg.ops.context import Context
    from polpkg.packages.index.catalog import Catalog
    from polpkg.packages.lock import LockedPackage, Lockfile
    from polpkg.packages.project import Project
    from polpkg.packages.requirement import Requirement


def export_packages(
    context: Context, lock: Lockfile, catalog: Catalog, *, bundle: Path | None = None, vendored: Path | None = None
) -> None:
    """Writes the packages of `lock` as an index to `bundle` (a directory, or one file `*.tar`), and as archives to the
    directory `vendored`.

    Every archive is checked against the lock and read before it goes out.  Raises UsageError `not-empty` and
    `no-such-directory`, TrustError, and what fetching raises.
    """
    from polpkg.ops.output import check_folder
    from polpkg.packages.index.bundle import export_bundle, vendor
    from polpkg.packages.index.opening import BUNDLE_SUFFIX

    if bundle is not None and bundle.suffix == BUNDLE_SUFFIX:
        check_folder(bundle)

    def fetch(package: LockedPackage) -> bytes:
        return context.archive(package, catalog)

    context.fetch_missing(lock.packages, catalog)
    if bundle is not None:
        export_bundle(lock, fetch, bundle)
    if vendored is not None:
        vendor(lock, fetch, vendored)


def resolve_for_export(
    context: Context,
    requirements: tuple[Requirement, ...],
    project: Project | None,
    options: tuple[tuple[str, str], ...],
    xen: str,
) -> tuple[Lockfile, Catalog]:
    """What `requirements` resolve to on a target that has nothing yet: with the base packages.

    The indexes are those of `project`.  Raises ResolutionError.
    """
    from polpkg.ops.lock import xen_version
    from polpkg.ops.resolution import resolve_requirements, with_options
    from polpkg.packages.project import Project

    known = project or Project()
    base = Project(indexes=known.indexes, index_map=known.index_map, overrides=known.overrides, target=known.target)
    named = tuple(context.named(requirement) for requirement in requirements)
    asked = {r.name for r in named}
    missing = tuple(r for r in base.requirements if r.name not in asked)
    return resolve_requirements(context, with_options(base, options), (*named, *missing), xen=xen_version(xen))
