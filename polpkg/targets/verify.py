"""Whether the files of a target are still what polpkg left: the receipt against what is there.

Whether the policy itself would be built the same again is for `ops` to see, and what is loaded for a live host.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, NamedTuple

from polpkg.errors import TargetError
from polpkg.targets.boot.known import BOOT_PATHS
from polpkg.targets.boot.set_up import boot_set_up
from polpkg.targets.document import digest
from polpkg.targets.generations import current_generation, generation_numbers, read_generation
from polpkg.targets.layout import (
    BOOT,
    JOURNAL,
    LOCK_FILE,
    POLICY_PREFIX,
    PROJECT,
    PROJECT_FILE,
    PROJECT_LOCK,
    RECEIPT_FILE,
    SYSTEM_FILES,
    artifact_folder,
    generation_path,
    is_executable,
    system_file,
)
from polpkg.targets.present import find_boot_configuration, find_orphans
from polpkg.targets.probe import probe_hypervisors
from polpkg.targets.recovery import find_damage, is_interrupted
from polpkg.targets.target import FileKind

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from polpkg.targets.boot.path import BootPath
    from polpkg.targets.probe import HypervisorFile, Reader
    from polpkg.targets.receipt import HypervisorRecord, PolicyRecord, Receipt
    from polpkg.targets.target import Target


class DriftKind(Enum):
    """In what way a target is not as it was left."""

    MISSING = "missing"
    CHANGED = "changed"
    FOREIGN = "foreign"
    INTERRUPTED = "interrupted"
    MODE = "mode"
    DAMAGED = "damaged"
    HYPERVISOR_ABI = "hypervisor-abi"
    HYPERVISOR_CHANGED = "hypervisor-changed"
    HYPERVISOR_MISSING = "hypervisor-missing"
    HYPERVISOR_NEW = "hypervisor-new"


class Drift(NamedTuple):
    """One thing that is not as it was left: where, and in one line what."""

    kind: DriftKind
    path: str
    message: str


def verify_files(
    target: Target,
    read: Reader | None = None,
    *,
    thorough: bool = False,
    boot_paths: Sequence[BootPath] = BOOT_PATHS,
) -> tuple[Drift, ...]:
    """What is not as the current generation left it; empty when all is.

    `read` reads a hypervisor file, as in `find_hypervisors`.  `thorough`: earlier generations are looked at as well.
    Raises TargetError: `no-generation` when there is nothing
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
        *_boot_configuration_drift(target, receipt, boot_paths),
        *hypervisor_drift(target, receipt, read),
        *(_earlier_damage(target, receipt) if thorough else ()),
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
    else:
        yield from _check_mode(target, path)


def _check_mode(target: Target, path: str) -> Iterator[Drift]:
    """Whether somebody else may write the file, or a program cannot be run.

    Modes are not compared to the bit: an EFI system partition has one for all its files.
    """
    found = target.stat(path)
    if found is None:
        return
    if found.mode & 0o022:
        message = f"{path} may be written by others than its owner (mode {found.mode:04o})"
        yield Drift(DriftKind.MODE, path, message)
    elif is_executable(path) and not found.mode & 0o100:
        yield Drift(DriftKind.MODE, path, f"{path} cannot be run (mode {found.mode:04o}), so it has no effect")


def _generation_drift(target: Target, receipt: Receipt) -> Iterator[Drift]:
    folder = generation_path(receipt.generation)
    for relative, sha256 in receipt.files.items():
        yield from _compare(target, f"{folder}/{relative}", sha256)
    for path in sorted(_files_below(target, folder)):
        relative = path.removeprefix(f"{folder}/")
        if relative not in receipt.files and relative != RECEIPT_FILE:
            yield Drift(DriftKind.FOREIGN, path, f"{path} is not of generation {receipt.generation}")


def _files_below(target: Target, folder: str) -> Iterator[str]:
    for name in target.list(folder):
        path = f"{folder}/{name}"
        found = target.stat(path)
        if found is not None and found.kind is FileKind.DIRECTORY and target.read_link(path) is None:
            yield from _files_below(target, path)
        else:
            yield path


def _earlier_damage(target: Target, receipt: Receipt) -> Iterator[Drift]:
    """Whether the generations that one could go back to are whole: better known today than on that day."""
    for number in generation_numbers(target):
        if number == receipt.generation:
            continue
        folder = generation_path(number)
        try:
            earlier = read_generation(target, number)
            damaged = find_damage(target, folder, earlier.files.items())
        except TargetError as error:
            yield Drift(DriftKind.DAMAGED, folder, f"generation {number} cannot be gone back to: {error.message}")
            continue
        if damaged:
            message = f"generation {number} cannot be gone back to: {damaged} is not what was written"
            yield Drift(DriftKind.DAMAGED, damaged, message)


def _boot_configuration_drift(target: Target, receipt: Receipt, boot_paths: Sequence[BootPath]) -> Iterator[Drift]:
    """Files of boot loaders that polpkg has written, against what it would write now."""
    wanted = boot_set_up(target, receipt.policies, boot_paths=boot_paths)
    for path, (content, also, _) in sorted(wanted.files.items()):
        if target.stat(path) is None:
            yield Drift(DriftKind.MISSING, path, f"{path} is missing: `polpkg sync` writes it")
        elif target.read(path) not in (content, *also):
            yield Drift(DriftKind.CHANGED, path, f"{path} is not as it should be: `polpkg sync` writes it again")
        else:
            yield from _check_mode(target, path)
    for path in find_boot_configuration(target, receipt.boot_files):
        if path not in wanted.files:
            yield Drift(DriftKind.FOREIGN, path, f"{path} is not needed: `polpkg sync` removes it")


def _boot_drift(target: Target, receipt: Receipt) -> Iterator[Drift]:
    ours = receipt.boot_files
    for path, policy in ours.items():
        yield from _compare(target, path, policy.sha256)
    adopted = {path for path, (_, policy) in find_orphans(target, ours).items() if _is_adopted(target, path, policy)}
    for directory in sorted({BOOT, *(path.rpartition("/")[0] for path in ours)}):
        for name in target.list(directory or "/"):
            path = f"{directory}/{name}"
            if name.startswith(POLICY_PREFIX) and path not in ours and path not in adopted:
                yield Drift(DriftKind.FOREIGN, path, f"{path} is not of generation {receipt.generation}")


def _is_adopted(target: Target, path: str, policy: PolicyRecord) -> bool:
    """Whether a boot file is one that an earlier generation found and left as it was."""
    return policy.is_adopted and digest(target.read(path)) == policy.sha256


def _configuration_drift(target: Target, receipt: Receipt) -> Iterator[Drift]:
    for path, relative in ((PROJECT, PROJECT_FILE), (PROJECT_LOCK, LOCK_FILE)):
        yield from _compare(target, path, receipt.files.get(relative, ""))
    for path in sorted(SYSTEM_FILES):
        if (sha256 := receipt.files.get(system_file(path))) is not None:
            yield from _compare(target, path, sha256)


def hypervisor_drift(target: Target, receipt: Receipt, read: Reader | None = None) -> Iterator[Drift]:
    """Which hypervisor files are others than `receipt` has, new, or gone; `read` as in `find_hypervisors`."""
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
