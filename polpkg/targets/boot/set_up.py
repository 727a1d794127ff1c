"""What the boot loaders of a target need for what is wanted: asked of each boot path, and put together.

Nothing of it is kept in generations: it follows from their policies, from which one is confirmed, and from what the
target boots with, so going back to an old generation does not bring back an old script.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from polpkg.errors import TargetError
from polpkg.targets.boot.known import BOOT_PATHS
from polpkg.targets.boot.path import Served, SetUp
from polpkg.targets.layout import POLICYDB_FILE

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from polpkg.targets.boot.path import BootFileContent, BootFinding, BootPath
    from polpkg.targets.receipt import PolicyRecord
    from polpkg.targets.target import Target
    from polpkg.targets.wanted import WantedState


def with_boot_set_up(
    target: Target, wanted: WantedState, confirmed: int | None = None, boot_paths: Sequence[BootPath] = BOOT_PATHS
) -> WantedState:
    """`wanted` with what the boot loaders of `target` need for it.

    `confirmed`: the generation to fall back to, by default the one that is marked.  Raises TargetError.
    """
    return replace(wanted, boot=boot_set_up(target, wanted.records, confirmed, boot_paths))


def boot_set_up(
    target: Target,
    policies: Iterable[PolicyRecord],
    confirmed: int | None = None,
    boot_paths: Sequence[BootPath] = BOOT_PATHS,
) -> SetUp:
    """The same for policies of which only the records are at hand."""
    files: dict[str, BootFileContent] = {}
    notes: list[str] = []
    rest = find_served(target, policies, confirmed)
    for boot_path in boot_paths:
        served = tuple(each for each in rest if boot_path.starts(each.hypervisor))
        rest = tuple(each for each in rest if each not in served)
        found = boot_path.set_up(target, served)
        files |= found.files
        notes += found.notes
    return SetUp(files, tuple(notes))


def inspect_boot(
    target: Target, policies: Iterable[PolicyRecord], boot_paths: Sequence[BootPath] = BOOT_PATHS
) -> tuple[BootFinding, ...]:
    """What all boot paths find about how `target` boots hypervisors with `policies`.

    A boot path that starts none of them is asked with all of them: it may know another way to boot one.
    """
    all_served = find_served(target, policies)
    findings: list[BootFinding] = []
    for boot_path in boot_paths:
        started = tuple(each for each in all_served if boot_path.starts(each.hypervisor))
        findings += boot_path.inspect(target, started or all_served)
    return tuple(findings)


def find_served(target: Target, policies: Iterable[PolicyRecord], confirmed: int | None = None) -> tuple[Served, ...]:
    """The hypervisors that have `policies`, each with the confirmed policy for its ABI.

    A confirmed generation that is damaged is as good as none: `verify` tells of it.
    """
    policies = tuple(policies)
    if not any(boot.hypervisors for policy in policies for boot in policy.boot_files):
        return ()
    fallbacks = _fallbacks(target, confirmed)
    return tuple(
        Served(each.path, each.sha256, each.version, boot.path, policy.sha256, fallbacks.get(policy.abi))
        for policy in policies
        for boot in policy.boot_files
        for each in boot.hypervisors
    )


def _fallbacks(target: Target, confirmed: int | None) -> dict[str, bytes]:
    """The policies of the confirmed generation, by the fingerprint of their ABI."""
    from polpkg.targets.generations import is_damage, read_artifact, read_generation
    from polpkg.targets.marks import read_marks

    number = read_marks(target).confirmed if confirmed is None else confirmed
    if number is None:
        return {}
    try:
        receipt = read_generation(target, number)
        artifacts = [read_artifact(target, receipt, policy) for policy in receipt.policies]
    except TargetError as error:
        if is_damage(error):
            return {}
        raise
    return {each.abi_fingerprint: each.files[POLICYDB_FILE] for each in artifacts}
