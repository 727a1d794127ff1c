"""What this distribution adds to polpkg: the package `netdom` and its role."""

from __future__ import annotations

from pathlib import Path

from polpkg.api import PackageSource, Role, hookimpl


@hookimpl
def polpkg_register_packages() -> tuple[PackageSource, ...]:
    """The packages below `packages/`."""
    return (PackageSource("polpkg-netdom", Path(__file__).parent / "packages"),)


@hookimpl
def polpkg_register_roles() -> tuple[Role, ...]:
    """The network driver domain."""
    return (Role("netdom", "owns the network cards and serves the network of other domains"),)
