"""What a guest configuration asks of others: virtual disks and interfaces, and real PCI devices.

The forms are those of xl-disk-configuration(5) (the grammar: tools/libs/util/libxlu_disk_l.l), of
xl-network-configuration(5) (`parse_nic_config` in tools/xl/xl_parse.c) and of xl-pci-configuration(5)
(tools/libs/util/libxlu_pci.c).  Only what matters to a policy is kept: who serves a device, and which device it is.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from polpkg.diagnostics import Place
    from polpkg.targets.xl.values import TextValue

DOMAIN_0 = "Domain-0"
"""How xl calls the domain that serves what names no backend."""


class VirtualDevice(NamedTuple):
    """A disk (`kind` is `disk`) or a network interface (`vif`) and the name of the domain that serves it.

    `copies`: the backend copies from and to the guest's pages, as QEMU does and every network backend.
    """

    kind: str
    backend: str
    place: Place
    copies: bool


class PciDevice(NamedTuple):
    """A real device: its address, and all functions of the device when `function` is -1 (`00:19.*`)."""

    segment: int
    bus: int
    device: int
    function: int
    place: Place

    @property
    def sbdf(self) -> int:
        """The number by which object contexts name the device; of its first function when it is meant as a whole."""
        return self.segment << 16 | self.bus << 8 | self.device << 3 | max(self.function, 0)

    def __str__(self) -> str:
        function = "*" if self.function < 0 else f"{self.function:x}"
        return f"{self.segment:04x}:{self.bus:02x}:{self.device:02x}.{function}"


_PCI = re.compile(
    r"(?:bdf=)?(?:([0-9a-f]{1,4}):)?([0-9a-f]{1,2}):([01]?[0-9a-f])\.([0-7*])(?:@[0-9a-f]+)?(?:,.*)?", re.IGNORECASE
)
_DISK_PREFIX = re.compile(r"(?:(?:raw|qcow2?|vhd|iscsi|e?nbd|drbd|tapdisk|tap2?|aio|ioemu|file|phy):)+")


def parse_disk(value: TextValue) -> VirtualDevice:
    """A disk.  `target=` takes the rest of the text, so that what stands in it is no parameter."""
    settings, flat = _parameters(value.text.partition("target=")[0])
    kind = settings.get("backendtype", "")
    formats = [settings.get("format", ""), *(flat[1:2] if len(flat) > 1 else ())]
    prefix = _DISK_PREFIX.match(value.text.lstrip())
    images = {"qcow", "qcow2", "vhd", "qed"}
    is_image = bool(images.intersection(formats)) or bool(prefix and images.intersection(prefix[0].split(":")))
    copies = kind == "qdisk" or (not kind and is_image)
    return VirtualDevice("disk", settings.get("backend", "") or DOMAIN_0, value.place, copies)


def parse_vif(value: TextValue) -> VirtualDevice:
    """A network interface."""
    settings, _ = _parameters(value.text)
    return VirtualDevice("vif", settings.get("backend", "") or DOMAIN_0, value.place, copies=True)


def parse_pci(value: TextValue) -> PciDevice | None:
    """A real device; None when the text has no address (a `name=` that only the host can look up, or a mistake)."""
    match = _PCI.fullmatch(value.text.strip())
    if match is None:
        return None
    segment, bus, device, function = match.groups()
    number = -1 if function == "*" else int(function)
    return PciDevice(int(segment or "0", 16), int(bus, 16), int(device, 16), number, value.place)


def _parameters(text: str) -> tuple[dict[str, str], list[str]]:
    """`key=value` parts, and the others in their order."""
    settings: dict[str, str] = {}
    flat: list[str] = []
    for part in text.split(","):
        key, separator, value = part.strip().partition("=")
        if separator:
            settings[key] = value
        else:
            flat.append(key)
    return settings, flat
