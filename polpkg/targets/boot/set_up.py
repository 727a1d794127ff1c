"""What the boot loaders of a target need for what is wanted: asked of each boot path, and put together.

Nothing of it is kept in generations: it follows from their policies, from which one is confirmed, and from what the
target boots with, so going back to an old generation does not bring back an old script.
"""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING

from polpkg.errors import TargetError
from polpkg.targets.boot.known import BOOT_PATHS
from polpkg.targets.boot.path import Served, SetUp
from polpkg.targets.boot.remembered import remembered
from polpkg.targets.document import digest
from polpkg.targets.layout import POLICYDB_FILE, is_boot_configuration

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from polpkg.targets.boot.path import BootFileContent, BootFinding, BootOnce, BootPath
    from polpkg.targets.receipt import PolicyRecord
    from polpkg.targets.target import Target
    from polpkg.targets.wanted import WantedState


def with_boot_set_up(
    target: Target, wanted: WantedState, confirmed: int | None = None, boot_paths: Sequence[BootPath] = BOOT_PATHS
) -> WantedState:
    """`wanted` with what the boot loaders of `target` need for it.

    `confirmed`: the generation to fall back to, by default the one that is marked.  Raises TargetError.
    """
    contents = {each.record.sha256: each.files[POLICYDB_FILE] for each in wanted.artifacts}
    return replace(wanted, boot=boot_set_up(target, wanted.records, confirmed, boot_paths, contents))


def boot_set_up(
    target: Target,
    policies: Iterable[PolicyRecord],
    confirmed: int | None = None,
    boot_paths: Sequence[BootPath] = BOOT_PATHS,
    contents: Mapping[str, bytes] = MappingProxyType({}),
) -> SetUp:
    """The same for policies of which the records are at hand; `contents` by digest, else what is in place is taken."""
    files: dict[str, BootFileContent] = {}
    notes: list[str] = []
    once: list[BootOnce] = []
    served = find_served(target, policies, confirmed, contents)
    seen = remembered(target)
    for boot_path in boot_paths:
        found = boot_path.set_up(seen, served)
        _refuse_other_files(boot_path, found)
        files |= found.files
        notes += found.notes
        once += found.once
    return SetUp(files, tuple(notes), tuple(once))


def _refuse_other_files(boot_path: BootPath, found: SetUp) -> None:
    """A change could not be finished after a crash: its journal is believed only of files for booting."""
    for path in found.files:
        if not is_boot_configuration(path):
            raise TargetError("not-a-boot-file", f"the boot path {boot_path.name} wants to write {path}, outside /boot")


def inspect_boot(
    target: Target, policies: Iterable[PolicyRecord], boot_paths: Sequence[BootPath] = BOOT_PATHS
) -> tuple[BootFinding, ...]:
    """What all boot paths find about how `target` boots hypervisors with `policies`."""
    served = find_served(target, policies)
    seen = remembered(target)
    return tuple(finding for boot_path in boot_paths for finding in boot_path.inspect(seen, served))


def find_served(
    target: Target,
    policies: Iterable[PolicyRecord],
    confirmed: int | None = None,
    contents: Mapping[str, bytes] = MappingProxyType({}),
) -> tuple[Served, ...]:
    """The hypervisors that have `policies`, each with the confirmed policy for its ABI.

    A confirmed generation that is damaged is as good as none: `verify` tells of it.
    """
    policies = tuple(policies)
    if not any(boot.hypervisors for policy in policies for boot in policy.boot_files):
        return ()
    fallbacks = _fallbacks(target, confirmed)
    return tuple(
        Served(each.path, each.sha256, each.version, boot.path, policy.sha256, fallbacks.get(policy.abi), content)
        for policy in policies
        for boot in policy.boot_files
        for content in [contents.get(policy.sha256) or _in_place(target, boot.path, policy.sha256)]
        for each in boot.hypervisors
    )


def _in_place(target: Target, path: str, sha256: str) -> bytes:
    """The policy at `path`; empty when it is another one."""
    content = target.read(path) if target.stat(path) else b""
    return content if digest(content) == sha256 else b""


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
