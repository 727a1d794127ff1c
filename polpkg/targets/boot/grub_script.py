"""The script that polpkg puts into /etc/grub.d: `grub-mkconfig` runs it, and what it prints is part of grub.cfg.

It follows the machine rather than this moment: kernels, ramdisks, arguments and the root device are looked up whenever
grub.cfg is made, from where GRUB's own `20_linux_xen` takes them, so an upgrade of the kernel needs no polpkg.  What is
polpkg's to say is the table of hypervisors.  Every entry has an id of its own, the policy is the last module, and
whether the current policy or the confirmed one is the default is decided by GRUB at each boot (`trial`).
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from polpkg.targets.boot.trial import VARIABLE, Trial
from polpkg.targets.layout import BOOT, BOOT_FOLDER

if TYPE_CHECKING:
    from collections.abc import Iterable

ID_PREFIX = "polpkg-xen-"
FALLBACK_ENDING = "-confirmed"


class Row(NamedTuple):
    """A hypervisor in /boot for which there are entries; all are names without a directory.

    `label`: what the id of its entry ends with.  `options`: what Xen is told besides GRUB_CMDLINE_XEN.
    """

    label: str
    hypervisor: str
    policy: str
    fallback: str
    sha256: str
    options: tuple[str, ...]


def entry_id(label: str) -> str:
    """The id of the entry that boots the current policy."""
    return ID_PREFIX + label


def fallback_id(label: str) -> str:
    """The id of the entry that boots the confirmed policy."""
    return ID_PREFIX + label + FALLBACK_ENDING


def render_script(rows: Iterable[Row]) -> bytes:
    """The script for these hypervisors, of which the first that can be booted becomes the default."""
    values = {
        "@TABLE@\n": "".join(f"{' '.join((*row[:-1], *row.options))}\n" for row in rows),
        "@BOOT@": BOOT,
        "@FOLDER@": BOOT_FOLDER,
        "@ID@": ID_PREFIX,
        "@CONFIRMED@": FALLBACK_ENDING,
        "@TRIAL@": VARIABLE,
        "@STAGED@": Trial.STAGED.value,
        "@BOOTED@": Trial.BOOTED.value,
        "@FAILED@": Trial.FAILED.value,
    }
    text = Path(__file__).with_name("grub_script.sh").read_text(encoding="utf-8")
    for name, value in values.items():
        text = text.replace(name, value)
    return text.encode()
