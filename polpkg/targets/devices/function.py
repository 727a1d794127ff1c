"""A PCI function, as far as assigning and labelling it needs to know it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NamedTuple

_ADDRESS = re.compile(r"([0-9a-f]{4}):([0-9a-f]{2}):([01][0-9a-f])\.([0-7])")

PAGE_BITS = 12
"""Object contexts count memory in pages of 4096 bytes."""

NETWORK, STORAGE, BRIDGE = 0x02, 0x01, 0x06
"""Base classes (PCI Code and ID Assignment Specification, 1.1)."""

_CLASSES = {
    0x01: "storage controller",
    0x02: "network controller",
    0x03: "display controller",
    0x04: "multimedia device",
    0x05: "memory controller",
    0x06: "bridge",
    0x07: "communication controller",
    0x08: "system peripheral",
    0x09: "input controller",
    0x0C: "serial bus controller",
    0x0D: "wireless controller",
    0x10: "encryption controller",
}


class Address(NamedTuple):
    """Segment, bus, device and function."""

    segment: int
    bus: int
    device: int
    function: int

    def __str__(self) -> str:
        return f"{self.segment:04x}:{self.bus:02x}:{self.device:02x}.{self.function}"

    @property
    def slot(self) -> tuple[int, int, int]:
        """The address of the device that the function is part of."""
        return self[:3]

    @property
    def number(self) -> int:
        """The number that `pcidevicecon` and FLASK have for it."""
        return self.segment << 16 | self.bus << 8 | self.device << 3 | self.function


def parse_address(text: str) -> Address | None:
    """The address that `0000:03:00.0` is; None for anything else."""
    match = _ADDRESS.fullmatch(text)
    return Address(*(int(part, 16) for part in match.groups())) if match else None


class Span(NamedTuple):
    """A range of ports or of addresses, both ends included."""

    low: int
    high: int

    @property
    def pages(self) -> Span:
        """The pages that a range of addresses touches."""
        return Span(self.low >> PAGE_BITS, self.high >> PAGE_BITS)

    def overlaps(self, other: Span) -> bool:
        """Whether the two have something in common."""
        return self.low <= other.high and other.low <= self.high


@dataclass(frozen=True, slots=True)
class PciFunction:
    """One PCI function.

    `class_code`: 24 bits.  `irq`: its interrupt line, 0 when it has none; with `uses_msi` that number may be a message
    that its driver set up instead.  `ports`, `memory`: what its BARs span.  `group`: its IOMMU group, None when the
    kernel shows none.  `parent`: of a virtual function the physical one.  `has_boot_disk`: the machine runs from what
    is behind it.
    """

    address: Address
    class_code: int
    vendor: int
    device: int
    driver: str = ""
    irq: int = 0
    uses_msi: bool = False
    ports: tuple[Span, ...] = ()
    memory: tuple[Span, ...] = ()
    group: int | None = None
    parent: Address | None = None
    has_boot_disk: bool = False

    @property
    def base_class(self) -> int:
        """What kind of device it is."""
        return self.class_code >> 16

    @property
    def is_bridge(self) -> bool:
        """Whether it only leads to other devices: such are never given away, nor do they count in a group."""
        return self.base_class == BRIDGE

    @property
    def kind(self) -> str:
        """What kind of device it is, in words."""
        return _CLASSES.get(self.base_class, f"device of class {self.base_class:02x}")

    @property
    def line(self) -> int:
        """The interrupt line that can be labelled; 0 when there is none, or when only a driver's message is known."""
        return 0 if self.uses_msi else self.irq
