"""The policy that a question is about: a policydb file, a generation of a target, or its current one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from polpkg.diagnostics import Origin
from polpkg.errors import PolicyError, TargetError, UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from polpkg.policy.analysis.view import PolicyView
    from polpkg.targets.receipt import PolicyRecord, Receipt
    from polpkg.targets.target import Target
    from polpkg.targets.wanted import PolicyArtifact


@dataclass(frozen=True, slots=True)
class ReadPolicy:
    """A policy to ask questions of, and what to call it."""

    view: PolicyView
    label: str


def read_policy_file(path: Path) -> ReadPolicy:
    """A policydb file, whoever made it; its rules have no origins.

    Raises UsageError when it cannot be read and PolicyError when it is damaged.
    """
    from polpkg.policy.analysis.view import view_of
    from polpkg.policy.policydb import lift, read_policydb

    try:
        data = path.read_bytes()
    except OSError as error:
        raise UsageError("cannot-read", f"{path} cannot be read: {error.strerror}") from error
    try:
        return ReadPolicy(view_of(lift(read_policydb(data))), str(path))
    except PolicyError as error:
        raise PolicyError(error.code, error.message, origin=Origin("", "", str(path), 0), hint=error.hint) from error


def read_installed_policy(target: Target, generation: int | None = None, xen: str = "") -> ReadPolicy:
    """The policy of a generation, by default the current one, with the origin of every rule.

    `xen` chooses among several policies: a version, a hypervisor file, or the fingerprint of an ABI.  Raises
    TargetError `no-generation` when nothing is installed.
    """
    receipt = find_generation(target, generation)
    return read_policy_record(target, receipt, _choose(receipt, xen))[0]


def read_policy_record(target: Target, receipt: Receipt, record: PolicyRecord) -> tuple[ReadPolicy, bytes]:
    """One policy of a generation, with the origin of every rule, and its policydb.  Raises TargetError."""
    from polpkg.targets.generations import read_artifact
    from polpkg.targets.layout import POLICYDB_FILE

    artifact = read_artifact(target, receipt, record)
    which = f"Xen {artifact.xen_version}" if artifact.xen_version else record.place
    label = f"generation {receipt.generation}, {which}"
    return ReadPolicy(read_artifact_view(artifact), label), artifact.files[POLICYDB_FILE]


def read_artifact_view(artifact: PolicyArtifact) -> PolicyView:
    """A compiled policy with the origin of every rule.  Raises PolicyError when its files do not belong together."""
    from polpkg.ops.artifacts import MAP_FILE
    from polpkg.policy.analysis.link_map import read_link_map
    from polpkg.policy.policydb import lift, read_policydb
    from polpkg.targets.layout import POLICYDB_FILE

    policy = lift(read_policydb(artifact.files[POLICYDB_FILE]))
    return read_link_map(artifact.files[MAP_FILE], policy)


def find_generation(target: Target, number: int | None) -> Receipt:
    """The receipt of a generation, by default the current one.  Raises TargetError when there is none."""
    from polpkg.targets.generations import current_generation, read_generation

    receipt = current_generation(target) if number is None else read_generation(target, number)
    if receipt is None:
        raise TargetError("no-generation", f"nothing is installed in {target.name}", hint="`polpkg install` does that")
    return receipt


def find_policy(target: Target, path: Path) -> tuple[int, str]:
    """The newest generation that has this very policy, and the fingerprint of the ABI that it is for.

    Raises UsageError when the file cannot be read, `not-of-this-target` when no generation has it.
    """
    from hashlib import sha256

    from polpkg.targets.generations import history

    try:
        digest = sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise UsageError("cannot-read", f"{path} cannot be read: {error.strerror}") from error
    for receipt in reversed(history(target)):
        for policy in receipt.policies:
            if policy.sha256 == digest:
                return receipt.generation, policy.abi
    hint = "a policy does not say who owns what; name the target that it was made for"
    raise UsageError("not-of-this-target", f"no generation of {target.name} has the policy {path}", hint=hint)


def _choose(receipt: Receipt, xen: str) -> PolicyRecord:
    if not xen:
        return receipt.policies[0]
    from polpkg.policy.abi.hypervisor import resolve_xen

    known = any(policy.abi == xen for policy in receipt.policies)
    return policy_for(receipt, xen if known else resolve_xen(xen).fingerprint, xen)


def policy_for(receipt: Receipt, abi: str, xen: str) -> PolicyRecord:
    """The policy of a generation for an ABI; `xen` is for the message.  Raises TargetError `no-such-policy`."""
    for policy in receipt.policies:
        if policy.abi == abi:
            return policy
    there = ", ".join(policy.xen_version for policy in receipt.policies)
    message = f"generation {receipt.generation} has no policy for Xen {xen}"
    raise TargetError("no-such-policy", message, hint=f"it has policies for Xen {there}")
