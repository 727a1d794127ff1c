"""`polpkg xl check`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from polpkg.cli.console import Console
from polpkg.cli.options import Policy, TargetOptions, name_pairs
from polpkg.diagnostics import Severity
from polpkg.errors import ExitCode

if TYPE_CHECKING:
    from polpkg.ops.xl_check import Checked, InstalledLabels
    from polpkg.targets.xl.check import Finding
    from polpkg.targets.xl.deciding import Missing

_INDENT = "  "


def check(
    console: Console,
    guest: Annotated[Path, typer.Argument(metavar="GUEST.cfg", help="The configuration of the guest.")],
    target: TargetOptions,
    policy: Policy = None,
    creator: Annotated[
        str, typer.Option("--creator", metavar="TYPE", help="Type or label of the domain that xl runs in.")
    ] = "",
    backend: Annotated[
        list[str] | None,
        typer.Option("--backend", metavar="NAME=LABEL", help="Type or label of a backend domain (repeatable)."),
    ] = None,
    device: Annotated[
        list[str] | None,
        typer.Option("--device", metavar="BDF=LABEL", help="Label that a device gets at run time (repeatable)."),
    ] = None,
    guests: Annotated[
        Path | None, typer.Option("--guests", metavar="DIR", help="Configurations that say the labels of backends.")
    ] = None,
) -> ExitCode | None:
    """See whether a guest configuration of xl fits the policy, and if not, why not (exit 1).

    For example:
      polpkg xl check /etc/xen/web.cfg --root build/demo
      polpkg xl check web.cfg --policy 3 --backend net=netdom_t
    """
    from polpkg.cli.asking import read_policy
    from polpkg.ops.xl_check import Neighbours, check_file
    from polpkg.targets.xl.deciding import Surroundings

    surroundings = Surroundings(creator, devices=name_pairs("--device", device, "BDF=LABEL"))
    neighbours = Neighbours(name_pairs("--backend", backend, "NAME=LABEL"), guests, _installed(console, policy, target))
    checked = check_file(guest, read_policy(console, policy, target), surroundings, neighbours)
    console.answer(_document(checked), _text(checked, console))
    return None if checked.verdict.fits else ExitCode.FAILURE


def _installed(console: Console, policy: str | None, target: TargetOptions) -> InstalledLabels | None:
    """Labels of the target's own packages; a policy file has no packages."""
    from polpkg.cli.session import make_context, open_target
    from polpkg.ops.xl_check import InstalledLabels

    if policy is not None and not policy.isdecimal():
        return None
    context = make_context(console)
    return InstalledLabels(context, open_target(context, target), int(policy) if policy else None)


def _document(checked: Checked) -> dict[str, Any]:
    verdict = checked.verdict
    return {
        "guest": checked.guest.name or None,
        "kind": checked.guest.kind.value,
        "policy": checked.policy,
        "fits": verdict.fits,
        "label": verdict.label or None,
        "creator": verdict.creator or None,
        "served_by": [{"what": what, "type": who} for what, who in verdict.served_by],
        "findings": [_finding_document(finding) for finding in verdict.findings],
    }


def _finding_document(finding: Finding) -> dict[str, Any]:
    from polpkg.cli.render import diagnostic_document

    missing = [
        {"source": m.source, "target": m.target, "class": m.security_class, "permissions": list(m.permissions)}
        for m in finding.missing
    ]
    return {"level": finding.diagnostic.severity.value, **diagnostic_document(finding.diagnostic), "missing": missing}


def _text(checked: Checked, console: Console) -> str:
    """What the guest is and who serves it, the findings, and the verdict last, where the eye rests."""
    verdict, guest = checked.verdict, checked.guest
    rows = [("label", verdict.label), ("created by", verdict.creator), *verdict.served_by]
    width = max(len(what) for what, _ in rows)
    lines = [f"{guest.name or guest.source.file} ({guest.kind.value}), {checked.policy}"]
    lines += [f"{_INDENT}{what.ljust(width)}  {who}" for what, who in rows if who]
    lines += [text for finding in verdict.findings for text in ("", _finding_text(finding, console))]
    errors = sum(finding.is_error for finding in verdict.findings)
    palette = console.palette
    if verdict.fits:
        return "\n".join([*lines, "", palette.paint(palette.good, "It fits the policy.")])
    what = "an error" if errors == 1 else f"{errors} errors"
    return "\n".join([*lines, "", palette.paint(palette.error, f"It does not fit the policy: {what}.")])


def _finding_text(finding: Finding, console: Console) -> str:
    from polpkg.cli.render import render_diagnostic, wrapped

    found = finding.diagnostic
    if found.severity is Severity.NOTE:  # what nobody has to act on takes one line
        line = f" (line {found.origin.line})" if found.origin and found.origin.line else ""
        return "\n".join(wrapped(f"note: {found.message}{line}", console.width))
    text = render_diagnostic(found, console.palette, console.width)
    if not finding.missing:
        return text
    head, separator, hint = text.rpartition("\nhint") if found.hint else (text, "", "")
    missing = [line for each in finding.missing for line in _missing_lines(each, console.width)]
    return "\n".join([head, f"{_INDENT}missing:", *missing]) + separator + hint


def _missing_lines(missing: Missing, width: int) -> list[str]:
    """A rule of the policy language, broken where a line would be too long."""
    from polpkg.cli.render import wrapped

    return wrapped(str(missing), width, _INDENT * 2, _INDENT * 4)


SUBVERBS = {"check": check}
