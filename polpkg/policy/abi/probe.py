"""Everything that is known about a hypervisor file, for `polpkg probe`: as a JSON value and as lines for people."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from polpkg.policy.abi.catalogue import Release, find_release, nearest, render_versions, versions_of
from polpkg.policy.abi.hypervisor import Hypervisor, SidSource, inspect_hypervisor

if TYPE_CHECKING:
    from pathlib import Path

    from polpkg.policy.abi.difference import Difference
    from polpkg.policy.abi.model import Abi

_SID_REMARKS = {
    SidSource.TABLE: "not found in the file; those of the known versions with these classes",
    SidSource.UNCERTAIN: "read from the file, which does not say where the list ends: check it",
}


@dataclass(frozen=True, slots=True)
class Report:
    """A hypervisor, the known versions that have its table, and if there are none the nearest and what differs.

    `release` has the facts of the newest of `versions`, of the nearest one otherwise; without FLASK there is none.
    """

    hypervisor: Hypervisor
    versions: tuple[str, ...] = ()
    release: Release | None = None
    difference: Difference | None = None

    def to_json(self) -> dict[str, Any]:
        """The report as a JSON value; `abi` is null without FLASK, `nearest` is null when the table is known."""
        found = self.hypervisor
        return {
            "file": found.name,
            "version": found.version or None,
            "architecture": found.architecture,
            "containers": list(found.containers),
            "flask": found.flask,
            "built_in_policy": found.built_in_policy,
            "abi": self._abi_json(found.table) if found.table else None,
        }

    def lines(self) -> tuple[str, ...]:
        """The report for people, one `name: value` a line, then what differs from the nearest release."""
        found = self.hypervisor
        lines = [
            f"file: {found.name}",
            f"version: {found.version or 'not found in the file'}",
            f"format: {' in '.join(reversed(found.containers))}, {found.architecture}",
            f"FLASK: {'yes' if found.flask else 'no: this build cannot enforce a policy'}",
        ]
        if found.table:
            lines.append(f"built-in policy: {'yes' if found.built_in_policy else 'no'}")
            lines.extend(self._abi_lines(found.table))
        return tuple(lines)

    def _abi_json(self, abi: Abi) -> dict[str, Any]:
        near = policydb = None
        if self.difference is not None and self.release is not None:
            near = {"version": self.release.version, "difference": self.difference.to_json()}
        if self.versions and self.release is not None:
            policydb = [self.release.policydb_min, self.release.policydb_max]
        return {
            "fingerprint": abi.fingerprint,
            "versions": list(self.versions),
            "classes": len(abi.classes),
            "permissions": sum(len(c.permissions) for c in abi.classes),
            "initial_sids": len(abi.initial_sids),
            "initial_sids_from": self.hypervisor.sids.value if self.hypervisor.sids else None,
            "policydb": policydb,
            "nearest": near,
        }

    def _abi_lines(self, abi: Abi) -> list[str]:
        permissions = sum(len(c.permissions) for c in abi.classes)
        lines = [
            f"ABI: {abi.fingerprint}",
            f"table: {len(abi.classes)} classes, {permissions} permissions, {len(abi.initial_sids)} initial SIDs",
        ]
        if (source := self.hypervisor.sids) in _SID_REMARKS:
            lines.append(f"initial SIDs: {_SID_REMARKS[source]}")
        if self.versions and self.release:
            lines.append(f"same table as: Xen {render_versions(self.versions)}")
            lines.append(f"policydb versions it reads: {self.release.policydb_min} to {self.release.policydb_max}")
        elif self.difference is not None and self.release is not None:
            lines.append(f"same table as: no known version; nearest is Xen {self.release.version}, and this one has")
            lines.extend(f"  {line}" for line in self.difference.lines())
        return lines


def probe_hypervisor(source: Path | str | bytes, name: str = "") -> Report:
    """Read a hypervisor file and compare it with the known versions.  Raises as `inspect_hypervisor` does."""
    return report_on(inspect_hypervisor(source, name))


def report_on(hypervisor: Hypervisor) -> Report:
    """What is known about a hypervisor that has been read."""
    if hypervisor.table is None:
        return Report(hypervisor)
    if versions := versions_of(hypervisor.table.fingerprint):
        return Report(hypervisor, versions, find_release(versions[-1]))
    version, changes = nearest(hypervisor.table)
    return Report(hypervisor, (), find_release(version), changes)
