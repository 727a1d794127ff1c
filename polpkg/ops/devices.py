"""`polpkg devices scan`: the devices of a machine, and who could drive them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from polpkg.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from polpkg.targets.devices.proposal import Proposal
    from polpkg.targets.devices.sysfs import Machine
    from polpkg.targets.target import Target

_STATIC = (
    "# Labels of the devices of one machine, for a package that requires the owners of",
    "# the types.  With them the owners need their option pciback, or dom0 loses sight",
    "# of the devices; and do not name the same devices in `pci`: a device is labelled",
    "# by the policy or by flask-label-pci, not by both.",
)


@dataclass(frozen=True, slots=True)
class Scan:
    """A machine and what is proposed for it."""

    machine: Machine
    proposal: Proposal

    @property
    def packages(self) -> tuple[str, ...]:
        """The packages that are to drive something."""
        return tuple(dict.fromkeys(a.package for a in self.proposal.assignments))

    @property
    def policy_toml(self) -> str:
        """The lines of policy.toml that say what is proposed."""
        sections: list[str] = []
        for package in self.packages:
            names = "".join(f'    "{f.address}",  # {f.kind}\n' for f in self.proposal.of(package))
            sections.append(f"[instances.{package}.{package}]\npci = [\n{names}]\n")
        return "\n".join(sections)

    @property
    def static_labels(self) -> str:
        """The fragment of a site's package that labels all of it from boot on; empty when nothing is proposed."""
        from polpkg.targets.devices.contexts import object_contexts

        lines: list[str] = [*_STATIC] if self.proposal.assignments else []
        for function, package in self.proposal.assignments:
            lines.append(f"# {function.address}, {function.kind}, for {package}")
            lines += object_contexts(function, f"gen_context(system_u:object_r:{package}_device_t,s0)")
        return "\n".join(lines)


def scan_devices(target: Target | None, lspci: Path | None = None) -> Scan:
    """The devices of the machine whose sysfs `target` has, or that the file `lspci` describes.

    Raises TargetError and UsageError as `polpkg.targets.devices.sysfs` does.
    """
    from polpkg.targets.devices.proposal import propose
    from polpkg.targets.devices.sysfs import parse_lspci, read_machine

    if lspci is not None:
        machine = parse_lspci(_read(lspci))
    elif target is not None:
        machine = read_machine(target)
    else:
        raise UsageError("no-machine", "there is nothing to scan")
    return Scan(machine, propose(machine))


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise UsageError("cannot-read", f"{path} cannot be read: {error.strerror}") from error
