"""Booting once by the firmware's own means: a boot entry of polpkg's, and `BootNext` (UEFI specification, 3.1.2).

The firmware deletes `BootNext` before it follows it, so whatever becomes of that boot, the one after it is by
`BootOrder` again.  Only a host that runs has such variables at hand: `efibootmgr` there writes them.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from polpkg.errors import TargetError
from polpkg.targets.live.host import find_live_host

if TYPE_CHECKING:
    from collections.abc import Sequence

    from polpkg.targets.boot.path import BootOnce
    from polpkg.targets.host.commands import Commands
    from polpkg.targets.target import Target

VARIABLES = "/sys/firmware/efi/efivars"
LABEL = "polpkg: policy to be tried"

_ENTRY = re.compile(r"^Boot([0-9A-F]{4})[* ] (.*)$")


def can_boot_once(target: Target) -> bool:
    """Whether `target` is a host that runs and was started by EFI firmware."""
    return find_live_host(target) is not None and bool(target.list(VARIABLES))


def boot_once(commands: Commands, once: BootOnce) -> None:
    """Have the firmware start a program with arguments once, the next time that the host boots.

    Raises TargetError `no-boot-once` when it does not take it, and what `Commands.run` raises.
    """
    partition, mounted = _run(
        commands, ["findmnt", "--noheadings", "--output", "SOURCE,TARGET", "--target", once.program]
    ).split()[:2]
    disk = _run(commands, ["lsblk", "--noheadings", "--nodeps", "--output", "PKNAME", partition]).strip()
    name = partition.rpartition("/")[2]
    number = _run(commands, ["cat", f"/sys/class/block/{name}/partition"]).strip()
    loader = once.program.removeprefix(mounted.rstrip("/")).replace("/", "\\")
    for old in _own_entries(_run(commands, ["efibootmgr"])):
        _run(commands, ["efibootmgr", "--quiet", "--bootnum", old, "--delete-bootnum"])
    create = ["efibootmgr", "--create-only", "--disk", f"/dev/{disk}", "--part", number, "--label", LABEL]
    # Xen takes words only when they end in a zero (`get_argv` in xen/common/efi/boot.c), which --unicode leaves out.
    words = f"{once.arguments}\0".encode("utf-16-le")
    entries = _own_entries(_run(commands, [*create, "--loader", loader, "--append-binary-args", "-"], words))
    if not entries:
        raise TargetError("no-boot-once", f"the firmware did not take a boot entry for {once.program}")
    told = _run(commands, ["efibootmgr", "--bootnext", entries[-1]])
    if f"BootNext: {entries[-1]}" not in told:
        raise TargetError("no-boot-once", f"the firmware did not take BootNext for {once.program}")


def _own_entries(listed: str) -> list[str]:
    """The numbers of polpkg's entries in what efibootmgr lists."""
    found = (_ENTRY.match(line) for line in listed.splitlines())
    return [each[1] for each in found if each and each[2].startswith(LABEL)]


def _run(commands: Commands, argv: Sequence[str], stdin: bytes = b"") -> str:
    done = commands.run(argv, stdin=stdin)
    if done.status != 0:
        reason = done.errors.decode("utf-8", "replace").strip() or f"it ended with {done.status}"
        raise TargetError("no-boot-once", f"{argv[0]} failed: {reason}", hint="it needs efibootmgr on the host")
    return done.output.decode("utf-8", "replace")
