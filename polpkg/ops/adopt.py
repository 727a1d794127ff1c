"""`polpkg adopt`: the policies that a target was booted with before polpkg came become a generation to go back to.

Nothing of the boot is touched: the files stay where they are, and their bytes, with the same policies as text, are kept
in generation 0, which is never pruned.  Later changes compare with it, and `rollback 0` brings it back.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from polpkg.errors import PolicyError, TargetError
from polpkg.ops.activation import Activating
from polpkg.ops.carrying_out import Outcome, Prepared, carry_out
from polpkg.targets.adoption import find_policies
from polpkg.targets.generations import generation_numbers, read_generation, usable_generation
from polpkg.targets.layout import ADOPTED_PREFIX, POLICY_PREFIX, POLICYDB_FILE, PROJECT, generation_path, is_policy_path
from polpkg.targets.plan import compute_plan
from polpkg.targets.present import read_present
from polpkg.targets.receipt import ADOPT, ADOPTED, BootFile
from polpkg.targets.wanted import PolicyArtifact, WantedState

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from polpkg.ops.carrying_out import Proposal
    from polpkg.ops.context import Context
    from polpkg.targets.adoption import FoundPolicy
    from polpkg.targets.boot.path import BootPath
    from polpkg.targets.probe import HypervisorFile
    from polpkg.targets.receipt import PolicyRecord, Receipt
    from polpkg.targets.target import Target


class AdoptedPolicy(NamedTuple):
    """A policy that somebody made.

    `hypervisors`: those that are booted with it.  `folder`: where generation 0 keeps it.  `misfit`: why no hypervisor
    of the target takes it, empty when one does; `xen`: the version of that one.  `unreadable`: why it does not parse.
    """

    path: str
    hypervisors: tuple[str, ...]
    folder: str
    sha256: str
    xen: str
    misfit: str = ""
    unreadable: str = ""


class Adoption(NamedTuple):
    """What was found, and what became of it."""

    outcome: Outcome
    policies: tuple[AdoptedPolicy, ...]


def adopt_target(
    context: Context,
    target: Target,
    *,
    dry_run: bool = False,
    agree: Callable[[Proposal], None] = lambda _: None,
) -> Adoption:
    """Makes generation 0 of the policies that `target` has; nothing when there are none, or it did so before.

    Raises TargetError `already-managed` when polpkg has made policies there and others lie beside them.
    """
    found: list[AdoptedPolicy] = []

    def prepare() -> Prepared:
        prepared, policies = _prepare(target, context.boot_paths())
        found[:] = policies
        return prepared

    how = Activating(now=False)
    outcome = carry_out(context, target, prepare, project_folder=None, dry_run=dry_run, agree=agree, how=how)
    return Adoption(outcome, tuple(found))


def _prepare(target: Target, boot_paths: Sequence[BootPath]) -> tuple[Prepared, tuple[AdoptedPolicy, ...]]:
    from polpkg.packages.lock import Lockfile, render_lock
    from polpkg.targets.probe import probe_hypervisors

    receipt = usable_generation(target)
    hypervisors = probe_hypervisors(target, receipt)
    found = find_policies(target, hypervisors, boot_paths)
    if receipt is not None and not (receipt.is_adopted and receipt.action == ADOPT):
        _refuse_strangers(target, receipt, found)
        return _nothing(receipt.generation), ()
    if not found:
        return _nothing(0), ()
    folders = _folders(found)
    made = [_adopt(target, each, hypervisors, folders[each.path]) for each in found]
    project = target.read(PROJECT) if target.stat(PROJECT) else b""
    artifacts = tuple(artifact for artifact, _ in made)
    wanted = WantedState(project, render_lock(Lockfile(())).encode(), (), {}, artifacts, ADOPT)
    present = read_present(target, wanted)
    plan = compute_plan(wanted, present, keep=len(present.numbers) + 1, lowest=0)
    return Prepared(wanted, plan, (), {}), tuple(adopted for _, adopted in made)


def _nothing(generation: int) -> Prepared:
    from polpkg.targets.changes import Changes
    from polpkg.targets.plan import Plan

    plan = Plan(ADOPT, generation, None, (), Changes(), (), {}, ())
    return Prepared(WantedState(b"", b"", (), {}, (), ADOPT), plan, (), {})


def _refuse_strangers(target: Target, receipt: Receipt, found: Sequence[FoundPolicy]) -> None:
    """Raises TargetError when a policy is there that no generation has."""
    from polpkg.targets.document import digest

    known = {policy.sha256 for policy in _all_policies(target)}
    strangers = [each.path for each in found if digest(each.content) not in known]
    if strangers:
        raise TargetError(
            "already-managed",
            f"{target.name} has generation {receipt.generation} of polpkg, which did not make {', '.join(strangers)}",
            hint="a change that needs its place keeps it in the new generation, below backup/",
        )


def _all_policies(target: Target) -> Iterable[PolicyRecord]:
    for number in generation_numbers(target):
        yield from read_generation(target, number).policies


def _folders(found: Sequence[FoundPolicy]) -> dict[str, str]:
    """A folder for each policy, after its name; files of one name in two directories are numbered."""
    folders: dict[str, str] = {}
    for each in found:
        name = ADOPTED_PREFIX + each.path.rpartition("/")[2].removeprefix(POLICY_PREFIX)
        number = sum(1 for other in folders.values() if other == name or other.startswith(f"{name}+"))
        folders[each.path] = f"{name}+{number + 1}" if number else name
    return folders


def _adopt(
    target: Target, found: FoundPolicy, hypervisors: Sequence[HypervisorFile], folder: str
) -> tuple[PolicyArtifact, AdoptedPolicy]:
    """One policy as a generation keeps it, and what to tell of it."""
    fitting, misfit = _find_fitting(target, found, hypervisors)
    artifact = PolicyArtifact(
        abi_fingerprint=fitting.fingerprint if fitting else "",
        xen_version=fitting.version if fitting else "",
        policydb_version=0,
        backend=ADOPTED,
        backend_version="",
        types=0,
        attributes=0,
        allow_rules=0,
        files={POLICYDB_FILE: found.content},
        boot_files=(BootFile(found.path),) if is_policy_path(found.path) else (),
        folder=folder,
    )
    unreadable = ""
    try:
        artifact = _with_text(artifact)
    except PolicyError as error:
        unreadable = error.message
    served = tuple(each.path for each in found.hypervisors)
    version = fitting.version if fitting else ""
    return artifact, AdoptedPolicy(found.path, served, folder, artifact.record.sha256, version, misfit, unreadable)


def _find_fitting(
    target: Target, found: FoundPolicy, hypervisors: Sequence[HypervisorFile]
) -> tuple[HypervisorFile | None, str]:
    """The hypervisor that a policy is for, and when there is none, why; its own first, then any that takes it."""
    from polpkg.ops.probe import why_refused
    from polpkg.targets.probe import read_contents

    reasons: list[str] = []
    for each in found.hypervisors or [each for each in hypervisors if each.is_usable]:
        reason = why_refused(found.content, read_contents(target, each).abi)
        if not reason:
            return each, ""
        reasons.append(f"{each.path}: {reason}")
    return None, "; ".join(reasons) or "there is no hypervisor with FLASK"


def _with_text(artifact: PolicyArtifact) -> PolicyArtifact:
    """The artifact with the same policy as text, and its numbers.  Raises PolicyError when it does not parse."""
    from polpkg.ops.artifacts import count_allow_rules, readable_forms
    from polpkg.policy.link.settings import permissive_types
    from polpkg.policy.policydb import lift, read_policydb

    policydb = read_policydb(artifact.files[POLICYDB_FILE])
    policy = lift(policydb)
    attributes = sum(1 for symbol in policy.types if symbol.is_attribute)
    return replace(
        artifact,
        policydb_version=policydb.version,
        types=len(policy.types) - attributes,
        attributes=attributes,
        allow_rules=count_allow_rules(policy),
        files={**artifact.files, **readable_forms(policy)},
        permissive=permissive_types(policy),
    )


def text_of(policy: AdoptedPolicy) -> str:
    """Where a target has an adopted policy as a policy.conf, which `polpkg import` takes."""
    from polpkg.ops.artifacts import CONF_FILE

    return f"{generation_path(0)}/{policy.folder}/{CONF_FILE}"
