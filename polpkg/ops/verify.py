"""`polpkg verify`: whether a target still is what was installed.

The files are compared with the receipt, the lock with policy.toml, and the policy is built once more from the locked
packages: the same bytes must come out.  On a host that runs, what is in force is compared too.  What cannot be looked
at is said, not passed over.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

from polpkg.errors import NetworkError, PolicyError, PolpkgError, TargetError, TrustError, UsageError
from polpkg.ops.installed import read_inputs
from polpkg.ops.live_status import find_live_drift
from polpkg.targets.boot.set_up import inspect_boot
from polpkg.targets.generations import current_generation
from polpkg.targets.layout import CURRENT, LOCK_FILE, PROJECT, RECEIPT_FILE, generation_path
from polpkg.targets.verify import verify_files

if TYPE_CHECKING:
    from collections.abc import Iterator

    from polpkg.ops.assembly import Assembly
    from polpkg.ops.context import Context
    from polpkg.ops.installed import Installed
    from polpkg.policy.abi import Abi
    from polpkg.targets.receipt import PolicyRecord, Receipt
    from polpkg.targets.target import Target


_DAMAGE = frozenset(("damaged-receipt", "damaged-state", "no-such-generation"))
"""What the records of a target may be found to be, beyond comparing: that is drift as well."""


RUNNING = "running"
"""In place of a path: what is in force, not what is in a file."""


class Finding(NamedTuple):
    """One thing that is not as it was left: its kind, as `--json` has it, where, and in one line what."""

    kind: str
    path: str
    message: str


@dataclass(frozen=True, slots=True)
class Verification:
    """What was found.

    `generation`: None when polpkg's own records are damaged.  `drift`: what was compared and differs.  `skipped`: what
    could not be compared, and why, and what else a person should know.  `rebuilt`: how many policies came out the same
    when they were built again.
    """

    generation: int | None
    drift: tuple[Finding, ...]
    skipped: tuple[str, ...]
    rebuilt: int


class _Skipped(NamedTuple):
    reason: str


def verify_target(context: Context, target: Target) -> Verification:
    """Compares `target` with what its current generation says.

    Raises TargetError: `no-generation` when nothing is installed, and what reading files raises.
    """
    boot_paths = context.boot_paths()
    try:
        found = verify_files(target, thorough=True, boot_paths=boot_paths)
        drift = [Finding(each.kind.value, each.path, each.message) for each in found]
        receipt = current_generation(target)
    except TargetError as error:
        if error.code not in _DAMAGE:
            raise
        return Verification(None, (Finding("damaged", CURRENT, error.message),), (), 0)
    if receipt is None:
        raise TargetError("no-generation", f"{target.name} lost its generation while it was looked at")
    found_at_boot = inspect_boot(target, receipt.policies, boot_paths)
    drift += [Finding(each.code, each.path, each.message) for each in found_at_boot if each.is_wrong]
    in_force, unknown = find_live_drift(target, receipt)
    drift += [Finding(each.kind, RUNNING, each.message) for each in in_force]
    told = (*(each.message for each in found_at_boot if not each.is_wrong), *unknown)
    try:
        installed = read_inputs(target, receipt)
    except PolicyError as error:
        damaged = Finding("damaged", generation_path(receipt.generation), error.message)
        return Verification(receipt.generation, (*drift, damaged), told, 0)
    except TargetError as error:  # a file of the generation was changed, which is among the drift
        reason = f"the lock and the policy were not looked at: {error.message}"
        return Verification(receipt.generation, tuple(drift), (*told, reason), 0)
    if receipt.is_adopted:
        reason = "the policy was not built again: polpkg did not make it (`polpkg adopt`)"
        return Verification(receipt.generation, tuple(drift), (*told, reason), 0)
    drift += _stale(installed)
    drift += _records(installed)
    found = tuple(_rebuild(context, target, installed))
    skipped = (*told, *(each.reason for each in found if isinstance(each, _Skipped)))
    drift += [each for each in found if isinstance(each, Finding)]
    return Verification(receipt.generation, tuple(drift), skipped, sum(1 for each in found if each is None))


def _stale(installed: Installed) -> Iterator[Finding]:
    from polpkg.packages.stale import why_stale

    project = installed.project
    for reason in why_stale(
        installed.lock, project.requirements, project.options, project.overrides, project.index_map
    ):
        yield Finding("stale-lock", PROJECT, f"the lock is not an answer to policy.toml: {reason}")


def _records(installed: Installed) -> Iterator[Finding]:
    """What the receipt, which `status` and `list` show, says otherwise than the lock beside it."""
    receipt, lock = installed.receipt, installed.lock
    recorded = {(p.name, p.version, p.index, p.sha256) for p in receipt.packages}
    if recorded != {(p.name, p.version, p.index, p.sha256) for p in lock.packages}:
        yield _misrecorded(installed, "names other packages than the lock")
    if dict(receipt.functions) != dict(lock.functions):
        yield _misrecorded(installed, "names other owners of functions than the lock")


def _misrecorded(installed: Installed, what: str) -> Finding:
    path = f"{generation_path(installed.receipt.generation)}/{RECEIPT_FILE}"
    return Finding("receipt-differs", path, f"{path} {what}")


def _rebuild(context: Context, target: Target, installed: Installed) -> Iterator[Finding | _Skipped | None]:
    """For each policy: None when it came out the same, else what differs or why it was not built."""
    try:
        assembly = _assemble(context, installed)
    except (NetworkError, UsageError) as error:
        yield _Skipped(f"the policy was not built again: {error.message}")
        return
    except (TrustError, PolicyError) as error:
        lock = f"{generation_path(installed.receipt.generation)}/{LOCK_FILE}"
        yield Finding("packages-changed", lock, f"the policy cannot be built again: {error.message}")
        return
    except PolpkgError as error:  # an index no longer has a release
        yield _Skipped(f"the policy was not built again: {error.message}")
        return
    for policy in installed.receipt.policies:
        yield _compare(context, target, installed, assembly, policy)


def _assemble(context: Context, installed: Installed) -> Assembly:
    from polpkg.ops.assembly import assemble
    from polpkg.ops.resolution import load_packages

    catalog = context.catalog(installed.project, installed.project.requirements)
    return assemble(load_packages(context, installed.lock, catalog), installed.project)


def _compare(
    context: Context, target: Target, installed: Installed, assembly: Assembly, policy: PolicyRecord
) -> Finding | _Skipped | None:
    from polpkg.ops.artifacts import Slot, make_artifact
    from polpkg.ops.compiling import BuildSettings

    path = policy.boot_files[0].path if policy.boot_files else policy.abi[:12]
    abi = find_abi_of(target, installed, policy)
    if abi is None:
        return _Skipped(f"{path} was not built again: the tables of its hypervisor are not at hand")
    settings = BuildSettings(policy.backend, policy.policydb_version, installed.project.target.mls)
    try:
        backend = context.backend(policy.backend)
        slot = Slot(policy.abi, policy.xen_version, policy.boot_files)
        artifact, _ = make_artifact(assembly, abi, slot, backend, settings)
    except PolicyError as error:
        return Finding("policy-differs", path, f"{path} cannot be built again: {error.message}")
    except PolpkgError as error:  # the tool of the backend is missing, or a plugin that brought it
        return _Skipped(f"{path} was not built again: {error.message}")
    if artifact.record.sha256 == policy.sha256:
        built = artifact.record._replace(inputs=policy.inputs, backend_version=policy.backend_version)
        return None if built == policy else _misrecorded(installed, f"tells of {path} what does not hold for it")
    return Finding("policy-differs", path, _difference(path, installed.receipt, policy, artifact.backend_version))


def _difference(path: str, receipt: Receipt, policy: PolicyRecord, backend_version: str) -> str:
    """What to say about a policy that came out differently; another compiler is the likely reason."""
    from polpkg import __version__

    reasons: list[str] = []
    if receipt.polpkg != __version__:
        reasons.append(f"it was made by polpkg {receipt.polpkg}, this is {__version__}")
    if policy.backend_version != backend_version:
        reasons.append(f"by {policy.backend} {policy.backend_version}, here is {backend_version}")
    because = f" ({'; '.join(reasons)})" if reasons else ""
    return f"{path} is not what its packages give when they are built again{because}"


def find_abi_of(target: Target, installed: Installed, policy: PolicyRecord) -> Abi | None:
    """The ABI that a policy was compiled for: of the hypervisor file in the target, or of what policy.toml names."""
    from polpkg.policy.abi.hypervisor import resolve_xen
    from polpkg.targets.probe import probe_hypervisors, read_contents

    for hypervisor in probe_hypervisors(target, installed.receipt):
        if hypervisor.fingerprint == policy.abi:
            return replace(read_contents(target, hypervisor).abi, version=policy.xen_version)
    facts = installed.project.target
    for named in filter(None, (facts.hypervisor, facts.xen, policy.xen_version)):
        try:
            abi = resolve_xen(named)
        except (UsageError, TargetError):  # a file that is gone, or a version that nobody knows
            continue
        if abi.fingerprint == policy.abi:
            return replace(abi, version=policy.xen_version)
    return None
