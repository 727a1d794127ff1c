"""`polpkg lab`."""

from __future__ import annotations

import os
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from polpkg.cli.console import Console
from polpkg.cli.options import IndexOptions, PlaceOptions
from polpkg.cli.render import wrapped
from polpkg.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from polpkg.ops.lab import ExplainedDenial, Trial, TriedGuest
    from polpkg.ops.lab_candidates import Candidate, LabHypervisor


def command(
    console: Console,
    place: PlaceOptions,
    indexes: IndexOptions,
    policy: Annotated[
        str | None,
        typer.Argument(metavar="[POLICY|DIR|N]", help="A policy file, the directory of a target, or a generation."),
    ] = None,
    xen: Annotated[
        Path | None,
        typer.Option("--xen", metavar="FILE", help="The hypervisor file; default: the first in the target."),
    ] = None,
    debs: Annotated[
        Path | None,
        typer.Option("--debs", metavar="DIR", help="Take kernel and tools from the .deb files in this folder."),
    ] = None,
    label: Annotated[
        list[str] | None,
        typer.Option("--label", metavar="LABEL", help="Try only guests with this label or type (repeatable)."),
    ] = None,
    log: Annotated[
        Path | None,
        typer.Option("--log", metavar="FILE", help="Write the console here; else it is kept only on failure."),
    ] = None,
) -> ExitCode:
    """Try a policy on a hypervisor in a box, before it touches a host.

    QEMU emulates a machine, and Xen boots there with the policy enforced.  dom0 starts Xen's tools, then it creates,
    boots, pauses and destroys a small guest for every label, and whatever FLASK denies is explained.  This takes about
    half a minute, and five seconds for every guest; nothing needs root and nothing outside of the box is touched.

    The exit code is 6 when the hypervisor does not take the policy, and 1 when it does but something does not work or
    is denied that nobody provoked.

    For example:
      polpkg lab --root build/demo --xen xen-4.17.gz
      polpkg lab xenpolicy-4.17.7 --xen xen-4.17.gz --label domU_t
    """
    from polpkg.ops.lab import try_policy
    from polpkg.ops.lab_candidates import choose_guests

    hypervisor, candidate = _open(console, place, indexes, policy, xen)
    candidate = candidate._replace(guests=choose_guests(candidate.guests, label or ()))
    trial = try_policy(hypervisor, candidate, debs, console.say)
    kept = _keep_console(trial, log)
    console.answer(_document(trial, candidate, kept), _text(trial, kept, console.width))
    return ExitCode.OK if trial.passed else ExitCode.FAILURE if trial.is_enforced else ExitCode.TARGET


def _open(
    console: Console, place: PlaceOptions, indexes: IndexOptions, policy: str | None, xen: Path | None
) -> tuple[LabHypervisor, Candidate]:
    """The hypervisor and the policy that are named.  Raises UsageError, and TargetError for a Xen without FLASK."""
    from polpkg.cli.session import make_context, open_target
    from polpkg.ops.lab_candidates import (
        find_lab_hypervisor,
        read_candidate,
        read_candidate_file,
        read_lab_hypervisor,
    )

    if policy is not None and Path(policy).is_dir():
        if place.is_given:
            raise UsageError("several-targets", f"{policy} and a target are named; give one of them")
        place, policy = PlaceOptions(root=Path(policy)), None
    if policy is not None and not policy.isdecimal():
        if xen is None:
            raise UsageError(
                "lab-needs-hypervisor", "a policy file is tried on a hypervisor", hint="name it with --xen"
            )
        return read_lab_hypervisor(xen), read_candidate_file(Path(policy))
    context = make_context(console, indexes)
    target = open_target(context, place.target)
    hypervisor = read_lab_hypervisor(xen) if xen else find_lab_hypervisor(target)
    return hypervisor, read_candidate(context, target, int(policy) if policy else None, hypervisor.about)


def _keep_console(trial: Trial, log: Path | None) -> Path | None:
    """Write the console where it is wanted, and after a failure at least to a temporary file."""
    from tempfile import mkstemp

    if log is None and trial.passed:
        return None
    if log is None:
        handle, name = mkstemp(prefix="polpkg-lab-", suffix=".log")
        os.close(handle)
        log = Path(name)
    log.write_text(trial.console, encoding="utf-8")
    return log


