"""Which packages a plan adds, removes and moves to another version."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, NamedTuple

from polpkg.targets.receipt import package_document

if TYPE_CHECKING:
    from polpkg.targets.receipt import PackageRecord


class PackageChange(NamedTuple):
    """A package of which there is another version, or other bytes of the same version, than before."""

    old: PackageRecord
    new: PackageRecord

    @property
    def document(self) -> dict[str, str]:
        """As it stands in JSON."""
        return {"name": self.new.name, "from": self.old.version, "to": self.new.version}


class Changes(NamedTuple):
    """What happens to the packages of a target; `rebuilt`: other bytes or another index under the same version."""

    added: tuple[PackageRecord, ...] = ()
    removed: tuple[PackageRecord, ...] = ()
    upgraded: tuple[PackageChange, ...] = ()
    downgraded: tuple[PackageChange, ...] = ()
    rebuilt: tuple[PackageChange, ...] = ()

    @property
    def document(self) -> dict[str, Any]:
        """As they stand in JSON (CLI.md)."""
        return {
            "added": [package_document(package) for package in self.added],
            "removed": [package_document(package) for package in self.removed],
            "upgraded": [change.document for change in self.upgraded],
            "downgraded": [change.document for change in self.downgraded],
            "rebuilt": [change.document for change in self.rebuilt],
        }

    @property
    def lines(self) -> list[str]:
        """A line for a person for each package that changes."""
        return [
            *(f"+ {package.name} {package.version}" for package in self.added),
            *(f"- {package.name} {package.version}" for package in self.removed),
            *(f"^ {each.new.name} {each.old.version} -> {each.new.version}" for each in self.upgraded),
            *(f"v {each.new.name} {each.old.version} -> {each.new.version}" for each in self.downgraded),
            *(f"~ {each.new.name} {each.new.version} (other bytes)" for each in self.rebuilt),
        ]


def compare_packages(old: Iterable[PackageRecord], new: Iterable[PackageRecord]) -> Changes:
    """What changes from `old` to `new`, each in the order of names."""
    before = {package.name: package for package in old}
    after = {package.name: package for package in new}
    both = [PackageChange(before[name], after[name]) for name in sorted(before.keys() & after.keys())]
    moved = [change for change in both if change.old.version != change.new.version]
    return Changes(
        tuple(after[name] for name in sorted(after.keys() - before.keys())),
        tuple(before[name] for name in sorted(before.keys() - after.keys())),
        tuple(change for change in moved if not _is_downgrade(change)),
        tuple(change for change in moved if _is_downgrade(change)),
        tuple(change for change in both if change not in moved and change.old != change.new),
    )


def _is_downgrade(change: PackageChange) -> bool:
    from packaging.version import Version

    return Version(change.new.version) < Version(change.old.version)
