"""Which boot file each hypervisor file needs, and with that which policies have to be compiled.

One boot file for each hypervisor *file*.  A link beside it (`xen.gz` to `xen-4.17-amd64.gz`, as Xen's installation
makes them) gets none: the menu entries that GRUB makes of links start the same hypervisor again, and a policy for each
would be a copy more to keep right without one more way to boot.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from polpkg.errors import TargetError
from polpkg.targets.boot.known import BOOT_PATHS
from polpkg.targets.boot.naming import policy_name_for_version
from polpkg.targets.layout import BOOT
from polpkg.targets.receipt import BootFile

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from polpkg.targets.boot.path import BootPath
    from polpkg.targets.probe import HypervisorFile


def place_policies(
    hypervisors: Iterable[HypervisorFile], boot_paths: Sequence[BootPath] = BOOT_PATHS
) -> dict[str, tuple[BootFile, ...]]:
    """The boot files that usable hypervisor files need, for each ABI by its fingerprint; both sorted.

    Two hypervisors of one ABI whose names lead to one policy share it.  Raises TargetError: `boot-file-clash` when two
    of different ABIs would, `unknown-boot-path` when no boot path starts one.
    """
    served: dict[str, list[HypervisorFile]] = {}
    for hypervisor in hypervisors:
        if hypervisor.is_usable:
            served.setdefault(find_boot_path(hypervisor.path, boot_paths), []).append(hypervisor)
    places: dict[str, tuple[BootFile, ...]] = {}
    for path, sharing in sorted(served.items()):
        _refuse_clash(path, sharing)
        boot_file = BootFile(path, tuple(sorted(each.record for each in sharing)))
        abi = sharing[0].fingerprint
        places[abi] = (*places.get(abi, ()), boot_file)
    return dict(sorted(places.items()))


def place_for_version(version: str) -> BootFile:
    """The boot file for a release that was named and not found as a file, by its full version."""
    return BootFile(f"{BOOT}/{policy_name_for_version(version)}")


def find_boot_path(hypervisor: str, boot_paths: Sequence[BootPath] = BOOT_PATHS) -> str:
    """Where the policy for the hypervisor file at `hypervisor` has to be.  Raises TargetError `unknown-boot-path`."""
    return choose_boot_path(hypervisor, boot_paths).policy_path(hypervisor)


def choose_boot_path(hypervisor: str, boot_paths: Sequence[BootPath] = BOOT_PATHS) -> BootPath:
    """The first boot path that starts the hypervisor file at `hypervisor`.  Raises TargetError `unknown-boot-path`."""
    for boot_path in boot_paths:
        if boot_path.starts(hypervisor):
            return boot_path
    raise TargetError("unknown-boot-path", f"how {hypervisor} is booted is not known, nor where its policy has to be")


def _refuse_clash(path: str, sharing: Sequence[HypervisorFile]) -> None:
    first, *others = sharing
    for other in others:
        if other.fingerprint != first.fingerprint:
            raise TargetError(
                "boot-file-clash",
                f"{first.path} and {other.path} have different ABIs, but both are booted with {path}",
                hint="rename one of them, or remove the one that is not used",
            )
