"""Unified EFI programs: hypervisor, configuration, kernel and policy in one file (Xen 4.15 and later).

A policy in the section `.xsm` wins over the key `xsm=`, and a configuration in `.config` over any file (`read_section`
in xen/common/efi/boot.c).  So the program itself is written anew, at one instant, and a program with the confirmed
policy is kept beside it.  It is the only form in which Secure Boot's signature covers the policy, so a signed one is
left alone: what it needs is its owner's key.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from polpkg.targets.boot.path import BootFileContent, SetUp, xen_options
from polpkg.targets.boot.pe import is_signed, read_section, with_section
from polpkg.targets.boot.xen_cfg import XenConfig, about_mode
from polpkg.targets.layout import BESIDE_FALLBACK_PREFIX

if TYPE_CHECKING:
    from polpkg.targets.boot.path import Served


def set_up_unified(served: Served, program: bytes) -> SetUp:
    """The `program` of `served` with its policy inside, and one with the confirmed policy beside it."""
    if not served.content:
        return SetUp()
    try:
        made = _made(served, program, served.content)
        files = {served.hypervisor: BootFileContent(made, is_last=True)}
        if served.fallback is not None and not is_signed(program):
            files[fallback_program(served)] = BootFileContent(_made(served, program, served.fallback))
    except ValueError as error:
        return SetUp({}, (_about_signed(served) if is_signed(program) else _about_tool(served, str(error)),))
    text = read_section(made, ".config")
    where = f"{served.hypervisor}, in its section .config,"
    return SetUp(files, () if text is None else tuple(about_mode(where, XenConfig(text), served.version)))


def fallback_program(served: Served) -> str:
    """Where the program with the confirmed policy is."""
    directory, _, name = served.hypervisor.rpartition("/")
    return f"{directory}/{BESIDE_FALLBACK_PREFIX}{name}"


def _made(served: Served, program: bytes, policy: bytes) -> bytes:
    """The program with `policy`, and with a configuration that has Xen enforce it when that is inside too."""
    if (text := read_section(program, ".config")) is not None:
        config = XenConfig(text)
        config.change("", xen_options(served.version))
        program = with_section(program, ".config", config.content)
    return with_section(program, ".xsm", policy)


def _about_signed(served: Served) -> str:
    name = served.hypervisor
    return (
        f"{name} is signed and boots with the policy that is inside it: the new one counts once it is inside and the"
        f" program is signed again. On a copy: `sbattach --remove COPY`, `objcopy --remove-section .xsm --add-section"
        f" .xsm={served.policy} --change-section-vma .xsm=ADDRESS COPY` (not --update-section, which keeps the old size"
        f" of a section), `sbsign --key KEY --cert CERT --output {name} COPY`"
    )


def _about_tool(served: Served, reason: str) -> str:
    return (
        f"{served.hypervisor} has its policy inside, and it cannot be replaced here ({reason}): put {served.policy}"
        " into its section .xsm with objcopy"
    )
