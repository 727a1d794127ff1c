"""Directory trees that look like the sysfs of a machine: for tests of what is made of it."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

PORTS, MEMORY, MEMORY_64 = 0x40101, 0x40200, 0x140204
"""Flags of a resource as Linux shows them: I/O ports, a 32-bit and a 64-bit memory BAR."""


class Card(NamedTuple):
    """One PCI function; `bars`: (start, end, flags)."""

    class_code: int
    irq: int = 0
    bars: tuple[tuple[int, int, int], ...] = ()
    group: int | None = None
    driver: str = ""
    msi: bool = False
    physfn: str = ""
    disks: tuple[str, ...] = ()
    vendor: int = 0x8086
    device: int = 0x10D3


def build_sysfs(root: Path, cards: dict[str, Card], *, boot: str = "", xen: bool = False) -> Path:
    """Writes the tree of a machine below `root`; `boot` is the disk that it runs from.  The root."""
    devices = root / "sys/bus/pci/devices"
    devices.mkdir(parents=True)
    for address, card in cards.items():
        folder = root / f"sys/devices/pci{address[:7]}/{address}"
        _write_card(root, folder, card)
        (devices / address).symlink_to(f"../../../devices/pci{address[:7]}/{address}")
    if xen:
        (root / "sys/hypervisor").mkdir()
        (root / "sys/hypervisor/type").write_text("xen\n")
    if boot:
        (root / "proc/self").mkdir(parents=True)
        (root / "proc/self/mountinfo").write_text(f"22 1 {boot} / / rw,relatime shared:1 - ext4 /dev/root rw\n")
    return root


def _write_card(root: Path, folder: Path, card: Card) -> None:
    folder.mkdir(parents=True)
    texts = {"class": f"{card.class_code:#08x}", "vendor": f"{card.vendor:#06x}", "device": f"{card.device:#06x}"}
    for name, text in (texts | {"irq": str(card.irq)}).items():
        (folder / name).write_text(f"{text}\n")
    bars = [*card.bars, *[(0, 0, 0)] * (7 - len(card.bars))]
    (folder / "resource").write_text("".join(f"{low:#018x} {high:#018x} {flags:#018x}\n" for low, high, flags in bars))
    links = {
        "driver": f"../../../bus/pci/drivers/{card.driver}" if card.driver else "",
        "iommu_group": "" if card.group is None else f"../../../kernel/iommu_groups/{card.group}",
        "physfn": f"../{card.physfn}" if card.physfn else "",
    }
    for name, destination in links.items():
        if destination:
            (folder / name).symlink_to(destination)
    if card.msi:
        (folder / "msi_irqs").mkdir()
        (folder / "msi_irqs/35").write_text("msi\n")
    for disk in card.disks:
        add_disk(root, disk, f"{folder.relative_to(root / 'sys')}/host0/block/{disk}")


def add_disk(
    root: Path, disk: str, place: str, number: str = "", slaves: tuple[str, ...] = (), volume: str = ""
) -> None:
    """A block device at `sys/<place>`, with the number by which mounts call it and the devices that it lies on."""
    folder = root / "sys" / place
    folder.mkdir(parents=True)
    for slave in slaves:
        (folder / "slaves").mkdir(exist_ok=True)
        (folder / "slaves" / slave).symlink_to(f"../../{slave}")
    if volume:
        (folder / "dm").mkdir()
        (folder / "dm/name").write_text(f"{volume}\n")
    for index, name in (("class/block", disk), ("dev/block", number or f"8:{ord(disk[-1]) - ord('a')}")):
        (root / "sys" / index).mkdir(parents=True, exist_ok=True)
        (root / "sys" / index / name).symlink_to(f"../../{place}")
