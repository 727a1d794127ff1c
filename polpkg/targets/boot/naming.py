"""What a policy file is called: the boot loader finds it by its name, so each has its rule (ECOSYSTEM.md 1.1 and 9).

GRUB's `20_linux_xen` takes every `/boot/xen*` for a hypervisor, but for symbols, configurations and policies, and looks
for `xenpolicy-V` beside it, where V is the file name less `xen-` in front and `.gz` behind.  Xen's own installation
(`tools/flask/policy/Makefile.common`) writes `xenpolicy-` and the full version.
"""

from __future__ import annotations

from polpkg.targets.layout import POLICY_PREFIX

_NOT_HYPERVISORS = ("xen-syms", POLICY_PREFIX)
_NOT_HYPERVISOR_ENDINGS = (
    ".config",
    ".cfg",
    ".map",
    # What package managers leave beside a file; GRUB's grub_file_is_not_garbage skips these as well.
    ".dpkg-dist",
    ".dpkg-new",
    ".dpkg-old",
    ".dpkg-tmp",
    ".rpmnew",
    ".rpmsave",
    ".bak",
    "~",
)


def is_hypervisor_name(name: str) -> bool:
    """Whether a file of this name in /boot may be a hypervisor: `xen`, `xen.gz`, `xen-4.17-amd64.gz`, `xen.efi`."""
    begins = name == "xen" or name.startswith(("xen-", "xen."))
    return begins and not name.startswith(_NOT_HYPERVISORS) and not name.endswith(_NOT_HYPERVISOR_ENDINGS)


def policy_name_for_grub(hypervisor_name: str) -> str:
    """The policy that GRUB pairs with a hypervisor file: `xenpolicy-4.17-amd64`, and `xenpolicy-xen` for `xen.gz`."""
    return POLICY_PREFIX + hypervisor_name.removeprefix("xen-").removesuffix(".gz")


def policy_name_for_efi(hypervisor_name: str) -> str:
    """The policy beside an EFI program, which names it in its configuration: `xenpolicy-4.17` for `xen-4.17.efi`."""
    stem = hypervisor_name[: -len(".efi")] if hypervisor_name.lower().endswith(".efi") else hypervisor_name
    return POLICY_PREFIX + stem.removeprefix("xen-")


def policy_name_for_version(version: str) -> str:
    """The policy for a full version of Xen, as Xen's own installation calls it: `xenpolicy-4.17.7`."""
    return POLICY_PREFIX + version
