"""The hypervisors that a package is checked and tested for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from polpkg.errors import PolicyError

if TYPE_CHECKING:
    from polpkg.packages.manifest import Manifest
    from polpkg.policy.abi import Abi


def abis_to_check(manifest: Manifest, xen: str, *, all_xen: bool) -> list[tuple[Abi, tuple[str, ...]]]:
    """The ABI of `xen`, every one that the package says it is for, or the newest of them; each with its versions.

    Raises UsageError for an unknown release and PolicyError `no-xen-release` when there is none.
    """
    from polpkg.policy.abi.hypervisor import resolve_xen

    if xen:
        abi = resolve_xen(xen)
        return [(abi, (abi.version,))]
    found = claimed_abis(manifest)
    if not found:
        raise PolicyError(
            "no-xen-release", f"no known release of Xen is {manifest.xen}", hint="see [xen] in polpkg.toml"
        )
    if all_xen:
        return found
    abi, versions = found[-1]
    return [(abi, versions[-1:])]


def claimed_abis(manifest: Manifest) -> list[tuple[Abi, tuple[str, ...]]]:
    """The ABIs of the releases that a package says it is for, the newest last, with their versions."""
    from polpkg.packages.versions import satisfies
    from polpkg.policy.abi import known_versions, load_abi

    found: dict[str, list[str]] = {}
    for version in known_versions():
        if satisfies(version, manifest.xen):
            found.setdefault(load_abi(version).fingerprint, []).append(version)
    return [(load_abi(these[-1]), tuple(these)) for these in found.values()]
