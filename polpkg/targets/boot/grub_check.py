"""Whether grub.cfg, as it is, boots what polpkg installed: judged by its content, whoever wrote it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from polpkg.targets.boot.grub_menu import find_file, read_menu
from polpkg.targets.boot.grub_script import entry_id
from polpkg.targets.boot.path import BootFinding, why_not_enforced
from polpkg.targets.layout import BOOT, BOOT_FOLDER, FALLBACK_PREFIX, POLICY_PREFIX

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from polpkg.targets.boot.grub_menu import Entry
    from polpkg.targets.boot.path import Served
    from polpkg.targets.target import Target

CONFIGURATIONS = (f"{BOOT}/grub/grub.cfg", f"{BOOT}/grub2/grub.cfg")
"""Where `grub-mkconfig` writes, by distribution."""

MAKE_IT = "run `update-grub` (or `grub-mkconfig -o`) in the target"

_XSM_TITLE = "(XSM enabled)"


def find_configuration(target: Target) -> str | None:
    """The path of grub.cfg; None when there is none yet."""
    return next((path for path in CONFIGURATIONS if target.stat(path)), None)


def missing_entries(target: Target, entries: Mapping[str, Served]) -> tuple[str, ...]:
    """What a person has to do so that grub.cfg knows the entries with these labels."""
    path = find_configuration(target)
    if path is None:
        return (f"there is no grub.cfg yet: {MAKE_IT}, which makes the entries",) if entries else ()
    text = target.read(path)
    missing = [entry_id(label) for label in entries if f"'{entry_id(label)}'".encode() not in text]
    return (f"{path} has no entry {', '.join(missing)} yet: {MAKE_IT}",) if missing else ()


def check_grub(target: Target, entries: Mapping[str, Served]) -> Iterator[BootFinding]:
    """What grub.cfg has and does not have for the hypervisors that have entries, by label."""
    path = find_configuration(target)
    if path is None:
        yield BootFinding("no-grub-cfg", CONFIGURATIONS[0], f"there is no grub.cfg yet: {MAKE_IT}", is_wrong=False)
        return
    menu = read_menu(target, path)
    boots = {
        label: [each for each in menu.entries if _why_not(target, each, served) == ""]
        for label, served in entries.items()
    }
    for label, served in entries.items():
        if not boots[label]:
            message = f"no entry of {path} boots {served.hypervisor} with {served.policy} and enforces it: {MAKE_IT}"
            yield BootFinding("boot-entry-missing", path, message)
    default = menu.default
    if default is None:
        yield BootFinding("boot-default-unknown", path, f"the default of {path} names no entry that there is")
    elif not any(default in found for found in boots.values()) and not _is_fallback(target, default, entries):
        yield BootFinding("boot-default-other", path, _about_default(target, path, default, entries))
    elif _is_fallback(target, default, entries):
        message = f"the next boot takes the confirmed policy ({default.titles[-1]}): the new one was tried"
        yield BootFinding("boot-default-fallback", path, message, is_wrong=False)
    yield from _empty_xsm_entries(path, menu.entries)


def _why_not(target: Target, entry: Entry, served: Served, policy: str = "") -> str:
    """Why an entry does not boot a hypervisor with its policy, enforced; empty when it does."""
    if find_file(target, entry.hypervisor) != served.hypervisor:
        return "it boots something else"
    modules = [find_file(target, module) for module in entry.modules]
    if (policy or served.policy) not in modules:
        return "the policy is not among its modules"
    if modules[-1] != (policy or served.policy):
        return "the policy is not its last module"
    return why_not_enforced(entry.options, served.version)


def _is_fallback(target: Target, entry: Entry, entries: Mapping[str, Served]) -> bool:
    return any(
        _why_not(target, entry, served, f"{BOOT_FOLDER}/{FALLBACK_PREFIX}{label}") == ""
        for label, served in entries.items()
    )


def _about_default(target: Target, path: str, default: Entry, entries: Mapping[str, Served]) -> str:
    booted = find_file(target, default.hypervisor)
    here = (_why_not(target, default, served) for served in entries.values() if served.hypervisor == booted)
    reason = next(here, "it boots no hypervisor that has a policy")
    return f"{path} boots `{default.titles[-1]}` by default, not the installed policy: {reason}"


def _empty_xsm_entries(path: str, entries: list[Entry]) -> Iterator[BootFinding]:
    """The entries that GRUB 2.06's `20_linux_xen` calls XSM enabled and that are not (ECOSYSTEM.md 9).

    A variable that it changes for one entry stays changed for the next.
    """
    empty = [
        each
        for each in entries
        if _XSM_TITLE in each.titles[-1]
        and (
            "flask=enforcing" not in each.options
            or not any(module.rpartition("/")[2].startswith(POLICY_PREFIX) for module in each.modules)
        )
    ]
    if empty:
        message = (
            f"{path} has {len(empty)} entries titled {_XSM_TITLE} that load no policy or do not enforce it, a known"
            f" mistake of GRUB 2.06: `{empty[0].titles[-1]}`; use those of polpkg"
        )
        yield BootFinding("grub-xsm-entry-empty", path, message, is_wrong=False)
