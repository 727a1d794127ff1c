"""`polpkg probe` of a target: its hypervisors, and whether the policy that each would be booted with fits."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from polpkg.errors import PolicyError, TargetError
from polpkg.ops.live_status import read_live_status
from polpkg.targets.boot.known import BOOT_PATHS
from polpkg.targets.boot.path import BootFinding, Served
from polpkg.targets.boot.placing import choose_boot_path, find_boot_path
from polpkg.targets.boot.set_up import boot_set_up, find_served, inspect_boot
from polpkg.targets.document import digest
from polpkg.targets.generations import current_generation
from polpkg.targets.layout import BOOT
from polpkg.targets.probe import probe_hypervisors, read_contents

if TYPE_CHECKING:
    from collections.abc import Sequence

    from polpkg.ops.live_status import LiveStatus
    from polpkg.policy.abi import Abi
    from polpkg.policy.policydb import PolicyDb
    from polpkg.targets.boot.path import BootPath
    from polpkg.targets.probe import HypervisorFile
    from polpkg.targets.receipt import PolicyRecord, Receipt
    from polpkg.targets.target import Target


class BootPolicy(NamedTuple):
    """The policy file that a hypervisor file is booted with.

    `is_ours`: polpkg wrote it and it is unchanged.  `misfit`: why the hypervisor would refuse it, empty when it fits;
    None when there is no file.
    """

    path: str
    is_there: bool
    is_ours: bool
    misfit: str | None

    @property
    def fits(self) -> bool:
        """Whether the hypervisor would take it."""
        return self.misfit == ""


class ProbedHypervisor(NamedTuple):
    """A hypervisor file of a target.

    `versions` are the known ones that have its ABI, `policy` is None when no policy can be made for it.  `boot_paths`:
    the names of those that start it or have a configuration for it here.
    """

    file: HypervisorFile
    versions: tuple[str, ...]
    policy: BootPolicy | None
    boot_paths: tuple[str, ...] = ()


class ProbedTarget(NamedTuple):
    """The hypervisor files of a target by path, and its policies that were made for a release which was only named.

    `boot`: what was found about how it boots.  `live`: what runs there; None for a tree or an image.
    """

    hypervisors: tuple[ProbedHypervisor, ...]
    named: tuple[PolicyRecord, ...]
    boot: tuple[BootFinding, ...] = ()
    live: LiveStatus | None = None


def probe_target(target: Target, boot_paths: Sequence[BootPath] = BOOT_PATHS) -> ProbedTarget:
    """What `target` boots, with which policies, and what `boot_paths` find about it.

    Raises TargetError `no-hypervisor` when there is neither a file nor a policy for a named release, `damaged-receipt`,
    and what reading files raises.
    """
    from polpkg.policy.abi import versions_of

    receipt = current_generation(target)
    found = probe_hypervisors(target, receipt)
    policies = receipt.policies if receipt else ()
    named = tuple(p for p in policies if not p.is_adopted and not any(boot.hypervisors for boot in p.boot_files))
    if not found and not named:
        raise TargetError("no-hypervisor", f"there is no hypervisor in {target.name}", hint="it would be in /boot")
    hypervisors = (
        ProbedHypervisor(
            each,
            versions_of(each.fingerprint) if each.is_usable else (),
            _boot_policy(target, receipt, each, boot_paths) if each.is_usable else None,
            _boot_path_names(target, each, boot_paths),
        )
        for each in found
    )
    return ProbedTarget(
        tuple(hypervisors), named, _inspect(target, policies, boot_paths), read_live_status(target, receipt)
    )


def _inspect(
    target: Target, policies: Sequence[PolicyRecord], boot_paths: Sequence[BootPath]
) -> tuple[BootFinding, ...]:
    """What is found about how a target boots; that nothing is found is worth a word too."""
    from polpkg.targets.boot.grub_check import find_configuration

    found = inspect_boot(target, policies, boot_paths)
    served = find_served(target, policies)
    if found or not served or find_configuration(target) or boot_set_up(target, policies, boot_paths=boot_paths).files:
        return found
    names = ", ".join(each.hypervisor for each in served)
    message = (
        f"nothing here says how {names} is booted: its policy has to be handed to it, and xsm=flask flask=enforcing"
    )
    return (BootFinding("no-boot-loader", BOOT, message, is_wrong=False),)


def _boot_path_names(target: Target, hypervisor: HypervisorFile, boot_paths: Sequence[BootPath]) -> tuple[str, ...]:
    """By the place of the file, and by the configurations that name it."""
    chosen = choose_boot_path(hypervisor.path, boot_paths)
    path = chosen.policy_path(hypervisor.path)
    served = (Served(hypervisor.path, hypervisor.sha256, hypervisor.version, path, "", content=b" "),)
    others = (each for each in boot_paths if each.name != chosen.name and each.set_up(target, served).files)
    return (chosen.name, *(each.name for each in others))


def _boot_policy(
    target: Target, receipt: Receipt | None, hypervisor: HypervisorFile, boot_paths: Sequence[BootPath]
) -> BootPolicy:
    path = find_boot_path(hypervisor.path, boot_paths)
    if target.stat(path) is None:
        return BootPolicy(path, is_there=False, is_ours=False, misfit=None)
    content = target.read(path)
    record = receipt.boot_files.get(path) if receipt else None
    is_ours = record is not None and record.sha256 == digest(content)
    misfit = why_refused(content, read_contents(target, hypervisor).abi)
    return BootPolicy(path, is_there=True, is_ours=is_ours, misfit=misfit)


def why_refused(policydb: bytes, hypervisor: Abi) -> str:
    """Why a hypervisor would refuse the policy that `policydb` is; empty when it would not.

    Classes and permissions are compared as Xen does when it loads a policy: see `polpkg.policy.abi.accepts`.
    """
    from polpkg.policy.abi.difference import accepts
    from polpkg.policy.policydb import read_policydb

    try:
        return accepts(_tables(read_policydb(policydb), hypervisor), hypervisor) or ""
    except (PolicyError, ValueError) as error:
        return error.message if isinstance(error, PolicyError) else str(error)


def _tables(policy: PolicyDb, hypervisor: Abi) -> Abi:
    """The classes and permissions of a policy by number; a policydb does not name initial SIDs."""
    from polpkg.policy.abi import Abi, SecurityClass

    classes = sorted(policy.classes.entries, key=lambda each: each.value)
    tables = (
        SecurityClass(each.name, tuple(p.name for p in sorted(each.permissions, key=lambda p: p.value)))
        for each in classes
    )
    return Abi(tuple(tables), hypervisor.initial_sids)
