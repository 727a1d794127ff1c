"""The boot paths that come with polpkg, in the order in which they are asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from polpkg.targets.boot.efi import EfiBootPath
from polpkg.targets.boot.grub import GrubBootPath

if TYPE_CHECKING:
    from polpkg.targets.boot.path import BootPath

BOOT_PATHS: tuple[BootPath, ...] = (GrubBootPath(), EfiBootPath())
"""Those that are told by the place of the hypervisor file."""
