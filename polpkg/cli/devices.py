"""`polpkg devices scan`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from polpkg.cli.console import Console
from polpkg.cli.options import PlaceOptions

if TYPE_CHECKING:
    from polpkg.ops.devices import Scan
    from polpkg.targets.devices.function import PciFunction, Span


def scan(
    console: Console,
    place: PlaceOptions,
    lspci: Annotated[
        Path | None, typer.Option("--lspci", metavar="FILE", help="Read what `lspci -Dmmn` printed, not sysfs.")
    ] = None,
    static: Annotated[
        bool, typer.Option("--static", help="Print the statements that label the devices in a policy.")
    ] = False,
) -> None:
    """List the PCI devices of this machine, and propose which driver domain is to have which.

    Without a target it looks at this machine.

    For example:
      polpkg devices scan
      polpkg devices scan --static
    """
    from polpkg.cli.session import make_context, open_target
    from polpkg.ops.devices import scan_devices

    target = None
    if lspci is None:
        options = place.target if place.is_given else PlaceOptions(root=Path("/")).target
        target = open_target(make_context(console), options)
    found = scan_devices(target, lspci)
    document = _document(found)
    if static:
        console.answer(document, found.static_labels)
    else:
        console.answer(document, _text(found, console))
    if not console.json:
        console.warn(found.proposal.findings)


def _document(scan: Scan) -> dict[str, Any]:
    from polpkg.cli.render import diagnostic_document

    given = {a.function.address: a.package for a in scan.proposal.assignments}
    return {
        "devices": [_device(f) | {"proposed": given.get(f.address)} for f in scan.machine.functions],
        "dom0": scan.machine.is_dom0,
        "findings": [{"level": f.severity.value, **diagnostic_document(f)} for f in scan.proposal.findings],
        "policy_toml": scan.policy_toml,
        "static_labels": scan.static_labels.splitlines(),
    }


def _device(function: PciFunction) -> dict[str, Any]:
    return {
        "address": str(function.address),
        "class": f"{function.class_code:06x}",
        "kind": function.kind,
        "vendor": f"{function.vendor:04x}",
        "device": f"{function.device:04x}",
        "driver": function.driver or None,
        "irq": function.irq or None,
        "msi": function.uses_msi,
        "ports": [_span(span) for span in function.ports],
        "memory": [_span(span) for span in function.memory],
        "iommu_group": function.group,
        "physical_function": str(function.parent) if function.parent else None,
        "boot_disk": function.has_boot_disk,
    }


def _span(span: Span) -> list[str]:
    return [f"{span.low:#x}", f"{span.high:#x}"]


def _text(scan: Scan, console: Console) -> str:
    """The devices that are worth a decision, and the lines for policy.toml.  Bridges are left out."""
    given = {a.function.address: a.package for a in scan.proposal.assignments}
    rows = [_row(f, given.get(f.address, "dom0")) for f in scan.machine.functions if not f.is_bridge]
    table = console.table(("address", "group", "irq", "owner", "driver", "what"), rows)
    if not given:
        return f"{table}\n\nNothing here can be given to a driver domain."
    command = f"polpkg install {' '.join(scan.packages)}"
    return f"{table}\n\nIn policy.toml, after `{command}`:\n\n{scan.policy_toml.rstrip()}"


def _row(function: PciFunction, owner: str) -> tuple[str, ...]:
    group = "" if function.group is None else str(function.group)
    irq = "msi" if function.uses_msi else str(function.irq or "")
    what = f"{function.kind} {function.vendor:04x}:{function.device:04x}"
    if function.parent:
        what += f", virtual, of {function.parent}"
    return str(function.address), group, irq, owner, function.driver, what


SUBVERBS = {"scan": scan}
