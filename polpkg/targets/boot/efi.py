"""`xen.efi` started by the firmware: its configuration names a policy in the same directory (`xsm=`).

There is no booting once: a section of polpkg's own boots the confirmed policy when a person chooses it.  A program that
has its configuration or its policy inside ("unified", from 4.15 on) takes these and nothing else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from polpkg.targets.boot.naming import policy_name_for_efi
from polpkg.targets.boot.path import BootFileContent, BootFinding, SetUp, xen_options
from polpkg.targets.layout import BOOT, EFI_FALLBACK_PREFIX, POLICY_PREFIX

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
        notes: list[str] = []
        for each in served:
            found = _set_up(target, each)
            files |= found.files
            notes += found.notes
        return SetUp(files, tuple(notes))

    def inspect(self, target: Target, served: Sequence[Served]) -> Iterable[BootFinding]:
        """What keeps a program from its policy; a configuration that is not as it should be is drift already."""
        for each in served:
            if self.starts(each.hypervisor):
                yield from _check(target, each)


def _check(target: Target, served: Served) -> Iterable[BootFinding]:
    """Whether the hypervisor takes the policy that was placed for it."""
    for note in _set_up(target, served).notes:
        yield BootFinding("boot-configuration-elsewhere", served.hypervisor, note)


def _set_up(target: Target, served: Served) -> SetUp:
    from polpkg.targets.boot.pe import section_names
    from polpkg.targets.boot.xen_cfg import XenConfig

    inside = section_names(target.read(served.hypervisor))
    if ".xsm" in inside:
        return SetUp({}, (_about_unified(served),))
    if ".config" in inside:
        note = f"{served.hypervisor} has its configuration inside: `xsm={_file_name(served.policy)}` has to be in that"
        return SetUp({}, (note,))
    path = find_config(target, served.hypervisor)
    if path is None:
        note = f"{served.hypervisor} has no configuration beside it: `xsm={_file_name(served.policy)}` has to be in it"
        return SetUp({}, (note,))
    config = XenConfig(target.read(path))
    if not config.value(config.section, "kernel"):
        return SetUp({}, (f"{path} names no kernel to boot, so nothing is changed in it",))
    config.change(_file_name(served.policy), xen_options(served.version))
    directory = served.hypervisor.rpartition("/")[0]
    fallback = EFI_FALLBACK_PREFIX + _file_name(served.policy).removeprefix(POLICY_PREFIX)
    config.set_fallback(None if served.fallback is None else fallback)
    files = {path: BootFileContent(config.content, is_last=True)}
    if served.fallback is not None:
        files[f"{directory}/{fallback}"] = BootFileContent(served.fallback)
    return SetUp(files, tuple(_about_permissive(path, config)))


def find_config(target: Target, hypervisor: str) -> str | None:
    """The path of the configuration that an EFI program takes, None when it finds none.

    The file system of an EFI system partition does not tell cases apart.
    """
    from polpkg.targets.boot.xen_cfg import config_names

    directory, _, program = hypervisor.rpartition("/")
    there = {name.lower(): name for name in target.list(directory)}
    found = next((there[name.lower()] for name in config_names(program) if name.lower() in there), None)
    return None if found is None else f"{directory}/{found}"


def _about_unified(served: Served) -> str:
    return (
        f"{served.hypervisor} has its policy inside, which counts alone and cannot be changed in place: put"
        f" {served.policy} into its section .xsm (objcopy --update-section) and sign it again"
    )


def _about_permissive(path: str, config: XenConfig) -> Sequence[str]:
    modes = [word for word in config.value(config.section, "options").split() if word.startswith("flask=")]
    if modes[-1:] == ["flask=enforcing"]:
        return ()
    return (f"{path} says {modes[-1] if modes else 'nothing'}: the policy is not enforced",)


def _file_name(path: str) -> str:
    return path.rpartition("/")[2]
