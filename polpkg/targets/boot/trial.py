"""Trying a new policy once: the record that GRUB reads and writes before anything else runs.

    staged    the next boot takes the current policy, and GRUB writes "booted" before it does
    booted    it is being tried; when GRUB runs again before anybody confirmed it, it writes "failed"
    failed    GRUB takes the confirmed policy, now and later
    settled   the current policy is the confirmed one

The record is a GRUB environment block (GRUB manual, "Environment block"; `grub_envblk_open` in grub-core/lib/envblk.c):
1024 bytes, a first line that names it, NAME=VALUE lines, and `#` to fill it up.  GRUB writes into the blocks that the
file has, so its size never changes; the words are equally long where one replaces the other, so that the block that
GRUB writes is known to the byte.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING

from polpkg.targets.layout import BOOT_STATE

if TYPE_CHECKING:
    from polpkg.targets.target import Target

SIZE = 1024
VARIABLE = "polpkg_trial"
_HEADER = "# GRUB Environment Block\n"


class Trial(Enum):
    """How far the trial of the current policy is."""

    STAGED = "staged"
    BOOTED = "booted"
    FAILED = "failed"
    SETTLED = "settled"


def render_trial(trial: Trial) -> bytes:
    """The environment block that says `trial`."""
    return f"{_HEADER}{VARIABLE}={trial.value}\n".ljust(SIZE, "#").encode()


def read_trial(target: Target) -> Trial | None:
    """How far the trial is in `target`; None when there is no record of one.  Raises TargetError."""
    return parse_trial(target.read(BOOT_STATE)) if target.stat(BOOT_STATE) else None


def parse_trial(block: bytes) -> Trial | None:
    """What an environment block says; None when it does not say, and GRUB then takes the current policy."""
    if len(block) != SIZE or not block.startswith(_HEADER.encode()):
        return None
    for line in block.decode("ascii", "replace").splitlines():
        name, _, value = line.partition("=")
        if name == VARIABLE:
            return next((trial for trial in Trial if trial.value == value), None)
    return None
