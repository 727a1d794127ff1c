"""The boot paths that come with polpkg, in the order in which they are asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from polpkg.targets.boot.built_in import BuiltInBootPath
from polpkg.targets.boot.device_tree import DeviceTreeBootPath
from polpkg.targets.boot.efi import EfiBootPath
from polpkg.targets.boot.grub import GrubBootPath
from polpkg.targets.boot.imagebuilder import ImageBuilderBootPath
from polpkg.targets.boot.ipxe import IpxeBootPath
from polpkg.targets.boot.pxelinux import PxelinuxBootPath

if TYPE_CHECKING:
    from polpkg.targets.boot.path import BootPath

BOOT_PATHS: tuple[BootPath, ...] = (
    GrubBootPath(),
    EfiBootPath(),
    PxelinuxBootPath(),
    IpxeBootPath(),
    DeviceTreeBootPath(),
    ImageBuilderBootPath(),
    BuiltInBootPath(),
)
