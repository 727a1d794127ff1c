"""Going back: a new generation with the content of an old one.  History is never rewritten."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from polpkg.errors import TargetError
from polpkg.targets.apply import apply_plan
from polpkg.targets.boot.known import BOOT_PATHS
from polpkg.targets.boot.placing import place_policies
from polpkg.targets.boot.set_up import with_boot_set_up
from polpkg.targets.confirm import is_confirmed
from polpkg.targets.generations import current_generation, read_generation, read_state
from polpkg.targets.layout import artifact_folder
from polpkg.targets.marks import read_marks
from polpkg.targets.plan import DEFAULT_KEEP, compute_plan
from polpkg.targets.present import read_present

if TYPE_CHECKING:
    from collections.abc import Sequence

    from polpkg.targets.boot.path import BootPath
    from polpkg.targets.probe import HypervisorFile
    from polpkg.targets.receipt import Receipt
    from polpkg.targets.target import Target
    from polpkg.targets.wanted import PolicyArtifact, WantedState


def rollback(
    target: Target,
    number: int | None = None,
    hypervisors: Sequence[HypervisorFile] = (),
    *,
    keep: int = DEFAULT_KEEP,
    created: str | None = None,
    boot_paths: Sequence[BootPath] = BOOT_PATHS,
) -> Receipt:
    """Make `target` have again what generation `number` had; see `rollback_state` and `apply_plan`.

    The lock is held by the caller, who has also called `recover`.
    """
    wanted = with_boot_set_up(target, rollback_state(target, number, hypervisors, boot_paths), boot_paths=boot_paths)
    plan = compute_plan(wanted, read_present(target, wanted), keep=keep)
    return apply_plan(target, plan, wanted, created=created)


def rollback_state(
    target: Target,
    number: int | None = None,
    hypervisors: Sequence[HypervisorFile] = (),
    boot_paths: Sequence[BootPath] = BOOT_PATHS,
) -> WantedState:
    """What generation `number` was, as what is wanted.

    By default that is the one that was confirmed, when the current one is not; else the one before the current one.

    `hypervisors`: those that the target has now.  Its policies go to the boot files that these need; when there are
    none, to where they went before.  Raises TargetError: `no-such-generation`, `damaged-generation`, and
    `generation-does-not-fit` when a hypervisor has an ABI that the generation has no policy for.
    """
    receipt = read_generation(target, _number_to_go_back_to(target) if number is None else number)
    wanted = read_state(target, receipt, f"rollback {receipt.generation}")
    usable = [each for each in hypervisors if each.is_usable]
    if not usable:
        return wanted
    if receipt.is_adopted:
        return replace(wanted, artifacts=_fit_adopted(wanted.artifacts, usable, boot_paths))
    return replace(wanted, artifacts=_fit(receipt, wanted.artifacts, usable, boot_paths))


def _number_to_go_back_to(target: Target) -> int:
    current = current_generation(target)
    marks = read_marks(target)
    if current is not None and marks.confirmed is not None and not is_confirmed(target, current, marks):
        return marks.confirmed
    if current is None or current.parent is None:
        raise TargetError("no-such-generation", f"{target.name} has no generation to go back to")
    return current.parent


def _fit(
    receipt: Receipt,
    artifacts: Sequence[PolicyArtifact],
    hypervisors: Sequence[HypervisorFile],
    boot_paths: Sequence[BootPath],
) -> tuple[PolicyArtifact, ...]:
    places = place_policies(hypervisors, boot_paths)
    by_abi = {artifact.abi_fingerprint: artifact for artifact in artifacts}
    for hypervisor in hypervisors:
        if hypervisor.fingerprint not in by_abi:
            raise TargetError(
                "generation-does-not-fit",
                f"generation {receipt.generation} has no policy for {hypervisor.path}"
                f" (ABI {artifact_folder(hypervisor.fingerprint)})",
                hint="install its packages again, which compiles them for this hypervisor",
            )
    return tuple(replace(by_abi[abi], boot_files=boot_files) for abi, boot_files in places.items())


def _fit_adopted(
    artifacts: Sequence[PolicyArtifact], hypervisors: Sequence[HypervisorFile], boot_paths: Sequence[BootPath]
) -> tuple[PolicyArtifact, ...]:
    """Policies that somebody else made: each back to where it was, or to hypervisors that it fits and that had none.

    A hypervisor that had none gets none: that is how it was.  One that would refuse what it had keeps what it has.
    """
    rest = dict(place_policies(hypervisors, boot_paths))
    abis = {boot.path: abi for abi, boot_files in rest.items() for boot in boot_files}
    fitted: list[PolicyArtifact] = []
    for artifact in artifacts:
        abi = artifact.abi_fingerprint
        free = {boot.path: boot for boot in rest.get(abi, ())}
        back = (boot for boot in artifact.boot_files if abis.get(boot.path, abi) == abi)
        own = {boot.path: free.pop(boot.path, boot) for boot in back}
        if not own:
            own = {path: free.pop(path) for path in tuple(free)}
        rest[artifact.abi_fingerprint] = tuple(free.values())
        fitted.append(replace(artifact, boot_files=tuple(own.values())))
    return tuple(fitted)
