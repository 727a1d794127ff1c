"""What this distribution adds to polpkg: the package `stordom` and its role."""

from __future__ import annotations

from pathlib import Path

from polpkg.api import PackageSource, Role, hookimpl


@hookimpl
def polpkg_register_packages() -> tuple[PackageSource, ...]:
    """The packages below `packages/`."""
    return (PackageSource("polpkg-stordom", Path(__file__).parent / "packages"),)


@hookimpl
def polpkg_register_roles() -> tuple[Role, ...]:
    """The storage driver domain."""
    return (Role("stordom", "owns the disks and serves the block devices of other domains"),)
