"""What a target is to have: the end of the way through packages and policy, and all that targets learn of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from polpkg.targets.boot.path import SetUp
from polpkg.targets.document import digest
from polpkg.targets.layout import LOCK_FILE, POLICYDB_FILE, PROJECT_FILE, system_file
from polpkg.targets.marks import Marks
from polpkg.targets.receipt import BootFile, PackageRecord, PolicyRecord, UnusableRecord


@dataclass(frozen=True, slots=True)
class PolicyArtifact:
    """One compiled policy and what belongs to it.

    `files`: what is kept with it in the generation, by name: `policydb`, which is what goes to /boot, and the same
    policy as `policy.cil`, `policy.conf` and `map.json`.  The rest is as in `PolicyRecord`.
    """

    abi_fingerprint: str
    xen_version: str
    policydb_version: int
    backend: str
    backend_version: str
    types: int
    attributes: int
    allow_rules: int
    files: Mapping[str, bytes] = field(repr=False)
    boot_files: tuple[BootFile, ...]
    inputs: str = ""
    permissive: tuple[str, ...] = ()
    folder: str = ""

    @property
    def record(self) -> PolicyRecord:
        """The same without the bytes, for the receipt."""
        policydb = self.files[POLICYDB_FILE]
        return PolicyRecord(
            self.abi_fingerprint,
            self.xen_version,
            self.policydb_version,
            self.backend,
            self.backend_version,
            digest(policydb),
            len(policydb),
            self.types,
            self.attributes,
            self.allow_rules,
            self.inputs,
            self.boot_files,
            self.permissive,
            self.folder,
        )


@dataclass(frozen=True, slots=True)
class WantedState:
    """Everything that is to be true of a target.

    `project`, `lock`: the bytes of policy.toml and policy.lock.  `action`: what was asked for, for the history
    ("install vmv").  `functions`: the owner of each.  `unusable`: hypervisor files that can take no policy; only noted.
    `system`: files of `SYSTEM_FILES` by their path; those that are not in it are not wanted.  `boot`: what the boot
    loaders of the target need (`polpkg.targets.boot.set_up`), which no generation keeps.  `marks`: those that are
    written when the change is a confirmation; otherwise they stay as they are.
    """

    project: bytes
    lock: bytes
    packages: tuple[PackageRecord, ...]
    functions: Mapping[str, str]
    artifacts: tuple[PolicyArtifact, ...]
    action: str
    unusable: tuple[UnusableRecord, ...] = ()
    system: Mapping[str, bytes] = field(default_factory=dict[str, bytes])
    boot: SetUp = field(default_factory=SetUp)
    marks: Marks = field(default_factory=Marks)

    @property
    def records(self) -> tuple[PolicyRecord, ...]:
        """The policies without their bytes, in the order of their ABIs; those that fit no hypervisor last."""
        return tuple(sorted((a.record for a in self.artifacts), key=lambda each: (not each.abi, each.abi, each.folder)))

    @property
    def files(self) -> dict[str, bytes]:
        """The files of a generation that holds this state, but for its plan, its receipt and its backups."""
        files = {PROJECT_FILE: self.project, LOCK_FILE: self.lock}
        files |= {system_file(path): content for path, content in self.system.items()}
        for artifact in self.artifacts:
            folder = artifact.record.place
            files |= {f"{folder}/{name}": content for name, content in artifact.files.items()}
        return files
