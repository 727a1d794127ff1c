"""Which device to give to which driver domain, and what speaks against it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from polpkg.diagnostics import Diagnostic, Severity
from polpkg.targets.devices.function import NETWORK, PAGE_BITS, STORAGE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from polpkg.targets.devices.function import Address, PciFunction, Span
    from polpkg.targets.devices.sysfs import Machine

TAKERS = {NETWORK: "netdom", STORAGE: "stordom"}
"""The package that drives a kind of device."""


class Assignment(NamedTuple):
    """A function and the package whose instance is to drive it."""

    function: PciFunction
    package: str


@dataclass(frozen=True, slots=True)
class Proposal:
    """What could be given away; `findings` say what could not and why, and what to look at."""

    assignments: tuple[Assignment, ...]
    findings: tuple[Diagnostic, ...]

    def of(self, package: str) -> tuple[PciFunction, ...]:
        """What a package is to drive."""
        return tuple(a.function for a in self.assignments if a.package == package)


class _Tie(NamedTuple):
    """Functions that can only have one user: `what` ties them, and `code` and `hint` tell a person so."""

    code: str
    what: str
    hint: str
    members: tuple[PciFunction, ...]

    def is_torn(self, wanted: Mapping[Address, str]) -> bool:
        """Whether some are to be given away, and not all to the same."""
        return len({wanted.get(member.address, "") for member in self.members}) > 1

    def finding(self, wanted: Mapping[Address, str]) -> Diagnostic:
        """What is told when it is torn."""
        users = ", ".join(f"{m.address} ({m.kind}, {wanted.get(m.address, 'dom0')})" for m in self.members)
        return Diagnostic(self.code, f"{self.what} is shared by {users}", hint=self.hint, severity=Severity.WARNING)


def propose(machine: Machine) -> Proposal:
    """Network controllers for netdom, storage controllers for stordom, as far as each stands alone.

    Functions that one label covers, or that no IOMMU tells apart, go together or not at all.  What holds the disk that
    the machine runs from stays.
    """
    findings = list(_about(machine))
    wanted = {f.address: TAKERS[f.base_class] for f in machine.functions if f.base_class in TAKERS}
    boot = [function for function in machine.functions if function.has_boot_disk and function.address in wanted]
    findings += map(_boot_finding, boot)
    for function in boot:
        del wanted[function.address]
    ties = list(_ties(machine))
    while torn := next((tie for tie in ties if tie.is_torn(wanted)), None):
        findings.append(torn.finding(wanted))
        for member in torn.members:
            wanted.pop(member.address, None)
    given = tuple(Assignment(f, wanted[f.address]) for f in machine.functions if f.address in wanted)
    return Proposal(given, (*findings, *_about_given(given)))


def _about_given(given: Iterable[Assignment]) -> Iterator[Diagnostic]:
    """What to know of functions that are given away."""
    hidden = [str(function.address) for function, _ in given if function.uses_msi]
    if hidden:
        message = f"the interrupt line of {', '.join(hidden)} does not show while a driver uses MSI"
        hint = "after `xl pci-assignable-add` it does: scan again, for a line that others share, and for --static"
        yield Diagnostic("line-unknown", message, hint=hint, severity=Severity.NOTE)
    for function, _ in given:
        if function.parent is not None:
            message = f"{function.address} is a virtual function: it works as long as {function.parent} has its driver"
            yield Diagnostic("virtual-function", message, severity=Severity.NOTE)


def _about(machine: Machine) -> Iterator[Diagnostic]:
    if machine.shows_groups or not machine.functions:
        return
    if machine.is_dom0:
        message = "Xen has the IOMMU here, and Linux shows no groups: functions of one device are kept together"
        yield Diagnostic(
            "no-groups", message, hint="started without Xen the machine shows them", severity=Severity.NOTE
        )
    elif machine.is_complete:
        message = "no IOMMU: a driver domain could reach all memory through its devices"
        hint = 'switch it on in the firmware; else netdom and stordom need isolation = "none"'
        yield Diagnostic("no-iommu", message, hint=hint, severity=Severity.WARNING)
    else:
        message = "interrupts, memory and IOMMU groups are not known from lspci"
        yield Diagnostic("no-resources", message, severity=Severity.NOTE)


def _boot_finding(function: PciFunction) -> Diagnostic:
    message = f"{function.address} ({function.kind}) holds the disk that this machine runs from, and stays in dom0"
    hint = "to give it away all the same, dom0 has to run from something else"
    return Diagnostic("boot-disk", message, hint=hint, severity=Severity.WARNING)


def _ties(machine: Machine) -> Iterator[_Tie]:
    """All that ties functions together; bridges count in none of it."""
    functions = [function for function in machine.functions if not function.is_bridge]
    hint = "they go to one domain together or stay; another slot may have a group of its own"
    for (kind, key), members in _by(functions, _group):
        yield _Tie("group-not-whole", f"IOMMU group {key}" if kind == "group" else "one device", hint, members)
    hint = "one line has one label, that of whoever labels it first: use another slot, switch one off, or use MSI"
    for line, members in _by(functions, lambda function: function.line or None):
        yield _Tie("shared-irq", f"interrupt {line}", hint, members)
    hint = "one page has one label: they go to one domain together or stay"
    for page, members in _sharing_pages(functions):
        yield _Tie("shared-page", f"the page of memory at {page << PAGE_BITS:#x}", hint, members)


def _group(function: PciFunction) -> tuple[str, object]:
    """The IOMMU group, or the device where the kernel shows no groups."""
    return ("device", function.address.slot) if function.group is None else ("group", function.group)


def _by(
    functions: Iterable[PciFunction], key: Callable[[PciFunction], Any]
) -> list[tuple[Any, tuple[PciFunction, ...]]]:
    """Functions by what they have in common, None left out."""
    found: dict[Any, list[PciFunction]] = {}
    for function in functions:
        if key(function) is not None:
            found.setdefault(key(function), []).append(function)
    return [(name, tuple(members)) for name, members in found.items()]


def _sharing_pages(functions: Sequence[PciFunction]) -> Iterator[tuple[int, tuple[PciFunction, ...]]]:
    """Neighbours in memory whose registers touch the same page."""
    spans = sorted((span.pages, number) for number, function in enumerate(functions) for span in function.memory)
    furthest: tuple[Span, int] | None = None
    for span, number in spans:
        if furthest is not None and furthest[1] != number and furthest[0].overlaps(span):
            yield span.low, (functions[furthest[1]], functions[number])
        if furthest is None or span.high >= furthest[0].high:
            furthest = span, number
