"""What a guest configuration asks of the policy: labels, the way it is built, and who serves it."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import SequenceMatcher
from enum import Enum
from typing import TYPE_CHECKING

from polpkg.diagnostics import Diagnostic, Severity, Source
from polpkg.errors import PolicyError
from polpkg.targets.xl.devices import PciDevice, VirtualDevice, parse_disk, parse_pci, parse_vif
from polpkg.targets.xl.parser import parse_configuration
from polpkg.targets.xl.values import ListValue

if TYPE_CHECKING:
    from collections.abc import Iterator

    from polpkg.targets.xl.values import Configuration, TextValue

LABEL_KEYS = ("seclabel", "init_seclabel", "device_model_stubdomain_seclabel")
"""The settings of xl.cfg(5) that hold a label."""

_ALIKE = 0.8
"""How alike, of 1, an unknown key must be to one of the label keys to be taken for a slip."""


class GuestKind(Enum):
    """How a guest is virtualised, which decides what building it needs."""

    PV = "pv"
    PVH = "pvh"
    HVM = "hvm"


@dataclass(frozen=True, slots=True)
class Guest:
    """One guest configuration, as far as a policy cares.

    A label is None where the configuration has none.  `has_stub_domain`: its device model is a domain of its own;
    `can_migrate`: the configuration does not say `nomigrate`.  `slips`: settings that look like misspelt labels.
    """

    name: str
    kind: GuestKind
    label: TextValue | None
    build_label: TextValue | None
    model_label: TextValue | None
    has_stub_domain: bool
    disks: tuple[VirtualDevice, ...]
    vifs: tuple[VirtualDevice, ...]
    pci: tuple[PciDevice, ...]
    can_migrate: bool
    source: Source
    slips: tuple[Diagnostic, ...] = ()

    @property
    def virtual_devices(self) -> tuple[VirtualDevice, ...]:
        """Disks and network interfaces."""
        return self.disks + self.vifs


def read_guest(text: str, file: str) -> Guest:
    """The guest that the configuration `text` describes; `file` is what to call it.

    Raises PolicyError: `xl-syntax` where xl would not read it, `xl-value` where a value cannot be what it is.
    """
    source = Source(file, text)
    configuration = parse_configuration(source)
    problems = list(_wrong_values(configuration))
    kind = _kind(configuration, problems)
    if problems:
        raise PolicyError.of(problems)
    model = configuration.text("device_model_stubdomain_seclabel")
    name = configuration.text("name")
    return Guest(
        name.text if name else "",
        kind,
        configuration.text("seclabel"),
        configuration.text("init_seclabel"),
        model,
        kind is GuestKind.HVM and configuration.is_on("device_model_stubdomain_override"),
        tuple(parse_disk(value) for value in configuration.texts("disk")),
        tuple(parse_vif(value) for value in configuration.texts("vif")),
        tuple(device for value in configuration.texts("pci") if (device := parse_pci(value))),
        not configuration.is_on("nomigrate"),
        source,
        tuple(_slips(configuration)),
    )


def _kind(configuration: Configuration, problems: list[Diagnostic]) -> GuestKind:
    """`type`, or the older `builder`; PV when neither is there (tools/xl/xl_parse.c)."""
    value = configuration.text("type")
    if value is not None:
        kinds = {kind.value: kind for kind in GuestKind}
        if value.text in kinds:
            return kinds[value.text]
        hint = "a type is pv, pvh or hvm"
        problems.append(Diagnostic.at(value.place, "xl-value", f"there is no type `{value.text}`", hint=hint))
    builder = configuration.text("builder")
    return GuestKind.HVM if builder and builder.text == "hvm" else GuestKind.PV


def _wrong_values(configuration: Configuration) -> Iterator[Diagnostic]:
    for key in LABEL_KEYS:
        setting = configuration.find(key)
        if setting is not None and isinstance(setting.value, ListValue):
            message = f"`{key}` takes one label, not a list"
            yield Diagnostic.at(setting.place, "xl-value", message, hint=f'write {key} = "user:role:type"')
    for key in ("disk", "vif", "pci"):
        setting = configuration.find(key)
        if setting is not None and not isinstance(setting.value, ListValue):
            yield Diagnostic.at(setting.place, "xl-value", f"`{key}` takes a list", hint=f"write {key} = [ ... ]")
    for value in configuration.texts("pci"):
        if parse_pci(value) is None and "name=" not in value.text:
            message = f"`{value.text}` is no PCI device"
            yield Diagnostic.at(value.place, "xl-value", message, hint="write it as in '0000:03:00.0'")


def _slips(configuration: Configuration) -> Iterator[Diagnostic]:
    """Keys that xl does not know are ignored by it in silence, which for a label is the wrong label."""
    seen: set[str] = set()
    for setting in configuration.settings:
        key = setting.key
        if key in LABEL_KEYS:
            if key in seen:
                message = f"`{key}` is set more than once; the last one counts"
                yield Diagnostic.at(setting.place, "label-repeated", message, severity=Severity.WARNING)
            seen.add(key)
            continue
        close = max(LABEL_KEYS, key=lambda known: SequenceMatcher(None, key, known).ratio())
        alike = SequenceMatcher(None, key, close).ratio() >= _ALIKE or "seclabel" in key
        if alike and ("lab" in key or "sec" in key):  # what is neither is a key of its own, as ..._override is
            message = f"xl does not know `{key}` and ignores it"
            yield Diagnostic.at(setting.place, "label-misspelt", message, hint=f"did you mean `{close}`?")
