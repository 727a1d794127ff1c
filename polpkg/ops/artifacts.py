"""Compiled policies with all that a generation keeps of them, one for each ABI that a target needs."""

from __future__ import annotations

import os
from dataclasses import replace
from hashlib import sha256
from typing import TYPE_CHECKING, NamedTuple

from polpkg import __version__
from polpkg.errors import TargetError, TrustError
from polpkg.ops.compiling import BuildSettings, compile_policy, link_assembly
from polpkg.targets.boot.known import BOOT_PATHS
from polpkg.targets.layout import POLICYDB_FILE
from polpkg.targets.wanted import PolicyArtifact

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from polpkg.diagnostics import Diagnostic
    from polpkg.ops.assembly import Assembly
    from polpkg.policy.abi import Abi
    from polpkg.policy.backends.backend import Backend
    from polpkg.policy.ir.linked import LinkedPolicy
    from polpkg.targets.boot.path import BootPath
    from polpkg.targets.probe import HypervisorFile
    from polpkg.targets.receipt import BootFile
    from polpkg.targets.target import Target

CIL_FILE = "policy.cil"
CONF_FILE = "policy.conf"
MAP_FILE = "map.json"


class Slot(NamedTuple):
    """One ABI that a target needs a policy for, and the boot files that it goes to.

    The ABI is that of a hypervisor file of the target, or of what `--xen` or policy.toml names.
    """

    fingerprint: str
    version: str
    boot_files: tuple[BootFile, ...]
    hypervisor: HypervisorFile | None = None
    xen: str = ""

    @property
    def release(self) -> str:
        """The version without any vendor's addition, as specifiers of packages are about; empty when not known."""
        from polpkg.policy.abi.model import version_numbers

        return ".".join(map(str, version_numbers(self.version)))

    def abi(self, target: Target) -> Abi:
        """The ABI itself.  Raises TargetError when the hypervisor file cannot be read."""
        if self.hypervisor is not None:
            from polpkg.targets.probe import read_contents

            return read_contents(target, self.hypervisor).abi
        from polpkg.policy.abi.hypervisor import resolve_xen

        return resolve_xen(self.xen)


def find_slots(
    target: Target,
    hypervisors: Sequence[HypervisorFile],
    xen: str,
    recorded: str,
    boot_paths: Sequence[BootPath] = BOOT_PATHS,
) -> tuple[Slot, ...]:
    """What `target` needs policies for: the hypervisor `xen` if it is named, else the files found in the target, else
    the release that policy.toml has `recorded`.

    Raises TargetError `no-hypervisor` when there is nothing of all that, and what reading a hypervisor raises.
    """
    from polpkg.targets.boot.placing import place_policies

    usable = [h for h in hypervisors if h.is_usable]
    if xen or not usable:
        return (_named_slot(target, usable, xen or recorded, boot_paths),)
    by_abi = {h.fingerprint: h for h in usable}
    places = place_policies(usable, boot_paths)
    return tuple(Slot(abi, by_abi[abi].version, boot_files, by_abi[abi]) for abi, boot_files in places.items())


def _named_slot(target: Target, usable: Sequence[HypervisorFile], xen: str, boot_paths: Sequence[BootPath]) -> Slot:
    """The slot of a hypervisor that is named.

    Its policy goes to the files of the target that have its ABI, and if none has, to where Xen's own installation of
    that version would look for it.
    """
    from polpkg.targets.boot.placing import place_for_version, place_policies

    if not xen:
        raise TargetError(
            "no-hypervisor",
            f"there is no hypervisor in {target.name}, and none is named",
            hint="install Xen there first, or say with --xen which release it will have, as in --xen 4.17",
        )
    fingerprint, version = _fingerprint_and_version(xen)
    places = place_policies([h for h in usable if h.fingerprint == fingerprint], boot_paths)
    if fingerprint in places:
        return Slot(fingerprint, version, places[fingerprint], xen=xen)
    return Slot(fingerprint, version, (place_for_version(version),), xen=xen)


