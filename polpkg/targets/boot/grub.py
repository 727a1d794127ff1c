"""GRUB, on BIOS and EFI machines: it pairs files in /boot by name, and polpkg has entries of its own."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from polpkg.targets.boot.naming import policy_name_for_grub
from polpkg.targets.boot.path import BootFileContent, SetUp, placed_by, xen_options
from polpkg.targets.document import digest
from polpkg.targets.layout import (
    BOOT,
    BOOT_STATE,
    FALLBACK_PREFIX,
    GRUB_SCRIPT,
    GRUB_SCRIPTS,
    POLICY_PREFIX,
    fallback_path,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from polpkg.targets.boot.path import BootFinding, Served
    from polpkg.targets.target import Target

_PLAIN_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+~-]*")
"""What stands in the script and in grub.cfg without quotes."""


class GrubBootPath:
    """GRUB, also for `.efi` files in /boot, which it lists as any other."""

    name = "grub"

    def starts(self, hypervisor: str) -> bool:
        """Files directly in /boot."""
        return hypervisor.rpartition("/")[0] == BOOT

    def policy_path(self, hypervisor: str) -> str:
        """Beside the hypervisor, by GRUB's rule."""
        directory, _, name = hypervisor.rpartition("/")
        return f"{directory}/{policy_name_for_grub(name)}"

    def set_up(self, target: Target, served: Sequence[Served]) -> SetUp:
        """A script for `grub-mkconfig`, the confirmed policies, and the record of the trial.

        Nothing where GRUB's scripts are not installed.
        """
        served = placed_by(self, served)
        if not served or not _has_grub(target):
            return SetUp()
        from polpkg.targets.boot.grub_check import missing_entries
        from polpkg.targets.boot.grub_script import Row, render_script

        with_entry = find_entries(served)
        rows = (
            Row(
                label,
                _file_name(each.hypervisor),
                _file_name(each.policy),
                FALLBACK_PREFIX + label,
                each.sha256,
                xen_options(each.version),
            )
            for label, each in with_entry.items()
        )
        files = {GRUB_SCRIPT: BootFileContent(render_script(rows))}
        files |= {
            fallback_path(each.policy): BootFileContent(each.fallback)
            for each in with_entry.values()
            if each.fallback is not None
        }
        if len(files) > 1:
            files[BOOT_STATE] = _trial(served)
        return SetUp(files, (*_odd_names(served), *missing_entries(target, with_entry)))

    def inspect(self, target: Target, served: Sequence[Served]) -> Iterable[BootFinding]:
        """What grub.cfg would boot; nothing where there is no GRUB."""
        from polpkg.targets.boot.grub_check import check_grub, find_configuration

        if _has_grub(target) or find_configuration(target):
            yield from check_grub(target, find_entries(placed_by(self, served)))


def _has_grub(target: Target) -> bool:
    """Whether there are scripts of GRUB, besides polpkg's own."""
    return any(f"{GRUB_SCRIPTS}/{name}" != GRUB_SCRIPT for name in target.list(GRUB_SCRIPTS))


def find_entries(served: Iterable[Served]) -> dict[str, Served]:
    """The hypervisors that have entries of their own, by the label of these, those of the newest Xen first.

    Of two files that share a policy, such as `xen-4.17` and `xen-4.17.gz`, one has entries.
    """
    plain = (each for each in served if _PLAIN_NAME.fullmatch(_file_name(each.hypervisor)))
    entries: dict[str, Served] = {}
    for each in sorted(plain, key=_newest_first):
        entries.setdefault(_file_name(each.policy).removeprefix(POLICY_PREFIX), each)
    return entries


def _odd_names(served: Iterable[Served]) -> Iterable[str]:
    for each in served:
        if not _PLAIN_NAME.fullmatch(_file_name(each.hypervisor)):
            yield f"{each.hypervisor} gets no entry of its own in GRUB: its name would need quotes"


def _trial(served: Iterable[Served]) -> BootFileContent:
    from polpkg.targets.boot.trial import Trial, render_trial

    if all(each.fallback is not None and digest(each.fallback) == each.policy_sha256 for each in served):
        return BootFileContent(render_trial(Trial.SETTLED), is_last=True)
    return BootFileContent(render_trial(Trial.STAGED), also=(render_trial(Trial.BOOTED), render_trial(Trial.FAILED)))


def _file_name(path: str) -> str:
    return path.rpartition("/")[2]


def _newest_first(served: Served) -> tuple[tuple[int, ...], str]:
    from polpkg.policy.abi.model import version_numbers

    return tuple(-number for number in version_numbers(served.version)), served.hypervisor
