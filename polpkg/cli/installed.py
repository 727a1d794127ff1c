"""What is installed on a target, as verbs show it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from polpkg.targets.receipt import PolicyRecord


def policy_values(policy: PolicyRecord, root: str) -> dict[str, Any]:
    """One policy of a target as a JSON value; `file` is its first boot file as this machine sees it."""
    path = policy.boot_files[0].path if policy.boot_files else ""
    return {
        "path": path,
        "file": f"{root.rstrip('/')}{path}",
        "paths": [boot.path for boot in policy.boot_files],
        "sha256": policy.sha256,
        "size": policy.size,
        "policydb_version": policy.policydb_version,
        "backend": policy.backend,
        "abi": policy.abi,
        "xen": policy.xen_version,
        "types": policy.types,
        "attributes": policy.attributes,
        "allow_rules": policy.allow_rules,
        "permissive": list(policy.permissive),
    }


def drift_values(kind: str, path: str, message: str) -> dict[str, str]:
    """One difference between a target and its receipt as a JSON value."""
    return {"kind": kind, "path": path, "message": message}