def _fingerprint_and_version(xen: str) -> tuple[str, str]:
    """What `--xen` means; a release is looked up without reading its table."""
    if "/" in xen or os.path.exists(xen):  # noqa: PTH110 - pathlib is not needed for more than this here
        from polpkg.policy.abi.hypervisor import resolve_xen

        abi = resolve_xen(xen)
        return abi.fingerprint, abi.version
    from polpkg.policy.abi.catalogue import find_release

    release = find_release(xen)
    return release.fingerprint, release.version


def inputs_digest(project: bytes, lock: bytes, slot: Slot, backend: Backend, settings: BuildSettings) -> str:
    """A digest of all that a compiled policy depends on: equal ones need not be compiled again."""
    words = (
        __version__,
        slot.fingerprint,
        slot.version,
        backend.name,
        backend.version(),
        str(settings.policydb_version),
        str(settings.mls),
        sha256(project).hexdigest(),
        sha256(lock).hexdigest(),
    )
    return sha256("\n".join(words).encode()).hexdigest()


def make_artifact(
    assembly: Assembly, abi: Abi, slot: Slot, backend: Backend, settings: BuildSettings
) -> tuple[PolicyArtifact, tuple[Diagnostic, ...]]:
    """Links and compiles for one slot; the artifact, without its inputs digest, and the warnings of the link."""
    from polpkg.policy.link.settings import permissive_types

    policy, warnings = link_assembly(assembly, abi, mls=settings.mls)
    policydb = compile_policy(policy, backend, settings)
    attributes = sum(1 for symbol in policy.types if symbol.is_attribute)
    artifact = PolicyArtifact(
        abi_fingerprint=slot.fingerprint,
        xen_version=slot.version,
        policydb_version=settings.policydb_version,
        backend=backend.name,
        backend_version=backend.version(),
        types=len(policy.types) - attributes,
        attributes=attributes,
        allow_rules=count_allow_rules(policy),
        files={POLICYDB_FILE: policydb, **readable_forms(policy)},
        boot_files=slot.boot_files,
        permissive=permissive_types(policy),
    )
    return artifact, warnings


def with_inputs(artifact: PolicyArtifact, inputs: str) -> PolicyArtifact:
    """The artifact with the digest of what it was made from."""
    return replace(artifact, inputs=inputs)


def readable_forms(policy: LinkedPolicy) -> dict[str, bytes]:
    """A linked policy as CIL, as policy.conf, and the origin of its rules."""
    from polpkg.policy.analysis.link_map import write_link_map
    from polpkg.policy.analysis.view import view_of
    from polpkg.policy.backends.cil import emit_cil
    from polpkg.policy.backends.conf import emit_conf

    return {
        CIL_FILE: emit_cil(policy).encode(),
        CONF_FILE: emit_conf(policy).encode(),
        MAP_FILE: write_link_map(view_of(policy)),
    }


def count_allow_rules(policy: LinkedPolicy) -> int:
    """Allow rules as a policydb has them: one for each source, target and class, and for each conditional branch."""
    from polpkg.policy.ir.statements import AvKind

    always = {rule[1:4] for rule in policy.rules if rule.kind is AvKind.ALLOW}
    branches = (branch for c in policy.conditionals for branch in (c.then, c.otherwise))
    return len(always) + sum(len({r[1:4] for r in branch if r.kind is AvKind.ALLOW}) for branch in branches)


def check_expected(artifacts: Sequence[PolicyArtifact], expected: Mapping[str, str]) -> None:
    """Compares compiled policies with the digests that policy.toml demands for their ABIs.

    Raises TrustError `unexpected-policy` for the first that differs.
    """
    for artifact in artifacts:
        wanted = expected.get(artifact.abi_fingerprint)
        found = artifact.record.sha256
        if wanted is not None and wanted != found:
            raise TrustError(
                "unexpected-policy",
                f"the policy for Xen {artifact.xen_version} has the digest {found}, and policy.toml expects {wanted}",
                hint="the packages, the backend or polpkg itself are not those that the digest was taken with",
            )
