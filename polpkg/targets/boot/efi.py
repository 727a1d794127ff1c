"""`xen.efi` started by the firmware: its configuration names a policy in the same directory (`xsm=`).

A section of polpkg's own boots the confirmed policy.  On a host that runs, that section is the default while a new
policy is tried, which the firmware boots once (`firmware`); in a tree or an image nobody can tell the firmware, and a
person chooses the section.  A program that
has its configuration or its policy inside takes these and nothing else: see `unified`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from polpkg.targets.boot.naming import policy_name_for_efi
from polpkg.targets.boot.path import BootFileContent, BootFinding, BootOnce, SetUp, placed_by, xen_options
from polpkg.targets.layout import BOOT, fallback_path

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from polpkg.targets.boot.path import Served
    from polpkg.targets.boot.xen_cfg import XenConfig
    from polpkg.targets.target import Target


class EfiBootPath:
    """EFI programs in a directory below /boot: an EFI system partition."""

    name = "xen.efi"

    def starts(self, hypervisor: str) -> bool:
        """EFI programs that are not directly in /boot, where GRUB would list them."""
        directory = hypervisor.rpartition("/")[0]
        return hypervisor.lower().endswith(".efi") and directory != BOOT

    def policy_path(self, hypervisor: str) -> str:
        """Beside the program."""
        directory, _, name = hypervisor.rpartition("/")
        return f"{directory}/{policy_name_for_efi(name)}"

    def set_up(self, target: Target, served: Sequence[Served]) -> SetUp:
        """The configuration of each program with its policy, and the confirmed policies."""
        files: dict[str, BootFileContent] = {}
        found = [_set_up(target, each) for each in placed_by(self, served)]
        for each in found:
            files |= each.files
        notes = tuple(note for each in found for note in each.notes)
        return SetUp(files, notes, tuple(once for each in found for once in each.once))

    def inspect(self, target: Target, served: Sequence[Served]) -> Iterable[BootFinding]:
        """What keeps a program from its policy; a configuration that is not as it should be is drift already."""
        for each in placed_by(self, served):
            yield from _check(target, each)


def _check(target: Target, served: Served) -> Iterable[BootFinding]:
    """Whether the hypervisor takes the policy that was placed for it."""
    for note in _set_up(target, served).notes:
        yield BootFinding("boot-configuration-elsewhere", served.hypervisor, note)


def _set_up(target: Target, served: Served) -> SetUp:
    from polpkg.targets.boot.pe import VARIABLE_SECTIONS, section_names
    from polpkg.targets.boot.unified import set_up_unified
    from polpkg.targets.boot.xen_cfg import XenConfig, about_mode

    program = target.read(served.hypervisor) if target.stat(served.hypervisor) else b""
    inside = section_names(program)
    if VARIABLE_SECTIONS & inside:
        unified = set_up_unified(served, program)
        if ".config" in inside:
            return unified
    else:
        unified = SetUp()
    path = find_config(target, served.hypervisor)
    if path is None:
        note = f"{served.hypervisor} has no configuration beside it: `xsm={_file_name(served.policy)}` has to be in it"
        return SetUp(unified.files, (*unified.notes, note))
    config = XenConfig(target.read(path))
    if not config.value(config.section, "kernel"):
        note = f"{path} names no kernel to boot, so nothing is changed in it"
        return SetUp(unified.files, (*unified.notes, note))
    if dtb := _tree_with_policy(target, path, config):
        note = f"{dtb} names a policy: with one in {path} as well Xen would not boot, so none is named there"
        return SetUp(unified.files, (*unified.notes, note))
    is_inside = ".xsm" in inside
    config.change("" if is_inside else _file_name(served.policy), xen_options(served.version))
    fallback = fallback_path(served.policy)
    config.set_fallback(None if served.fallback is None or is_inside else _file_name(fallback))
    once = () if is_inside else _try_once(target, served, config)
    files = {**unified.files, path: BootFileContent(config.content, is_last=True)}
    if served.fallback is not None and not is_inside:
        files[fallback] = BootFileContent(served.fallback)
    return SetUp(files, (*unified.notes, *about_mode(path, config, served.version)), once)


def _try_once(target: Target, served: Served, config: XenConfig) -> tuple[BootOnce, ...]:
    """Have the confirmed policy boot by default while another one is tried, where the firmware can boot that once.

    A trial that a host began goes on when the target is seen as a tree.
    """
    from polpkg.targets.boot.firmware import can_boot_once
    from polpkg.targets.document import digest

    is_tried = served.fallback is not None and digest(served.fallback) != served.policy_sha256
    can = can_boot_once(target)
    config.set_trial(is_tried and (can or config.is_trial))
    if not (config.is_trial and can):
        return ()
    return (BootOnce(served.hypervisor, f"{_file_name(served.hypervisor)} {config.section}"),)


def _tree_with_policy(target: Target, path: str, config: XenConfig) -> str:
    """The device tree that a configuration has Xen take, when a policy is named there; otherwise empty."""
    from polpkg.targets.boot.device_tree import has_policy_node

    name = config.value(config.section, "dtb").partition(" ")[0].replace("\\", "/")
    dtb = f"{path.rpartition('/')[0]}/{name.lstrip('/')}"
    return dtb if name and target.stat(dtb) and has_policy_node(target.read(dtb)) else ""


def find_config(target: Target, hypervisor: str) -> str | None:
    """The path of the configuration that an EFI program takes, None when it finds none.

    The file system of an EFI system partition does not tell cases apart.
    """
    from polpkg.targets.boot.xen_cfg import config_names

    directory, _, program = hypervisor.rpartition("/")
    there = {name.lower(): name for name in target.list(directory)}
    found = next((there[name.lower()] for name in config_names(program) if name.lower() in there), None)
    return None if found is None else f"{directory}/{found}"


def _file_name(path: str) -> str:
    return path.rpartition("/")[2]
