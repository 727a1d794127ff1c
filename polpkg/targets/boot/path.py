"""What a boot path is, and the two that can be told by where a hypervisor file lies."""

from __future__ import annotations

from typing import Protocol

from polpkg.targets.boot.naming import policy_name_for_efi, policy_name_for_grub
from polpkg.targets.layout import BOOT


class BootPath(Protocol):
    """One way in which hypervisors are started, with its rule for where the policy is."""

    @property
    def name(self) -> str:
        """What policy.toml and messages call it."""
        ...

    def starts(self, hypervisor: str) -> bool:
        """Whether the hypervisor file at this path is started this way."""
        ...

    def policy_path(self, hypervisor: str) -> str:
        """Where the policy for the hypervisor file at this path has to be."""
        ...


class GrubBootPath:
    """GRUB, which pairs files in /boot by name; also `.efi` files there, which it lists as any other."""

    name = "grub"

    def starts(self, hypervisor: str) -> bool:
        """Files directly in /boot."""
        return hypervisor.rpartition("/")[0] == BOOT

    def policy_path(self, hypervisor: str) -> str:
        """Beside the hypervisor, by GRUB's rule."""
        directory, _, name = hypervisor.rpartition("/")
        return f"{directory}/{policy_name_for_grub(name)}"


class EfiBootPath:
    """`xen.efi` started by the firmware: its configuration names a policy in the same directory (`xsm=`)."""

    name = "xen.efi"

    def starts(self, hypervisor: str) -> bool:
        """EFI programs in a directory below /boot: an EFI system partition."""
        return hypervisor.lower().endswith(".efi") and not GrubBootPath().starts(hypervisor)

    def policy_path(self, hypervisor: str) -> str:
        """Beside the program."""
        directory, _, name = hypervisor.rpartition("/")
        return f"{directory}/{policy_name_for_efi(name)}"


BOOT_PATHS: tuple[BootPath, ...] = (GrubBootPath(), EfiBootPath())
"""The boot paths that are told by the place of the hypervisor file, in the order in which they are asked."""
