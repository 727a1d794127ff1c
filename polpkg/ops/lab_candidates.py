"""What `polpkg lab` tries: a hypervisor file, a policy, and the labels of the guests to create under it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from polpkg.errors import UsageError
from polpkg.plugin.values import XlKey

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from polpkg.ops.context import Context
    from polpkg.ops.labels import Label
    from polpkg.policy.abi.hypervisor import Hypervisor
    from polpkg.policy.analysis.view import PolicyView
    from polpkg.targets.target import Target


class LabHypervisor(NamedTuple):
    """A hypervisor file, and what it says of itself."""

    content: bytes
    about: Hypervisor


class LabGuest(NamedTuple):
    """A guest to try: its label, and the context that it has while it is built, empty for the same."""

    label: Label
    build: str = ""

    @property
    def created_as(self) -> str:
        """The type that it is created with."""
        return type_of(self.build or self.label.context)


class Candidate(NamedTuple):
    """A policy to try: the file that Xen loads, what is in it, what to call it, and guests."""

    content: bytes
    view: PolicyView
    label: str
    guests: tuple[LabGuest, ...]


def read_lab_hypervisor(path: Path) -> LabHypervisor:
    """A hypervisor file of this machine.  Raises UsageError when there is none, and TargetError without FLASK."""
    try:
        return _inspected(path.read_bytes(), str(path))
    except OSError as error:
        hint = "the lab boots a hypervisor file, such as /boot/xen-4.17-amd64.gz; a version is not enough"
        raise UsageError("lab-needs-hypervisor", f"{path} cannot be read: {error.strerror}", hint=hint) from error


def find_lab_hypervisor(target: Target) -> LabHypervisor:
    """The first hypervisor file of a target that takes a policy.

    Raises UsageError `lab-needs-hypervisor` when there is none, and TargetError `no-hypervisor`.
    """
    from polpkg.ops.probe import probe_target

    path = next((each.file.path for each in probe_target(target).hypervisors if each.policy), "")
    if not path:
        message = f"{target.name} has no hypervisor file that takes a policy"
        raise UsageError("lab-needs-hypervisor", message, hint="give the hypervisor file with --xen")
    return _inspected(target.read(path), path)


def _inspected(content: bytes, name: str) -> LabHypervisor:
    from polpkg.policy.abi.hypervisor import read_hypervisor

    return LabHypervisor(content, read_hypervisor(content, name))


def read_candidate(context: Context, target: Target, generation: int | None, hypervisor: Hypervisor) -> Candidate:
    """The policy of a target's generation for a hypervisor, with the labels of its packages.  Raises TargetError."""
    from polpkg.ops.labels import find_labels
    from polpkg.ops.policies import find_generation, policy_for, read_policy_record

    receipt = find_generation(target, generation)
    record = policy_for(receipt, hypervisor.abi.fingerprint, hypervisor.version)
    read, content = read_policy_record(target, receipt, record)
    labels = find_labels(context, target, receipt.generation)
    return Candidate(content, read.view, f"{target.name}, {read.label}", tuple(_paired(labels)))


def _paired(labels: Iterable[Label]) -> Iterator[LabGuest]:
    """The labels of guests; one that a guest has while it is built stands before that of the guest."""
    build = ""
    for label in labels:
        if label.xl == XlKey.SECLABEL.value:
            yield LabGuest(label, build)
        build = label.context if label.xl == XlKey.INIT_SECLABEL.value else ""


def read_candidate_file(path: Path) -> Candidate:
    """A policydb file, whose guests are all types that something may create a domain of.

    Raises UsageError when it cannot be read and PolicyError when it is damaged.
    """
    from polpkg.ops.policies import read_policy_file

    read = read_policy_file(path)
    return Candidate(path.read_bytes(), read.view, read.label, tuple(_guests_of(read.view)))


def _guests_of(view: PolicyView) -> Iterator[LabGuest]:
    """Every type that something may create a domain of; one that only turns into another is the build label of that."""
    from polpkg.ops.labels import Label
    from polpkg.policy.analysis.access import AccessDecider
    from polpkg.policy.analysis.contexts import context_of
    from polpkg.policy.analysis.query import RuleQuery, find_rules

    policy = view.policy
    before = AccessDecider(policy).turning_into()
    turned = {policy.types[number].name: policy.types[building].name for number, building in before.items()}
    query = RuleQuery(security_class="domain", permissions=frozenset({"create"}), expand=True)
    created = {rule.target for rule in find_rules(view, query)}
    for name in sorted(created - set(turned.values()) | set(turned)):
        build = context_of(policy, turned[name]) if name in turned else ""
        yield LabGuest(Label("", "", "", "domain", context_of(policy, name), XlKey.SECLABEL.value), build)


def choose_guests(guests: Sequence[LabGuest], wanted: Sequence[str]) -> tuple[LabGuest, ...]:
    """The labels that `wanted` names by context or type, all when it names none.  Raises UsageError for another."""
    if not wanted:
        return tuple(guests)
    names = {name: each for each in guests for name in (each.label.context, type_of(each.label.context))}
    for name in wanted:
        if name not in names:
            known = ", ".join(type_of(each.label.context) for each in guests) or "none"
            raise UsageError("unknown-label", f"`{name}` is no label of a guest", hint=f"there are: {known}")
    return tuple(names[name] for name in wanted)


def type_of(context: str) -> str:
    """The type in a context; empty when it is none."""
    fields = context.split(":")
    return fields[2] if len(fields) > 2 else ""
