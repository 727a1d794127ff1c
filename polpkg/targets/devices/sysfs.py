"""The PCI functions that Linux shows in sysfs (Documentation/ABI/testing/sysfs-bus-pci), read through a target.

Where nothing is to be seen there, `lspci -Dmmn` tells addresses and classes, which is enough to name devices and too
little to label their interrupts and memory.
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING

from polpkg.errors import TargetError, UsageError
from polpkg.targets.devices.function import Address, PciFunction, Span, parse_address

if TYPE_CHECKING:
    from collections.abc import Iterator

    from polpkg.targets.target import Target

DEVICES = "/sys/bus/pci/devices"
_IN_PATH = re.compile(r"[0-9a-f]{4}:[0-9a-f]{2}:[01][0-9a-f]\.[0-7]")
_IS_PORTS, _IS_MEMORY = 0x100, 0x200
"""IORESOURCE_IO and IORESOURCE_MEM (Linux, include/linux/ioport.h)."""
_DEPTH = 8
"""How many layers of block devices on block devices are followed."""


@dataclass(frozen=True, slots=True)
class Machine:
    """What was found out about a machine.

    `shows_groups`: the kernel shows IOMMU groups; under Xen it does not, since Xen has the IOMMU.  `is_complete`:
    interrupts and memory are known too.
    """

    functions: tuple[PciFunction, ...]
    shows_groups: bool
    is_dom0: bool = False
    is_complete: bool = True


def read_machine(target: Target) -> Machine:
    """The machine whose sysfs `target` has.

    Raises TargetError `no-pci-devices` when there is none, and `damaged-sysfs` when it says what cannot be.
    """
    names = target.list(DEVICES)
    if not names:
        raise TargetError(
            "no-pci-devices",
            f"{target.name} shows no PCI devices in {DEVICES}",
            hint="run it on the machine itself, or pass what `lspci -Dmmn` prints there with --lspci FILE",
        )
    boot = frozenset(_boot_functions(target))
    found = (_read_function(target, address, boot) for name in names if (address := parse_address(name)))
    functions = tuple(sorted(found, key=lambda function: function.address))
    is_dom0 = _text(target, "/sys/hypervisor/type") == "xen"
    return Machine(functions, any(f.group is not None for f in functions), is_dom0)


def parse_lspci(text: str) -> Machine:
    """The machine that `lspci -Dmmn` describes.  Raises UsageError `bad-lspci` for other text."""
    functions: list[PciFunction] = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        try:
            name, class_, vendor, device, *_ = shlex.split(line)
            address = parse_address(name)
            code = int(class_, 16) << 8
            numbers = int(vendor, 16), int(device, 16)
        except ValueError:
            address, code, numbers = None, 0, (0, 0)
        if address is None:
            hint = "it is the output of `lspci -Dmmn`: full addresses, numbers in quotes"
            raise UsageError("bad-lspci", f"line {number} does not describe a PCI function", hint=hint)
        functions.append(PciFunction(address, code, *numbers))
    return Machine(tuple(sorted(functions, key=lambda f: f.address)), shows_groups=False, is_complete=False)


def _read_function(target: Target, address: Address, boot: frozenset[Address]) -> PciFunction:
    folder = f"{DEVICES}/{address}"
    ports, memory = _read_spans(target, folder)
    parent = _last_part(target.read_link(f"{folder}/physfn"))
    group = _last_part(target.read_link(f"{folder}/iommu_group"))
    return PciFunction(
        address,
        _number(target, f"{folder}/class"),
        _number(target, f"{folder}/vendor"),
        _number(target, f"{folder}/device"),
        _last_part(target.read_link(f"{folder}/driver")),
        _number(target, f"{folder}/irq"),
        bool(target.list(f"{folder}/msi_irqs")),
        ports,
        memory,
        int(group) if group.isdecimal() else None,
        parse_address(parent),
        address in boot,
    )


def _read_spans(target: Target, folder: str) -> tuple[tuple[Span, ...], tuple[Span, ...]]:
    """Ports and memory, of the lines `start end flags` of `resource`; a 64-bit BAR is one line of it."""
    ports: list[Span] = []
    memory: list[Span] = []
    for line in _text(target, f"{folder}/resource").splitlines():
        try:
            low, high, flags = (int(word, 16) for word in line.split())
        except ValueError:
            raise TargetError("damaged-sysfs", f"{folder}/resource says `{line}`") from None
        if high and flags & _IS_PORTS:
            ports.append(Span(low, high))
        elif high and flags & _IS_MEMORY:
            memory.append(Span(low, high))
    return tuple(sorted(ports)), tuple(sorted(memory))


def _text(target: Target, path: str) -> str:
    return target.read(path).decode("utf-8", "replace").strip() if target.stat(path) else ""


def _number(target: Target, path: str) -> int:
    text = _text(target, path) or "0"
    try:
        return int(text, 0)
    except ValueError:
        raise TargetError("damaged-sysfs", f"{path} says `{text}`") from None


def _last_part(link: str | None) -> str:
    return link.rstrip("/").rpartition("/")[2] if link else ""


def _boot_functions(target: Target) -> Iterator[Address]:
    """The functions on the way to the disks that `/` and `/boot` are on."""
    for line in _text(target, "/proc/self/mountinfo").splitlines():
        words = line.split()
        if len(words) > 4 and words[4] in ("/", "/boot", "/boot/efi"):
            source = words[words.index("-") + 2] if "-" in words[:-2] else ""
            yield from _behind(target, f"/sys/dev/block/{words[2]}", source)


def _behind(target: Target, link: str, source: str = "", depth: int = 0) -> Iterator[Address]:
    """The functions on the way to a block device, through volumes and arrays to the disks below.

    A file system that has a device number of its own (btrfs) is found by the name of its source.
    """
    path = target.read_link(link)
    if path is None and source.startswith("/dev/"):
        link = f"/sys/class/block/{_volume(target, source)}"
        path = target.read_link(link)
    if path is None or depth > _DEPTH:
        return
    for name in _IN_PATH.findall(path):
        if (address := parse_address(name)) is not None:
            yield address
    for below in target.list(f"{link}/slaves"):
        yield from _behind(target, f"/sys/class/block/{below}", depth=depth + 1)


def _volume(target: Target, source: str) -> str:
    """The name of a block device in sysfs; a volume has another one in /dev/mapper."""
    name = source.rpartition("/")[2]
    volumes = (n for n in target.list("/sys/class/block") if n.startswith("dm-"))
    return next((n for n in volumes if _text(target, f"/sys/class/block/{n}/dm/name") == name), name)
