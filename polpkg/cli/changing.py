"""What the verbs that change a target have in common: carry the change out, and tell about it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from polpkg.cli.installed import policy_values
from polpkg.cli.render import override_lines, wrapped
from polpkg.cli.session import find_project, make_context, open_target
from polpkg.errors import ExitCode, UsageError
from polpkg.ops.change import ChangeRequest, change_target
from polpkg.targets.plan_text import plan_document, plan_lines
from polpkg.targets.receipt import package_document

if TYPE_CHECKING:
    from collections.abc import Callable

    from polpkg.cli.console import Console
    from polpkg.cli.options import BuildOptions, ChangeOptions, IndexOptions, TargetOptions
    from polpkg.ops.activation import Activating, Activation
    from polpkg.ops.carrying_out import Outcome, Proposal
    from polpkg.targets.plan import Plan
    from polpkg.targets.receipt import PolicyRecord


def target_facts(build: BuildOptions) -> dict[str, str | int | bool]:
    """What the build options record in policy.toml."""
    facts: dict[str, str | int | bool] = {}
    if build.backend is not None:
        facts["backend"] = build.backend
    if build.policydb_version is not None:
        facts["policydb-version"] = build.policydb_version
    if build.mls:
        facts["mls"] = True
    return facts


def run_change(
    console: Console,
    request: ChangeRequest,
    target_options: TargetOptions,
    indexes: IndexOptions,
    change: ChangeOptions,
    *,
    create: bool = False,
) -> ExitCode:
    """Changes the target, or with `--dry-run` only says what would change."""
    context = make_context(console, indexes)
    target = open_target(context, target_options, create=create)
    outcome = change_target(
        context,
        target,
        request,
        project_folder=find_project(target_options),
        dry_run=change.dry_run,
        agree=agreement(console, change),
        how=activating(change),
    )
    return tell_outcome(console, outcome, target_options, change)


def activating(change: ChangeOptions) -> Activating | None:
    """How the change comes into force on a host that runs; None: as usual.  Raises UsageError."""
    if not change.no_activate and not change.confirm_within:
        return None
    from polpkg.ops.activation import Activating

    if change.no_activate and change.confirm_within:
        message = "--no-activate loads nothing, so there is nothing to confirm within a time"
        raise UsageError("options-disagree", message, hint="leave out one of them")
    return Activating(not change.no_activate, change.confirm_within or 0)


def agreement(console: Console, change: ChangeOptions) -> Callable[[Proposal], None]:
    """What is called with a proposal before anything changes."""

    def agree(proposal: Proposal) -> None:
        """A directory tree is not asked about: nothing runs on it while it is changed."""
        if proposal.activation is None:
            for line in plan_lines(proposal.plan):
                console.detail(line)
            return
        from polpkg.cli.live import question
        from polpkg.cli.review import review_lines

        shown = console.detail if change.yes else console.say
        for line in plan_lines(proposal.plan):
            shown(line)
        for found in proposal.review() if not change.yes or console.verbose else ():
            for line in review_lines(found, console.width):
                shown(line)
        for line in activation_lines(proposal.activation, console.width):
            shown(line)
        console.confirm(question(proposal.activation), yes=change.yes)

    return agree


def activation_lines(activation: Activation | None, width: int) -> list[str]:
    """What will become of what runs there; empty for a tree or an image."""
    if activation is None:
        return []
    from polpkg.cli.live import proposed_lines

    return proposed_lines(activation, width)


def done_lines(activation: Activation | None, width: int) -> list[str]:
    """What became of it."""
    if activation is None:
        return []
    from polpkg.cli.live import outcome_lines

    return outcome_lines(activation, width)


def live_document(activation: Activation | None) -> dict[str, Any] | None:
    """The same as JSON values; None for a tree or an image."""
    if activation is None:
        return None
    from polpkg.ops.activation import activation_document

    return activation_document(activation)


def tell_outcome(console: Console, outcome: Outcome, target_options: TargetOptions, change: ChangeOptions) -> ExitCode:
    """Tells what became of a change, or with `--dry-run` what would; the exit code that goes with it."""
    console.warn(outcome.warnings)
    root = str(target_options.root) if target_options.root else ""
    if change.dry_run:
        from polpkg.cli.review import review_document, review_lines

        document = {
            **change_document(outcome, root),
            "plan": plan_document(outcome.plan),
            "review": [review_document(found) for found in outcome.reviews],
        }
        reviewed = [line for found in outcome.reviews for line in review_lines(found, console.width)]
        lines = [*plan_lines(outcome.plan), *override_lines(outcome.overrides), *reviewed]
        lines += activation_lines(outcome.activation, console.width)
        console.answer(document, "\n".join(lines))
        return ExitCode.PENDING if outcome.has_work else ExitCode.OK
    lines = [line for text in change_lines(outcome) for line in wrapped(text, console.width)]
    lines += done_lines(outcome.activation, console.width)
    console.answer(change_document(outcome, root), "\n".join(lines))
    return ExitCode.OK


def change_document(outcome: Outcome, root: str) -> dict[str, Any]:
    """The document of a change (CLI.md); with several hypervisors, `policy` is the first of `policies`.

    `changed`: whether anything was to be done, which a dry run did not do.
    """
    plan, receipt = outcome.plan, outcome.receipt
    policies = [policy_values(policy, root) for policy in plan.policies]
    return {
        "generation": receipt.generation if receipt else plan.generation,
        "changed": outcome.has_work,
        "packages": [package_document(package) for package in plan.packages],
        "functions": dict(plan.functions),
        "policy": policies[0] if policies else None,
        "policies": policies,
        "changes": plan.changes.document,
        "notes": list(plan.notes),
        "overrides": dict(outcome.overrides),
        "live": live_document(outcome.activation),
    }


def change_lines(outcome: Outcome) -> list[str]:
    """What a person reads after a change, a line for each fact."""
    plan = outcome.plan
    if plan.is_empty:
        number = outcome.receipt.generation if outcome.receipt else 0
        done = f"nothing to do: generation {number} has all that is wanted"
        return [*_permissive_lines(plan), *override_lines(outcome.overrides), done]
    lines = [*plan.changes.lines]
    lines += [
        f"{boot.path}: policy for {_whom(policy)}, {policy.allow_rules} allow rules, "
        f"{policy.types} types, {policy.size:,} bytes, sha256 {policy.sha256[:12]}"
        for policy in plan.policies
        for boot in policy.boot_files
    ]
    lines += _permissive_lines(plan)
    moved = {name: owner for name, owner in plan.functions.items() if owner != "dom0"}
    if moved:
        lines.append(
            "functions moved out of dom0: " + ", ".join(f"{n} to {_new_owners(o)}" for n, o in sorted(moved.items()))
        )
    lines += [f"note: {note}" for note in plan.notes]
    lines += override_lines(outcome.overrides)
    becomes = "becomes current when it is confirmed" if outcome.waits else "is current"
    return [*lines, f"generation {plan.generation} {becomes}"]


def _whom(policy: PolicyRecord) -> str:
    return f"Xen {policy.xen_version}" if policy.xen_version else "no hypervisor here"


def _permissive_lines(plan: Plan) -> list[str]:
    """Types that are not enforced are named by every change, also by one that changes nothing."""
    lax = sorted({name for policy in plan.policies for name in policy.permissive})
    told = f"! PERMISSIVE, for a learning run: {', '.join(lax)} (denials are logged and allowed)"
    return [told] if lax else []


def _new_owners(owners: str) -> str:
    """The owners of a function besides dom0, which may have kept it for some guests."""
    names = owners.split(", ")
    others = ", ".join(name for name in names if name != "dom0")
    return f"{others} (for some guests)" if "dom0" in names else others