def _document(trial: Trial, candidate: Candidate, kept: Path | None) -> dict[str, Any]:
    return {
        "passed": trial.passed,
        "policy": {"name": candidate.label, "sha256": sha256(candidate.content).hexdigest()},
        "xen": trial.version,
        "booted": trial.booted,
        "mode": trial.mode or None,
        "panic": list(trial.panic),
        "misfit": trial.misfit or None,
        "stopped": trial.stopped or None,
        "dom0": trial.dom0 or None,
        "tools": trial.tools._asdict() if trial.tools else None,
        "guests": [_guest_document(guest) for guest in trial.guests],
        "denials": [_denial_document(each) for each in trial.denials],
        "seconds": round(trial.seconds, 1),
        "log": str(kept) if kept else None,
    }


def _guest_document(guest: TriedGuest) -> dict[str, Any]:
    label = guest.guest.label
    return {
        "context": label.context,
        "build": guest.guest.build or None,
        "package": label.package or None,
        "instance": label.instance or None,
        "kind": label.kind,
        "allowed": guest.is_allowed,
        "creators": list(guest.creators),
        "steps": list(guest.steps),
        "as_expected": guest.is_as_expected,
        "said": guest.said or None,
    }


def _denial_document(each: ExplainedDenial) -> dict[str, Any]:
    source, target, security_class, permission = each.denial
    return {
        "source": source,
        "target": target,
        "class": security_class,
        "permission": permission,
        "expected": each.is_expected,
        "because": list(each.because),
    }


def _text(trial: Trial, kept: Path | None, width: int) -> str:
    paragraphs = [
        *_boot_lines(trial),
        *(line for guest in trial.guests for line in _guest_lines(guest)),
        *(line for each in trial.unexpected for line in _denial_lines(each)),
    ]
    verdict = "all as the policy says" if trial.passed else "not as it should be"
    end = [f"{verdict}; this took {trial.seconds:.0f} seconds"] + ([f"the console is in {kept}"] if kept else [])
    return "\n".join(line for text in [*paragraphs, *end] for line in wrapped(text, width))


def _boot_lines(trial: Trial) -> list[str]:
    if not trial.booted:
        lines = [f"Xen {trial.version} does not boot with this policy", *(f"  Xen: {words}" for words in trial.panic)]
        lines += [] if trial.panic else [f"  {trial.stopped}"]
        return lines + ([f"  polpkg: {trial.misfit}"] if trial.misfit else [])
    lines = [f"Xen {trial.version} boots, FLASK is {trial.mode or 'not at work'}"]
    if trial.dom0:
        lines.append(f"Domain-0 is {trial.dom0}")
    return lines + _tools_lines(trial) + ([f"then: {trial.stopped}"] if trial.stopped else [])


def _tools_lines(trial: Trial) -> list[str]:
    tools = trial.tools
    if tools is None or tools.work:
        return []
    if not tools.fit:
        text = f"no guest was tried: the tools here are for Xen {tools.release} and fit no other"
        return [f"{text}; those of this Xen can be given with --debs"]
    return ["the tools of Xen do not work under this policy:", *(f"  {line}" for line in tools.said.splitlines())]


def _guest_lines(tried: TriedGuest) -> list[str]:
    label = tried.guest.label
    name = f"{label.context} ({label.package} {label.instance})" if label.package else label.context
    creators = ", ".join(tried.creators) or "nobody"
    if not tried.is_allowed and not tried.steps:
        return [f"{name}: dom0 is refused; {creators} may create it"]
    done = ", ".join(tried.steps) or "not created"
    if tried.is_as_expected:
        return [f"{name}: {done}"]
    wrong = "and no more" if tried.is_allowed else f"though the policy lets only {creators} create it"
    return [f"{name}: {done}, {wrong}", *(f"  {line}" for line in tried.said.splitlines())]


def _denial_lines(each: ExplainedDenial) -> list[str]:
    return [f"denied: {each.denial}", *(f"  {reason}" for reason in each.because)]
