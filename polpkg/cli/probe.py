"""`polpkg probe`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from polpkg.cli.console import Console
from polpkg.cli.options import PlaceOptions
from polpkg.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from polpkg.ops.probe import BootPolicy, ProbedHypervisor
    from polpkg.targets.boot.path import BootFinding
    from polpkg.targets.receipt import PolicyRecord


def command(
    console: Console,
    place: PlaceOptions,
    path: Annotated[
        Path | None, typer.Argument(metavar="[FILE|DIR]", help="A hypervisor file, or the directory of a target.")
    ] = None,
) -> ExitCode | None:
    """Show what a hypervisor file or a target is.

    Of a file: its version, and the classes and permissions (the ABI) that a policy must have to be loaded.  Of a
    target: the same for each hypervisor in it, and whether the policy it is booted with fits.  Of a host also what runs
    there: Xen, domains with their labels, booleans.

    For example:
      polpkg probe /boot/xen-4.17-amd64.gz
      polpkg probe --root build/demo
    """
    if path is not None and place.is_given:
        raise UsageError("several-targets", f"{path} and a target are named; give one of them")
    if path is not None and not path.is_dir():
        _probe_file(console, path)
        return ExitCode.OK
    return _probe_target(console, place if path is None else PlaceOptions(root=path))


def _probe_file(console: Console, path: Path) -> None:
    from polpkg.policy.abi.hypervisor import read_hypervisor
    from polpkg.policy.abi.probe import report_on

    report = report_on(read_hypervisor(path))
    console.answer(report.to_json(), "\n".join(report.lines()))


def _probe_target(console: Console, place: PlaceOptions) -> ExitCode:
    from polpkg.cli.session import make_context, open_target
    from polpkg.ops.live_status import live_document
    from polpkg.ops.probe import probe_target

    context = make_context(console)
    target = open_target(context, place.target)
    found = probe_target(target, context.boot_paths())
    document = {
        "target": target.name,
        "hypervisors": [_values(each) for each in found.hypervisors],
        "named": [_named_values(policy) for policy in found.named],
        "boot": [each._asdict() for each in found.boot],
        "live": live_document(found.live),
    }
    lines = [
        *_lines(found.hypervisors, console.width),
        *map(_named_line, found.named),
        *_boot_lines(found.boot, console.width),
    ]
    if found.live is not None:
        from polpkg.cli.live import probe_lines

        lines += probe_lines(found.live, console.width)
    console.answer(document, "\n".join(lines))
    usable = found.named or any(each.file.is_usable for each in found.hypervisors)
    return ExitCode.OK if usable else ExitCode.TARGET


def _values(probed: ProbedHypervisor) -> dict[str, Any]:
    found = probed.file
    return {
        "file": found.path,
        "sha256": found.sha256,
        "version": found.version or None,
        "flask": found.is_usable,
        "reason": found.reason or None,
        "abi": {"fingerprint": found.fingerprint, "versions": list(probed.versions)} if found.is_usable else None,
        "policy": _policy_values(probed.policy) if probed.policy else None,
        "boot_paths": list(probed.boot_paths),
    }


def _named_values(policy: PolicyRecord) -> dict[str, Any]:
    return {"version": policy.xen_version, "abi": policy.abi, "paths": [boot.path for boot in policy.boot_files]}


def _named_line(policy: PolicyRecord) -> str:
    paths = ", ".join(boot.path for boot in policy.boot_files)
    return f"{paths}: for Xen {policy.xen_version}, which was named; its hypervisor file is not here"


def _policy_values(policy: BootPolicy) -> dict[str, Any]:
    return {
        "path": policy.path,
        "present": policy.is_there,
        "ours": policy.is_ours,
        "fits": policy.fits if policy.is_there else None,
        "reason": policy.misfit or None,
    }


def _lines(found: Sequence[ProbedHypervisor], width: int) -> Iterator[str]:
    from polpkg.cli.render import visible, wrapped
    from polpkg.policy.abi import render_versions

    for probed in found:
        yield visible(
            f"{probed.file.path}: {f'Xen {probed.file.version}' if probed.file.version else 'version unknown'}"
        )
        if probed.policy is None:
            yield visible(f"  no policy can be made for it: {probed.file.reason}")
            continue
        known = f", the table of Xen {render_versions(probed.versions)}" if probed.versions else ", no known table"
        yield f"  FLASK: yes; ABI {probed.file.fingerprint[:12]}{known}"
        loaders = " and ".join(probed.boot_paths)
        yield from wrapped(f"  booted by {loaders} with {probed.policy.path}, {_state(probed.policy)}", width)


def _boot_lines(found: Sequence[BootFinding], width: int) -> Iterator[str]:
    from polpkg.cli.render import wrapped

    for each in found:
        yield from wrapped(f"{'!' if each.is_wrong else 'note:'} {each.message} [{each.code}]", width)


def _state(policy: BootPolicy) -> str:
    if not policy.is_there:
        return "which is not there"
    whose = "ours" if policy.is_ours else "which polpkg did not write"
    return f"{whose}, and it fits" if policy.fits else f"{whose}: it would be refused: {policy.misfit}"
