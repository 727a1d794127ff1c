"""Xen on Arm, dom0less or not: a node of the device tree says where the boot loader has put the policy.

`compatible = "xen,xsm-policy", "multiboot,module"` and `reg`, or with EFI `xen,uefi-binary` (docs/misc/arm/
device-tree/booting.txt and docs/misc/efi.pandoc).  Such a tree is made with the loader's addresses, so polpkg reads it
and says what does not fit; ImageBuilder makes one by itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from polpkg.targets.boot.configurations import find_loader_files
from polpkg.targets.boot.fdt import read_tree
from polpkg.targets.boot.network_tree import NetworkTree
from polpkg.targets.boot.path import BootFinding

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from polpkg.targets.boot.fdt import Node
    from polpkg.targets.boot.path import Served
    from polpkg.targets.target import Target

_POLICY = "xen,xsm-policy"
_MODULE = "multiboot,module"
_XEN_NODES = frozenset(("xen,domain", "xen,linux-zimage", "multiboot,kernel", _MODULE))


class PolicyNode(NamedTuple):
    """A node for a policy: `size` in bytes from `reg`, None without one; `binary`: a file for EFI, or empty."""

    name: str
    is_module: bool
    size: int | None
    binary: str


class DeviceTreeBootPath(NetworkTree):
    """Device trees that are made for Xen, in /boot or in a tree that is loaded over the network."""

    name = "device-tree"

    def inspect(self, target: Target, served: Sequence[Served]) -> Iterable[BootFinding]:
        """Whether each tree has a node that the policy of a hypervisor fits into."""
        for path in find_loader_files(target, lambda name: name.endswith(".dtb")):
            content = target.read(path)
            if not any(each.encode() + b"\0" in content for each in (*_XEN_NODES, _POLICY)):
                continue
            try:
                root = read_tree(content)
            except ValueError as error:
                yield BootFinding("device-tree-damaged", path, f"{path} is no device tree: {error}", is_wrong=False)
                continue
            nodes = tuple(policy_nodes(root))
            if not nodes:
                yield _without_policy(path)
            for node in nodes:
                yield from _judge(path, node, served)


def policy_nodes(root: Node) -> Iterator[PolicyNode]:
    """The nodes for policies, wherever they are; Xen looks below /chosen."""
    for node, parent in root.below():
        compatible = node.strings("compatible")
        if _POLICY in compatible:
            yield PolicyNode(
                node.name, _MODULE in compatible, _size(node, parent), "".join(node.strings("xen,uefi-binary")[:1])
            )


def has_policy_node(content: bytes) -> bool:
    """Whether a device tree has a node for a policy; false for what is none."""
    try:
        return any(policy_nodes(read_tree(content)))
    except ValueError:
        return False


def _size(node: Node, parent: Node) -> int | None:
    """The size that `reg` has: after `#address-cells` of the parent, 2 when it does not say, come `#size-cells`."""
    cells = node.cells("reg")
    addresses = (parent.cells("#address-cells") or (2,))[0]
    sizes = (parent.cells("#size-cells") or (1,))[0]
    found = cells[addresses : addresses + sizes]
    if not found or len(found) != sizes or sizes > 2:
        return None
    return int.from_bytes(b"".join(each.to_bytes(4, "big") for each in found), "big")


def _judge(path: str, node: PolicyNode, served: Sequence[Served]) -> Iterator[BootFinding]:
    where = f"the node {node.name} of {path}"
    names = [each.policy.rpartition("/")[2] for each in served]
    if node.binary:
        if served and node.binary.rpartition("/")[2].rpartition("\\")[2] not in names:
            message = f"{where} has Xen load {node.binary}, not {', '.join(names)}"
            yield BootFinding("device-tree-other-policy", path, message)
        return
    if not node.is_module:
        yield BootFinding("device-tree-no-module", path, f"{where} lacks `{_MODULE}` in `compatible`: Xen ignores it")
    elif node.size is None:
        yield BootFinding("device-tree-no-place", path, f"{where} has no `reg`: Xen does not find the policy")
    else:
        sizes = {len(each.content): each.policy for each in served if each.content}
        too_small = [policy for size, policy in sorted(sizes.items()) if size > node.size]
        for policy in too_small:
            message = f"{where} gives {node.size} bytes to {policy}, which is larger: Xen would refuse what it reads"
            yield BootFinding("device-tree-too-small", path, message)
        if served and not too_small:
            message = f"{where} tells Xen where its policy is: the boot loader has to put {' or '.join(names)} there"
            yield BootFinding("device-tree-policy", path, message, is_wrong=False)


def _without_policy(path: str) -> BootFinding:
    message = (
        f"{path} starts domains under Xen without a policy: it needs a node with"
        f' `compatible = "{_POLICY}", "{_MODULE}"`, and Arm needs xsm=flask; guests that Xen itself starts are labelled'
        " unlabeled_t (package dom0less)"
    )
    return BootFinding("device-tree-without-policy", path, message, is_wrong=False)
