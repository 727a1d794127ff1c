"""`polpkg functions`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from polpkg.cli.console import Console
from polpkg.cli.options import IndexOptions, Policy, TargetOptions

if TYPE_CHECKING:
    from collections.abc import Iterable

    from polpkg.ops.functions import FunctionsReport, Served
    from polpkg.packages.claims import Owner
    from polpkg.policy.analysis.holdings import Holding
    from polpkg.policy.powers import Power
    from polpkg.targets.target import Target


def command(
    console: Console,
    target: TargetOptions,
    indexes: IndexOptions,
    policy: Policy = None,
    of: Annotated[str, typer.Option("--of", metavar="OWNER", help="Whose holdings, by name or type.")] = "dom0",
    table: Annotated[
        bool, typer.Option("--table", help="What functions are made of, on any hypervisor; needs no target.")
    ] = False,
) -> None:
    """Show who owns each function, what dom0 still holds, and why.

    What it holds is read from the compiled policy, permission by permission, and stands under the functions whose rules
    grant it; then what it would lose with each function, and what no policy takes away.  Where a target has several
    hypervisors, --xen says which policy is meant.

    For example:
      polpkg functions --root build/demo
      polpkg functions --table
    """
    if table:
        from polpkg.policy.powers import read_powers

        rows = read_powers()
        console.answer({"table": [_power_document(row) for row in rows]}, _table_text(console, rows))
        return
    from polpkg.cli.functions_text import report_lines
    from polpkg.cli.session import make_context, open_target
    from polpkg.ops.functions import report_functions

    context = make_context(console, indexes)
    opened = open_target(context, target)
    number, xen = _which(opened, policy, target.xen or "")
    report = report_functions(context, opened, number, xen=xen, holder=of)
    console.answer(_document(report), "\n".join(report_lines(report, console.width, whole=console.verbose)))


def _which(target: Target, policy: str | None, xen: str) -> tuple[int | None, str]:
    """The generation that is meant, and the hypervisor: a file stands for the generation that it belongs to."""
    from pathlib import Path

    from polpkg.ops.policies import find_policy

    if policy is None or policy.isdecimal():
        return (int(policy) if policy else None), xen
    return find_policy(target, Path(policy))


def _document(report: FunctionsReport) -> dict[str, Any]:
    return {
        "policy": {
            "generation": report.generation,
            "xen": report.xen,
            "abi": report.abi,
            "others": list(report.others),
        },
        "functions": dict(report.owners),
        "holder": report.holder._asdict(),
        "clients": [_client(served, report) for served in report.clients],
        "host": {
            "owners": {function: _owners(owners) for function, owners in report.host_owners.items()},
            "holds": [_holding(held, report) for held in report.host],
        },
        "moves": {function: [_access(held) for held in lost] for function, lost in report.gives_up.items()},
        "residuals": list(report.residuals),
    }


def _client(served: Served, report: FunctionsReport) -> dict[str, Any]:
    return {
        "type": served.type,
        "package": served.package,
        "owners": {function: _owners(owners) for function, owners in served.owners.items()},
        "holds": [_holding(held, report) for held in served.holdings],
    }


def _owners(owners: Iterable[Owner]) -> list[dict[str, str]]:
    return [{"name": owner.name, "type": owner.type} for owner in owners]


def _access(held: Holding) -> dict[str, Any]:
    return {
        "source": held.source,
        "target": held.target,
        "class": held.security_class,
        "permission": held.permission,
    }


def _holding(held: Holding, report: FunctionsReport) -> dict[str, Any]:
    return {
        **_access(held),
        "conditions": list(held.conditions),
        "functions": list(held.functions),
        "as_client": list(held.as_client),
        "ordinary": held in report.ordinary,
        "rules": [
            {"package": o.package, "version": o.version, "file": o.file, "line": o.line}
            for o in held.others
            if o is not None
        ],
    }


def _power_document(row: Power) -> dict[str, Any]:
    return {
        "functions": list(row.functions),
        "when": row.when,
        "subject": row.subject,
        "target": row.target,
        "class": row.security_class,
        "permissions": list(row.permissions),
        "hooks": row.hooks,
        "reason": row.reason,
    }


def _table_text(console: Console, rows: Iterable[Power]) -> str:
    from polpkg.cli.functions_text import table_lines

    return "\n".join(table_lines(rows, console.width))
