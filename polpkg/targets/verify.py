"""Whether the files of a target are still what polpkg left: the receipt against what is there.

Whether the policy itself would be built the same again is for `ops` to see, and what is loaded for a live host.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, NamedTuple

from polpkg.errors import TargetError
from polpkg.targets.document import digest
from polpkg.targets.generations import current_generation
from polpkg.targets.layout import (
    BOOT,
    JOURNAL,
    LOCK_FILE,
    POLICY_PREFIX,
    PROJECT,
    PROJECT_FILE,
    PROJECT_LOCK,
    SYSTEM_FILES,
    artifact_folder,
    generation_path,
    system_file,
)
from polpkg.targets.probe import probe_hypervisors
from polpkg.targets.recovery import is_interrupted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from polpkg.targets.probe import HypervisorFile, Reader
    from polpkg.targets.receipt import HypervisorRecord, PolicyRecord, Receipt
    from polpkg.targets.target import Target


class DriftKind(Enum):
    """In what way a target is not as it was left."""

    MISSING = "missing"
    CHANGED = "changed"
    FOREIGN = "foreign"
    INTERRUPTED = "interrupted"
    HYPERVISOR_ABI = "hypervisor-abi"
    HYPERVISOR_CHANGED = "hypervisor-changed"
    HYPERVISOR_MISSING = "hypervisor-missing"
    HYPERVISOR_NEW = "hypervisor-new"


class Drift(NamedTuple):
    """One thing that is not as it was left: where, and in one line what."""

    kind: DriftKind
    path: str
    message: str


def verify_files(target: Target, read: Reader | None = None) -> tuple[Drift, ...]:
    """What is not as the current generation left it; empty when all is.

    `read` reads a hypervisor file, as in `find_hypervisors`.  Raises TargetError: `no-generation` when there is nothing
    to compare with, `damaged-receipt`, and whatever keeps files from being read.
    """
    receipt = current_generation(target)
    if receipt is None:
        raise TargetError("no-generation", f"{target.name} has no generation", hint="`polpkg install` makes the first")
    return (
        *_interruption(target),
        *_generation_drift(target, receipt),
        *_boot_drift(target, receipt),
        *_configuration_drift(target, receipt),
        *_hypervisor_drift(target, receipt, read),
    )


def _interruption(target: Target) -> Iterator[Drift]:
    if is_interrupted(target):
        message = "a change is under way, or was interrupted: the next command that changes the target finishes it"
        yield Drift(DriftKind.INTERRUPTED, JOURNAL, message)


def _compare(target: Target, path: str, sha256: str) -> Iterator[Drift]:
    if target.stat(path) is None:
        yield Drift(DriftKind.MISSING, path, f"{path} is missing")
    elif digest(target.read(path)) != sha256:
        yield Drift(DriftKind.CHANGED, path, f"{path} was changed")


def _generation_drift(target: Target, receipt: Receipt) -> Iterator[Drift]:
    folder = generation_path(receipt.generation)
    for relative, sha256 in receipt.files.items():
        yield from _compare(target, f"{folder}/{relative}", sha256)


def _boot_drift(target: Target, receipt: Receipt) -> Iterator[Drift]:
    ours = receipt.boot_files
    for path, policy in ours.items():
        yield from _compare(target, path, policy.sha256)
    for directory in sorted({BOOT, *(path.rpartition("/")[0] for path in ours)}):
        for name in target.list(directory):
            path = f"{directory}/{name}"
            if name.startswith(POLICY_PREFIX) and path not in ours:
                yield Drift(DriftKind.FOREIGN, path, f"{path} is not of generation {receipt.generation}")


def _configuration_drift(target: Target, receipt: Receipt) -> Iterator[Drift]:
    for path, relative in ((PROJECT, PROJECT_FILE), (PROJECT_LOCK, LOCK_FILE)):
        yield from _compare(target, path, receipt.files.get(relative, ""))
    for path in sorted(SYSTEM_FILES):
        if (sha256 := receipt.files.get(system_file(path))) is not None:
            yield from _compare(target, path, sha256)


def _hypervisor_drift(target: Target, receipt: Receipt, read: Reader | None) -> Iterator[Drift]:
    known = receipt.hypervisors
    if not known:
        return
    present = {each.path: each for each in probe_hypervisors(target, receipt, read)}
    for hypervisor, policy in known:
        found = present.pop(hypervisor.path, None)
        if found is None:
            message = f"{hypervisor.path} is gone; its policy is still there"
            yield Drift(DriftKind.HYPERVISOR_MISSING, hypervisor.path, message)
        elif found.sha256 != hypervisor.sha256:
            yield _replaced(hypervisor, policy, found)
    for found in present.values():
        if found.is_usable:
            yield Drift(DriftKind.HYPERVISOR_NEW, found.path, f"{found.path} has no policy yet: run `polpkg sync`")


def _replaced(hypervisor: HypervisorRecord, policy: PolicyRecord, found: HypervisorFile) -> Drift:
    if found.fingerprint == policy.abi:
        message = f"{found.path} was replaced by another build of the same ABI; its policy still fits"
        return Drift(DriftKind.HYPERVISOR_CHANGED, found.path, message)
    told = f"ABI {artifact_folder(found.fingerprint)}" if found.is_usable else found.reason
    message = (
        f"{found.path} was Xen {hypervisor.version} of ABI {artifact_folder(policy.abi)} and now has {told}:"
        " it would refuse its policy; run `polpkg sync` before the next boot"
    )
    return Drift(DriftKind.HYPERVISOR_ABI, found.path, message)
