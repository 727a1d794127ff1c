"""The packages that a generation was made of, read again with their instances and claims."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from polpkg.packages.claims import claims_of
from polpkg.packages.instances import instances_of
from polpkg.packages.lock import LOCK_FILE, read_lock
from polpkg.packages.project import PROJECT_FILE, read_project

if TYPE_CHECKING:
    from polpkg.ops.context import Context
    from polpkg.packages.claims import Claims
    from polpkg.packages.instances import Instance
    from polpkg.packages.manifest import Manifest
    from polpkg.targets.receipt import Receipt
    from polpkg.targets.target import Target


@dataclass(frozen=True, slots=True)
class InstalledPackages:
    """Every package of a generation with its instances, in the order of the lock."""

    packages: tuple[tuple[Manifest, tuple[Instance, ...]], ...]

    @property
    def claims(self) -> Claims:
        """Who owns what."""
        return claims_of(self.packages)


def read_installed_packages(context: Context, target: Target, receipt: Receipt) -> InstalledPackages:
    """The packages of a generation.  Raises what fetching them raises."""
    from polpkg.targets.generations import read_generation_file

    project = read_project(read_generation_file(target, receipt, PROJECT_FILE).decode())
    lock = read_lock(read_generation_file(target, receipt, LOCK_FILE).decode())
    catalog = context.catalog(project, tuple(context.named(r) for r in project.requirements))
    manifests = [context.fetch(locked, catalog).manifest for locked in lock.packages]
    return InstalledPackages(tuple((manifest, instances_of(manifest, project)) for manifest in manifests))
