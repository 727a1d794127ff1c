"""What a change does to the policies of a target, for the person who is to agree: each new one beside the old one."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from polpkg.errors import PolicyError, TargetError
from polpkg.ops.policies import read_artifact_view
from polpkg.targets.generations import read_artifact
from polpkg.targets.plan import WriteBootFile

if TYPE_CHECKING:
    from collections.abc import Iterator

    from polpkg.policy.analysis.review import Review
    from polpkg.policy.analysis.view import PolicyView
    from polpkg.targets.plan import Plan
    from polpkg.targets.receipt import PolicyRecord, Receipt
    from polpkg.targets.target import Target
    from polpkg.targets.wanted import PolicyArtifact, WantedState


class PolicyReview(NamedTuple):
    """How the policy for one hypervisor changes.

    `xen`: the version of Xen that it is for.  `compared_with`: what the old policy is called, empty when there is none:
    the target had no policy before.  `review` is None when there was none, or the old one says the same.
    """

    xen: str
    compared_with: str
    review: Review | None


def review_change(target: Target, receipt: Receipt | None, wanted: WantedState, plan: Plan) -> tuple[PolicyReview, ...]:
    """The policies that `plan` replaces, each beside the one that takes its place, in the order of their ABIs.

    `receipt` is that of the current generation.  Where polpkg had no policy yet, the boot file that somebody else wrote
    is what is compared.  An old policy that cannot be read counts as none.
    """
    return tuple(_reviews(target, receipt, wanted, plan))


def _reviews(target: Target, receipt: Receipt | None, wanted: WantedState, plan: Plan) -> Iterator[PolicyReview]:
    from polpkg.policy.analysis.review import review_policies

    for artifact in sorted(wanted.artifacts, key=lambda each: each.abi_fingerprint):
        before = _predecessor(receipt, artifact)
        if before is not None and before.sha256 == artifact.record.sha256:
            continue
        label, old = _old_policy(target, receipt, before, artifact, plan)
        review = None if old is None else review_policies(old, read_artifact_view(artifact))
        yield PolicyReview(artifact.xen_version, label, review)


def _predecessor(receipt: Receipt | None, artifact: PolicyArtifact) -> PolicyRecord | None:
    """The policy of the current generation that `artifact` takes the place of: for the same ABI, else the same file."""
    policies = receipt.policies if receipt else ()
    places = {boot.path for boot in artifact.boot_files}
    of_abi = [policy for policy in policies if policy.abi == artifact.abi_fingerprint]
    at_place = [policy for policy in policies if places & {boot.path for boot in policy.boot_files}]
    return next(iter([*(each for each in of_abi if each in at_place), *of_abi, *at_place]), None)


def _old_policy(
    target: Target, receipt: Receipt | None, before: PolicyRecord | None, artifact: PolicyArtifact, plan: Plan
) -> tuple[str, PolicyView | None]:
    if receipt is not None and before is not None:
        try:
            view = read_artifact_view(read_artifact(target, receipt, before))
        except (TargetError, PolicyError):
            return "", None
        return f"generation {receipt.generation}", view
    replaced = {each.path for each in _boot_changes(plan) if each.replaces == "foreign"}
    for path in sorted(replaced & {boot.path for boot in artifact.boot_files}):
        if (view := _foreign_policy(target, path)) is not None:
            return path, view
    return "", None


def _boot_changes(plan: Plan) -> Iterator[WriteBootFile]:
    return (each for each in plan.file_changes if isinstance(each, WriteBootFile))


def _foreign_policy(target: Target, path: str) -> PolicyView | None:
    """A boot file that polpkg did not write; None when it is no policy."""
    from polpkg.policy.analysis.view import view_of
    from polpkg.policy.policydb import lift, read_policydb

    try:
        return view_of(lift(read_policydb(target.read(path))))
    except PolicyError:
        return None
