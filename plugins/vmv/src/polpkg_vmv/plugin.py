"""What this distribution adds to polpkg: the packages `score` and `vmv`, and their roles."""

from __future__ import annotations

from pathlib import Path

from polpkg.api import PackageSource, Role, RoleLabel, XlKey, hookimpl


@hookimpl
def polpkg_register_packages() -> tuple[PackageSource, ...]:
    """The packages below `packages/`."""
    return (PackageSource("polpkg-vmv", Path(__file__).parent / "packages"),)


@hookimpl
def polpkg_register_roles() -> tuple[Role, ...]:
    """The VMV with the guests it creates, and sCore, which has no domain of its own."""
    labels = (
        RoleLabel("domain", "$prefix_t"),
        RoleLabel("guest", "$prefix_$item_t", each="guests", users="users"),
        RoleLabel("device-model", "$prefix_$item_dm_t", each="guests", xl=XlKey.DEVICE_MODEL, users="users"),
    )
    return (
        Role("score", "what must hold on a host before a verifier can be trusted on it", labels=()),
        Role("vmv", "creates and manages its own virtual machines, out of reach of dom0", labels),
    )
