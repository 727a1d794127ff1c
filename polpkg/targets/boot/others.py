"""Boot paths whose configuration polpkg does not write: it names them, and says what a person has to put there.

What each wants: ECOSYSTEM.md 1.1.  None starts a hypervisor file by its place, so none decides where a policy goes.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from polpkg.targets.boot.path import BootFinding, SetUp
from polpkg.targets.layout import BOOT, POLICY_PREFIX
from polpkg.targets.target import FileKind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from polpkg.targets.boot.path import Served
    from polpkg.targets.target import Target

NETWORK_FOLDERS = ("/srv/tftp", "/tftpboot", "/var/lib/tftpboot")
"""Where the files of a network boot server are by custom."""

_MAX_SIZE = 1 << 20
_MAX_DEPTH = 3
_FLASK_OPTIONS = "xsm=flask flask=enforcing"


class _OtherBootPath:
    """What these have in common."""

    def starts(self, hypervisor: str) -> bool:
        """None by its place: false."""
        del hypervisor
        return False

    def policy_path(self, hypervisor: str) -> str:
        """Beside the hypervisor, under its own name; not asked, since it starts none."""
        directory, _, name = hypervisor.rpartition("/")
        return f"{directory}/{POLICY_PREFIX}{name}"

    def set_up(self, target: Target, served: Sequence[Served]) -> SetUp:
        """Nothing is written."""
        del target, served
        return SetUp()


class PxelinuxBootPath(_OtherBootPath):
    """PXELINUX, SYSLINUX and EXTLINUX with `mboot.c32`: modules are separated by `---`."""

    name = "pxelinux"

    def inspect(self, target: Target, served: Sequence[Served]) -> Iterable[BootFinding]:
        """Lines that boot Xen without a policy."""
        for path in _find_files(target, (*NETWORK_FOLDERS, f"{BOOT}/syslinux", f"{BOOT}/extlinux"), _is_syslinux):
            for line in _lines(target, path):
                kind, _, rest = line.partition(" ")
                modules = [module.split() for module in rest.split("---")]
                if kind.lower() == "append" and _names_xen(modules[0]) and not _names_policy(modules[-1]):
                    message = (
                        f"{path} boots {modules[0][0]} without a policy: its last module has to be"
                        f" `--- {_policy_name(served)}`, after the ramdisk, and Xen's options {_FLASK_OPTIONS}"
                    )
                    yield BootFinding("pxelinux-without-policy", path, message, is_wrong=False)


class IpxeBootPath(_OtherBootPath):
    """iPXE: `kernel` and then a `module` or `initrd` for each file; x86 only."""

    name = "ipxe"

    def inspect(self, target: Target, served: Sequence[Served]) -> Iterable[BootFinding]:
        """Scripts that boot Xen without a policy."""
        for path in _find_files(target, (*NETWORK_FOLDERS, BOOT), lambda name: name.endswith(".ipxe")):
            words = [line.split() for line in _lines(target, path)]
            boots = [each for each in words if each[0] in ("kernel", "chain", "imgload") and _names_xen(each[1:2])]
            modules = [each for each in words if each[0] in ("module", "initrd", "imgfetch")]
            if boots and not (modules and _names_policy(modules[-1][1:])):
                message = (
                    f"{path} boots {boots[0][1]} without a policy: its last line before `boot` has to be"
                    f" `module {_policy_name(served)}`, and Xen's options {_FLASK_OPTIONS}; iPXE does not decompress it"
                )
                yield BootFinding("ipxe-without-policy", path, message, is_wrong=False)


class DeviceTreeBootPath(_OtherBootPath):
    """Xen on Arm, dom0less or not: a node of the device tree says where U-Boot has put the policy."""

    name = "device-tree"

    def inspect(self, target: Target, served: Sequence[Served]) -> Iterable[BootFinding]:
        """Device trees that are made for Xen: their node has the size of the policy, so it is to be made again."""
        for path in _find_files(target, (BOOT,), lambda name: name.endswith(".dtb")):
            content = target.read(path)
            if b"xen,xsm-policy\0" in content:
                message = (
                    f"{path} tells Xen where its policy is: load {_policy_name(served)} there, and make `reg` of the"
                    " node as large as it is"
                )
                yield BootFinding("device-tree-policy", path, message, is_wrong=False)
            elif b"xen,domain\0" in content or b"multiboot,module\0" in content or b"xen,linux-zimage\0" in content:
                message = (
                    f"{path} starts domains under Xen without a policy: it needs a node with"
                    ' `compatible = "xen,xsm-policy", "multiboot,module"`, and Arm needs xsm=flask; guests that Xen'
                    " itself starts are labelled unlabeled_t (package dom0less)"
                )
                yield BootFinding("device-tree-without-policy", path, message, is_wrong=False)


class ImageBuilderBootPath(_OtherBootPath):
    """ImageBuilder, which makes U-Boot scripts of a configuration with `XEN=` and `XEN_POLICY=`."""

    name = "imagebuilder"

    def inspect(self, target: Target, served: Sequence[Served]) -> Iterable[BootFinding]:
        """Configurations without the policy."""
        for path in _find_files(target, (BOOT,), lambda name: "config" in name or name.endswith(".cfg")):
            values = dict(
                line.split("=", 1) for line in _lines(target, path) if re.match(r"[A-Z0-9_]+(\[\d+\])?=", line)
            )
            if "XEN" not in values or not {"DOM0_KERNEL", "NUM_DOMUS", "UBOOT_SOURCE"} & values.keys():
                continue
            policy = values.get("XEN_POLICY", "").strip("\"'")
            if policy.rpartition("/")[2] != _policy_name(served):
                told = f"names {policy}" if policy else "names no policy"
                message = (
                    f"{path} {told}: it needs XEN_POLICY={_policy_name(served)} and XEN_CMD with {_FLASK_OPTIONS};"
                    " then run uboot-script-gen again"
                )
                yield BootFinding("imagebuilder-policy", path, message, is_wrong=False)


class BuiltInBootPath(_OtherBootPath):
    """A policy that is linked into the hypervisor (CONFIG_XSM_FLASK_POLICY): one from the boot loader replaces it."""

    name = "built-in"

    def inspect(self, target: Target, served: Sequence[Served]) -> Iterable[BootFinding]:
        """Hypervisors that have one."""
        from polpkg.policy.abi.hypervisor import inspect_hypervisor

        for each in served:
            if target.stat(each.hypervisor) and inspect_hypervisor(target.read(each.hypervisor)).built_in_policy:
                message = (
                    f"{each.hypervisor} has a policy of its own linked in: {each.policy} replaces it, and an entry"
                    " that loads no policy boots with the linked one"
                )
                yield BootFinding("built-in-policy", each.hypervisor, message, is_wrong=False)


def _find_files(target: Target, folders: Iterable[str], wanted: Callable[[str], bool], depth: int = 0) -> Iterator[str]:
    for folder in folders:
        for name in target.list(folder):
            path = f"{folder}/{name}"
            found = target.stat(path)
            if found is None or target.read_link(path) is not None:
                continue
            if found.kind is FileKind.DIRECTORY and depth < _MAX_DEPTH:
                yield from _find_files(target, (path,), wanted, depth + 1)
            elif found.kind is FileKind.FILE and found.size <= _MAX_SIZE and wanted(path):
                yield path


def _is_syslinux(path: str) -> bool:
    return "/pxelinux.cfg/" in path or path.endswith(("syslinux.cfg", "isolinux.cfg", "extlinux.conf"))


def _lines(target: Target, path: str) -> Iterator[str]:
    for line in target.read(path).decode("utf-8", "replace").splitlines():
        if (text := line.strip()) and not text.startswith("#"):
            yield text


def _names_xen(words: Sequence[str]) -> bool:
    return bool(words) and re.match(r"xen[-.]|xen$", words[0].rpartition("/")[2]) is not None


def _names_policy(words: Sequence[str]) -> bool:
    return any(word.rpartition("/")[2].startswith(POLICY_PREFIX) for word in words)


def _policy_name(served: Sequence[Served]) -> str:
    return served[0].policy.rpartition("/")[2] if served else f"{POLICY_PREFIX}VERSION"
