"""Policies that somebody made by hand and that a target boots, or may boot: found as they are, nothing is changed.

What the boot loader names for a hypervisor is looked for first, since a policy made by hand may have any name; then the
file where GRUB pairs it by its own name; then every other `xenpolicy-*`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from polpkg.targets.boot.efi import find_config
from polpkg.targets.boot.grub_check import find_configuration
from polpkg.targets.boot.known import BOOT_PATHS
from polpkg.targets.boot.placing import find_boot_path
from polpkg.targets.layout import BOOT, POLICY_PREFIX
from polpkg.targets.target import FileKind

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from polpkg.targets.boot.path import BootPath
    from polpkg.targets.probe import HypervisorFile
    from polpkg.targets.target import Target

_MAGIC = b"\x8c\xff\x7c\xf9"
"""How a policydb begins, by which Xen tells it among its modules (`XSM_MAGIC`, xen/include/xsm/xsm.h)."""


class FoundPolicy(NamedTuple):
    """A policy file, and the hypervisor files that are booted with it as far as one can tell; maybe none."""

    path: str
    content: bytes
    hypervisors: tuple[HypervisorFile, ...]


def find_policies(
    target: Target, hypervisors: Sequence[HypervisorFile], boot_paths: Sequence[BootPath] = BOOT_PATHS
) -> tuple[FoundPolicy, ...]:
    """The policy files of `target` by path; those of the boot loaders count only when they begin as a policy does.

    Raises TargetError when files cannot be read.
    """
    usable = [each for each in hypervisors if each.is_usable]
    booted: dict[str, list[HypervisorFile]] = {}
    for hypervisor in usable:
        place = find_boot_path(hypervisor.path, boot_paths)
        named = _named_by_grub(target, hypervisor.path) or _named_by_efi(target, hypervisor.path)
        path = next((each for each in (*named, place) if _is_there(target, each)), None)
        if path is not None:
            booted.setdefault(path, []).append(hypervisor)
    folders = {BOOT, *(each.path.rpartition("/")[0] for each in hypervisors)}
    for path in sorted(f"{folder}/{name}" for folder in folders for name in target.list(folder) if _is_named(name)):
        if _is_there(target, path):
            booted.setdefault(path, [])
    return tuple(FoundPolicy(path, target.read(path), tuple(booted[path])) for path in sorted(booted))


def _is_named(name: str) -> bool:
    return name.startswith(POLICY_PREFIX)


def _is_there(target: Target, path: str) -> bool:
    found = target.stat(path)
    return found is not None and found.kind is FileKind.FILE


def _named_by_grub(target: Target, hypervisor: str) -> tuple[str, ...]:
    """The policies with which entries of grub.cfg boot a hypervisor, that of the default entry first."""
    from polpkg.targets.boot.grub_menu import find_file, read_menu

    path = find_configuration(target)
    if path is None:
        return ()
    menu = read_menu(target, path)
    entries = sorted(menu.entries, key=lambda entry: entry != menu.default)
    booting = [each for each in entries if find_file(target, each.hypervisor) == hypervisor]
    modules = (find_file(target, name) for entry in booting for name in reversed(entry.modules))
    return tuple(path for path in dict.fromkeys(modules) if path and _is_policy(target, path))


def _named_by_efi(target: Target, hypervisor: str) -> tuple[str, ...]:
    """The policy that the configuration of an EFI program names."""
    if not hypervisor.lower().endswith(".efi"):
        return ()
    from polpkg.targets.boot.xen_cfg import XenConfig

    path = find_config(target, hypervisor)
    if path is None:
        return ()
    config = XenConfig(target.read(path))
    name = config.value(config.section, "xsm")
    return tuple(_policies(target, f"{hypervisor.rpartition('/')[0]}/{name}" if name else ""))


def _policies(target: Target, path: str) -> Iterator[str]:
    if path and _is_policy(target, path):
        yield path


def _is_policy(target: Target, path: str) -> bool:
    return _is_there(target, path) and target.read(path).startswith(_MAGIC)
