"""`polpkg list`: the packages of a target, and why each is there in one word."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from polpkg.ops.installed import read_installed

if TYPE_CHECKING:
    from polpkg.ops.installed import Installed
    from polpkg.packages.lock import LockedPackage
    from polpkg.targets.target import Target


class ListedPackage(NamedTuple):
    """One package of a target.

    `is_asked`: policy.toml names it.  `is_base`: every target has it.  `required_by`: the packages that require it.
    """

    package: LockedPackage
    is_asked: bool
    is_base: bool
    required_by: tuple[str, ...]


def list_packages(target: Target) -> tuple[int, tuple[ListedPackage, ...]]:
    """The number of the current generation and its packages by name; 0 and none when nothing is installed.

    Raises as `read_installed` does.
    """
    installed = read_installed(target)
    if installed is None:
        return 0, ()
    return installed.receipt.generation, tuple(_listed(installed, package) for package in installed.lock.packages)


def _listed(installed: Installed, package: LockedPackage) -> ListedPackage:
    asked = package.name in installed.project.packages
    requiring = (p.name for p in installed.lock.packages if any(r.name == package.name for r in p.requires))
    is_base = package.name in installed.project.target.base
    return ListedPackage(package, asked, is_base and not asked, tuple(requiring))
