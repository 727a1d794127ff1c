"""`polpkg xl check`: whether the configuration of a guest fits a policy, with what the target and other guests tell."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from polpkg.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from polpkg.ops.context import Context
    from polpkg.ops.policies import ReadPolicy
    from polpkg.targets.target import Target
    from polpkg.targets.xl.check import Verdict
    from polpkg.targets.xl.deciding import Surroundings
    from polpkg.targets.xl.guest import Guest


@dataclass(frozen=True, slots=True)
class Checked:
    """A guest, the policy that it was held against, and the outcome."""

    guest: Guest
    policy: str
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class InstalledLabels:
    """Where labels of domains can be looked up that nobody said: a generation of a target."""

    context: Context
    target: Target
    generation: int | None = None

    def domains(self) -> Mapping[str, str]:
        """The contexts of domains by the names of their instances."""
        from polpkg.ops.labels import find_labels

        found = find_labels(self.context, self.target, self.generation)
        return {label.instance: label.context for label in found if label.kind == "domain"}

    def devices(self) -> Mapping[str, str]:
        """The contexts that devices get at run time, by their addresses."""
        from polpkg.ops.policies import find_generation
        from polpkg.targets.devices.unit import read_device_labels
        from polpkg.targets.generations import read_system_files
        from polpkg.targets.layout import DEVICES_UNIT

        files = read_system_files(self.target, find_generation(self.target, self.generation))
        return read_device_labels(files.get(DEVICES_UNIT, b"").decode())


@dataclass(frozen=True, slots=True)
class Neighbours:
    """Where the labels of backends come from: as told, from the configurations in a folder, from what is installed."""

    told: Mapping[str, str] = field(default_factory=dict[str, str])
    folder: Path | None = None
    installed: InstalledLabels | None = None


def check_file(file: Path, policy: ReadPolicy, surroundings: Surroundings, neighbours: Neighbours) -> Checked:
    """Checks one configuration file.

    Raises UsageError `cannot-read`, and PolicyError (`xl-syntax`, `xl-value`) for a file that xl would not read.
    """
    from polpkg.targets.xl.check import check_guest
    from polpkg.targets.xl.guest import read_guest

    guest = read_guest(_read(file), str(file))
    surroundings = replace(surroundings, backends=_backends(guest, neighbours))
    if guest.pci and neighbours.installed is not None:
        surroundings = replace(surroundings, devices={**neighbours.installed.devices(), **surroundings.devices})
    return Checked(guest, policy.label, check_guest(guest, policy.view.policy, surroundings))


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8", errors="surrogateescape")
    except OSError as error:
        raise UsageError("cannot-read", f"{file} cannot be read: {error.strerror}") from error


def _backends(guest: Guest, neighbours: Neighbours) -> Mapping[str, str]:
    """The label of every backend that can be told; what is nearest to the person counts."""
    from polpkg.targets.xl.devices import DOMAIN_0

    found = {**(_configured(neighbours.folder) if neighbours.folder else {}), **neighbours.told}
    unknown = {device.backend for device in guest.virtual_devices} - {*found, DOMAIN_0, "0"}
    if unknown and neighbours.installed is not None:
        found = {**neighbours.installed.domains(), **found}
    return found


def _configured(folder: Path) -> dict[str, str]:
    """The labels of the guests whose configurations lie in a folder, by their names."""
    from polpkg.targets.xl.guest import read_guest

    if not folder.is_dir():
        raise UsageError("cannot-read", f"{folder} is no folder of guest configurations")
    guests = (read_guest(_read(file), str(file)) for file in sorted(folder.glob("*.cfg")))
    return {guest.name: guest.label.text for guest in guests if guest.name and guest.label}
