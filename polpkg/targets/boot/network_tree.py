"""What those boot paths have in common whose files are in a tree that is loaded from, over the network above all."""

from __future__ import annotations

from typing import TYPE_CHECKING

from polpkg.targets.boot.naming import policy_name_for_grub
from polpkg.targets.boot.path import SetUp
from polpkg.targets.layout import BOOT, is_boot_configuration

if TYPE_CHECKING:
    from collections.abc import Sequence

    from polpkg.targets.boot.path import Served
    from polpkg.targets.target import Target


class NetworkTree:
    """Where a policy goes there; a boot path that writes something says so itself."""

    def starts(self, hypervisor: str) -> bool:
        """What is neither in /boot nor part of a system."""
        return is_boot_configuration(hypervisor) and not hypervisor.startswith(f"{BOOT}/")

    def policy_path(self, hypervisor: str) -> str:
        """Beside the hypervisor, with a name as GRUB wants it."""
        directory, _, name = hypervisor.rpartition("/")
        return f"{directory}/{policy_name_for_grub(name)}"

    def set_up(self, target: Target, served: Sequence[Served]) -> SetUp:
        """Nothing is written."""
        del target, served
        return SetUp()
