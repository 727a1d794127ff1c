"""A policy that is linked into the hypervisor (CONFIG_XSM_FLASK_POLICY, Xen 4.8 and later).

One that the boot loader brings replaces it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from polpkg.errors import TargetError
from polpkg.targets.boot.network_tree import NetworkTree
from polpkg.targets.boot.path import BootFinding

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from polpkg.targets.boot.path import Served
    from polpkg.targets.target import Target


class BuiltInBootPath(NetworkTree):
    """What boots when an entry loads no policy."""

    name = "built-in"

    def inspect(self, target: Target, served: Sequence[Served]) -> Iterable[BootFinding]:
        """Hypervisors that have one, by their bytes or by the configuration of their build beside them."""
        for each in served:
            if _is_built_in(target, each.hypervisor):
                message = (
                    f"{each.hypervisor} has a policy of its own linked in: {each.policy} replaces it, an entry that"
                    " loads no policy boots with the linked one, and flask=late takes neither"
                )
                yield BootFinding("built-in-policy", each.hypervisor, message, is_wrong=False)


def _is_built_in(target: Target, hypervisor: str) -> bool:
    from polpkg.policy.abi.hypervisor import inspect_hypervisor

    config = hypervisor.removesuffix(".gz").removesuffix(".efi") + ".config"
    if target.stat(config) and b"\nCONFIG_XSM_FLASK_POLICY=y\n" in b"\n" + target.read(config):
        return True
    try:
        return bool(target.stat(hypervisor) and inspect_hypervisor(target.read(hypervisor)).built_in_policy)
    except TargetError:  # what it became is drift, and told of there
        return False
