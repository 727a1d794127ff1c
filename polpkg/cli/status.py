"""`polpkg status`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from polpkg.cli.console import Console
from polpkg.cli.options import PlaceOptions

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from polpkg.ops.status import Asked, Claim, Status
    from polpkg.targets.receipt import PolicyRecord, Receipt


def command(console: Console, place: PlaceOptions) -> None:
    """Show what a target has now.

    That is the current generation, what was asked for, the policy for each hypervisor, who owns which function, and
    whether files differ from what was installed; `verify` looks more closely.

    For example:
      polpkg status --root build/demo
    """
    from polpkg.cli.session import make_context, open_target
    from polpkg.ops.status import read_status
    from polpkg.targets.steady import read_steadily

    target = open_target(make_context(console), place.target)
    status = read_steadily(target, lambda: read_status(target))
    root = str(place.root) if place.root else ""
    console.answer(_document(status, root), "\n".join(_lines(status, console.width)))


def _document(status: Status, root: str) -> dict[str, Any]:
    from polpkg.cli.installed import drift_values, policy_values
    from polpkg.ops.live_status import live_document
    from polpkg.targets.receipt import package_document

    receipt = status.receipt
    policies = [policy_values(policy, root) for policy in receipt.policies] if receipt else []
    return {
        "target": status.target,
        "generation": receipt.generation if receipt else None,
        "created": receipt.created if receipt else None,
        "action": receipt.action if receipt else None,
        "polpkg": receipt.polpkg if receipt else None,
        "confirmed": status.is_confirmed,
        "confirmed_generation": status.confirmed,
        "trial": status.trial.value if status.trial else None,
        "requested": None if status.asked is None else [_asked_values(each) for each in status.asked],
        "packages": [package_document(package) for package in receipt.packages] if receipt else [],
        "functions": dict(receipt.functions) if receipt else {},
        "claims": None if status.claims is None else [claim._asdict() for claim in status.claims],
        "policy": policies[0] if policies else None,
        "policies": policies,
        "interrupted": status.interrupted,
        "live": live_document(status.live),
        "drift": [drift_values(each.kind.value, each.path, each.message) for each in status.drift],
    }


def _asked_values(asked: Asked) -> dict[str, Any]:
    instances = [{"name": name, "parameters": dict(values)} for name, values in asked.instances.items()]
    return {"name": asked.name, "requirement": asked.requirement, "base": asked.is_base, "instances": instances}


def _lines(status: Status, width: int) -> Iterator[str]:
    from polpkg.cli.render import visible

    receipt = status.receipt
    if receipt is None:
        yield visible(f"nothing is installed in {status.target}")
    else:
        yield visible(f"generation {receipt.generation} of {status.target}")
        yield visible(f"  made {receipt.created} by polpkg {receipt.polpkg}: {receipt.action}")
        if status.confirmed is not None:
            yield f"  {_confirmed(status)}"
        yield from _asked_lines(status.asked)
        for policy in receipt.policies:
            yield from _policy_lines(policy)
        if not receipt.is_adopted:
            yield from _function_lines(receipt, status.claims or (), width)
    if status.live is not None:
        from polpkg.cli.live import status_lines

        yield from status_lines(status.live, width)
    if status.interrupted:
        yield "! a change was interrupted, or is under way: the next change finishes it"
    more = f" and {len(status.drift) - 1} more: see `polpkg verify`" if len(status.drift) > 1 else ""
    yield from (visible(f"! {drift.message}{more}") for drift in status.drift[:1])


_TRIALS = {
    "staged": "the next boot tries the new one, once",
    "booted": "the new one was booted: `polpkg confirm`, or the next boot goes back",
    "failed": "the new one was given up, and that is what boots",
}


def _confirmed(status: Status) -> str:
    if not status.is_confirmed:
        told = _TRIALS.get(status.trial.value if status.trial else "", "`polpkg confirm` after a good boot")
        return f"not confirmed; generation {status.confirmed} is ({told})"
    if status.receipt is not None and status.receipt.generation != status.confirmed:
        return f"confirmed: it has the policies of generation {status.confirmed}, which is"
    return "confirmed"


def _asked_lines(asked: tuple[Asked, ...] | None) -> Iterator[str]:
    from polpkg.cli.render import visible

    if asked is None:
        return
    yield "packages asked for"
    for each in asked:
        if not each.is_base:
            instances = f" as {', '.join(each.instances)}" if each.instances else ""
            yield visible(f"  {each.requirement}{instances}")
    base = ", ".join(each.name for each in asked if each.is_base)
    if base:
        yield visible(f"  {base} (on every target)")


def _policy_lines(policy: PolicyRecord) -> Iterator[str]:
    for boot in policy.boot_files:
        hypervisors = ", ".join(hypervisor.path for hypervisor in boot.hypervisors)
        yield f"policy {boot.path}"
        version = f"for Xen {policy.xen_version}" if policy.xen_version else "for no hypervisor that was there"
        yield f"  {version}" + (f", {hypervisors}" if hypervisors else "")
        yield (
            f"  {policy.allow_rules} allow rules, {policy.types} types; policydb {policy.policydb_version}"
            f" by {'somebody else' if policy.is_adopted else policy.backend}, {policy.size:,} bytes"
        )
        yield f"  sha256 {policy.sha256}"
        if policy.permissive:
            yield f"! PERMISSIVE, for a learning run: {', '.join(policy.permissive)} (denials are logged and allowed)"


def _function_lines(receipt: Receipt, claims: Iterable[Claim], width: int) -> Iterator[str]:
    """Functions by owner, wrapped: dom0 usually has most of them."""
    from polpkg.cli.render import wrapped

    owners: dict[str, list[str]] = {}
    for function, owner in sorted(receipt.functions.items()):
        owners.setdefault(owner, []).append(function)
    yield "functions"
    lines = [f"{owner}: {', '.join(functions)}" for owner, functions in sorted(owners.items())]
    lines += [f"{claim.package}, for its own guests: {', '.join(claim.functions)}" for claim in claims]
    for text in lines:
        yield from wrapped(f"  {text}", width)
