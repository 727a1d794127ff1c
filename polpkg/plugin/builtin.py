"""What polpkg itself registers, through the same hooks as everybody else.

Only references stand here: this module imports neither wing, and listing the backends imports none of them.
"""

from __future__ import annotations

from polpkg.plugin.hookspecs import hookimpl
from polpkg.plugin.own import BACKENDS, TARGETS
from polpkg.plugin.values import Component, PackageSource, Role, RoleLabel, XlKey


@hookimpl
def polpkg_register_packages() -> tuple[PackageSource, ...]:
    """The packages in `polpkg/bundled`: dom0, guests of every kind, the store, and what they are written in."""
    from pathlib import Path

    return (PackageSource("polpkg", Path(__file__).parents[1] / "bundled"),)


@hookimpl
def polpkg_register_roles() -> tuple[Role, ...]:
    """The first domain, guests of every kind with their device models, and the store in a domain of its own."""
    each_guest = RoleLabel("guest", "$prefix_$item_t", each="guests", users="users")
    return (
        Role(
            "dom0",
            "the first domain: owns every function that no other claims",
            (RoleLabel("domain", "dom0_t", xl=None),),
        ),
        Role(
            "domu",
            "ordinary guests and their device models",
            (RoleLabel("guest", "domU_t"), RoleLabel("device-model", "dm_dom_t", xl=XlKey.DEVICE_MODEL)),
        ),
        Role("domu-isolated", "guests that reach no other guest", (each_guest,)),
        Role("domu-nomigrate", "guests whose memory nobody reaches once they run", (each_guest,)),
        Role(
            "stubdom",
            "HVM guests with device models in stub domains",
            (RoleLabel("device-model", "$prefix_t", xl=XlKey.DEVICE_MODEL), each_guest),
        ),
        Role("xenstoredom", "the store in a stub domain", (RoleLabel("domain", "$prefix_t", xl=None),)),
        Role("dom0less", "guests that the hypervisor starts", (RoleLabel("guest", "unlabeled_t", xl=None),)),
        Role(
            "xen-compat",
            "the labels of Xen's example policy",
            tuple(RoleLabel("guest", name) for name in ("isolated_domU_t", "nomigrate_t", "prot_domU_t")),
        ),
    )


@hookimpl
def polpkg_register_backends() -> tuple[Component, ...]:
    """The three compilers of DESIGN.md section 6."""
    return tuple(Component(name, *rest) for name, rest in BACKENDS.items())


@hookimpl
def polpkg_register_targets() -> tuple[Component, ...]:
    """The directory tree behind `--root`, the image behind `--image`, and the hosts behind `--host`."""
    return tuple(Component(name, *rest) for name, rest in TARGETS.items())


@hookimpl
def polpkg_register_boot_paths() -> tuple[Component, ...]:
    """Told by where a hypervisor file lies, or found by the configuration of a boot loader."""
    folder = "polpkg.targets.boot"
    return (
        Component("grub", "GRUB, which pairs files in /boot by name", f"{folder}.grub:GrubBootPath"),
        Component("xen.efi", "the EFI program, unified or with its configuration", f"{folder}.efi:EfiBootPath"),
        Component("pxelinux", "PXELINUX and its family, with mboot.c32", f"{folder}.pxelinux:PxelinuxBootPath"),
        Component("ipxe", "scripts of iPXE", f"{folder}.ipxe:IpxeBootPath"),
        Component("device-tree", "Xen on Arm, dom0less too", f"{folder}.device_tree:DeviceTreeBootPath"),
        Component("imagebuilder", "U-Boot scripts of ImageBuilder", f"{folder}.imagebuilder:ImageBuilderBootPath"),
        Component("built-in", "a policy linked into the hypervisor", f"{folder}.built_in:BuiltInBootPath"),
    )
