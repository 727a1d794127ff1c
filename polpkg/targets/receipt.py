"""The receipt of a generation: what one target made of a lock file (DESIGN.md 4), as a value and as canonical JSON.

There is no way to read a loaded policy back from Xen, so this is what drift is judged by.  It holds nothing that two
builds of the same image would not share (no inode, no host name; the time is SOURCE_DATE_EPOCH when that is set).
Keys that a newer polpkg added are kept when a receipt is read and written again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from polpkg.errors import TargetError
from polpkg.targets.document import read_document, render_document
from polpkg.targets.layout import ADOPTED_PREFIX, artifact_folder, is_policy_path

ADOPTED = "adopted"
"""The backend of a policy that somebody else made, and that was found (`polpkg adopt`)."""

ADOPT = "adopt"
"""The action of the generation that was made of what was found."""

FORMAT = 1
"""The format that is written, and the newest that is read."""


@dataclass(frozen=True, slots=True, order=True)
class PackageRecord:
    """One package of a state: its name, its version, the index it came from, and the digest of its archive."""

    name: str
    version: str
    index: str
    sha256: str


class HypervisorRecord(NamedTuple):
    """The hypervisor file that a policy was compiled for: where, which bytes, and the version they told."""

    path: str
    sha256: str
    version: str


class UnusableRecord(NamedTuple):
    """A hypervisor file that no policy could be made for, and why: so that it need not be unpacked again."""

    path: str
    sha256: str
    reason: str


class BootFile(NamedTuple):
    """A policy file in /boot, and the hypervisor files that are booted with it.

    No hypervisor: the policy was made for a release that was named (`--xen 4.17`), not found.
    """

    path: str
    hypervisors: tuple[HypervisorRecord, ...] = ()


class PolicyRecord(NamedTuple):
    """One compiled policy: for which ABI, made by what, how large, and the boot files that hold it.

    `abi`: the fingerprint.  `inputs`: a digest of all that went into it, by which whoever compiles can tell that
    nothing has to be compiled again; empty when not given.  `sha256`, `size`: of the policydb.  `permissive`: types
    whose denials are logged and allowed.  `folder`: where its files are in the generation, when not where its ABI says.
    """

    abi: str
    xen_version: str
    policydb_version: int
    backend: str
    backend_version: str
    sha256: str
    size: int
    types: int
    attributes: int
    allow_rules: int
    inputs: str = ""
    boot_files: tuple[BootFile, ...] = ()
    permissive: tuple[str, ...] = ()
    folder: str = ""

    @property
    def place(self) -> str:
        """The folder, in its generation, of its files."""
        return self.folder or artifact_folder(self.abi)

    @property
    def is_adopted(self) -> bool:
        """Whether somebody else made it."""
        return self.backend == ADOPTED


@dataclass(frozen=True, slots=True)
class Receipt:
    """What generation `generation` is.

    `created`: RFC 3339, UTC.  `action`: what was asked for ("install vmv").  `parent`: the generation that was current
    before, None for the first.  `functions`: the owner of each.  `files`: the digest of every file of the generation
    but the receipt.  `unusable`: the hypervisor files that could take no policy.  `extra`: keys of a newer polpkg, as
    they were read.
    """

    generation: int
    parent: int | None
    created: str
    polpkg: str
    action: str
    packages: tuple[PackageRecord, ...] = ()
    functions: Mapping[str, str] = field(default_factory=dict[str, str])
    policies: tuple[PolicyRecord, ...] = ()
    files: Mapping[str, str] = field(default_factory=dict[str, str])
    unusable: tuple[UnusableRecord, ...] = ()
    extra: Mapping[str, Any] = field(default_factory=dict[str, Any])

    @property
    def is_adopted(self) -> bool:
        """Whether somebody else made its policies, so that no packages and no lock tell of them."""
        return any(policy.is_adopted for policy in self.policies)

    @property
    def boot_files(self) -> Mapping[str, PolicyRecord]:
        """The policy that each boot file holds, by path."""
        return {boot.path: policy for policy in self.policies for boot in policy.boot_files}

    @property
    def hypervisors(self) -> tuple[tuple[HypervisorRecord, PolicyRecord], ...]:
        """Every hypervisor file that was found, with the policy compiled for it."""
        return tuple(
            (hypervisor, policy)
            for policy in self.policies
            for boot in policy.boot_files
            for hypervisor in boot.hypervisors
        )


def render_receipt(receipt: Receipt) -> bytes:
    """The canonical JSON of `receipt`: equal receipts are equal bytes."""
    return render_document(
        {
            **receipt.extra,
            "format": FORMAT,
            "generation": receipt.generation,
            "parent": receipt.parent,
            "created": receipt.created,
            "polpkg": receipt.polpkg,
            "action": receipt.action,
            "packages": [package_document(package) for package in receipt.packages],
            "functions": dict(receipt.functions),
            "policies": [policy_document(policy) for policy in receipt.policies],
            "files": dict(receipt.files),
            "unusable": [each._asdict() for each in receipt.unusable],
        }
    )


def parse_receipt(content: bytes, name: str) -> Receipt:
    """The receipt that `content` is; `name` is the path that messages call it by.

    Raises TargetError: `damaged-receipt`, or `newer-format` when only a newer polpkg can read it.
    """
    document = read_document(content, name, "damaged-receipt", FORMAT)
    try:
        return _receipt(document)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise TargetError("damaged-receipt", f"{name} is not a receipt: {error}") from None


_KEYS = {"format", *Receipt.__dataclass_fields__} - {"extra"}


def _receipt(document: Mapping[str, Any]) -> Receipt:
    parent = document["parent"]
    return Receipt(
        generation=int(document["generation"]),
        parent=None if parent is None else int(parent),
        created=str(document["created"]),
        polpkg=str(document["polpkg"]),
        action=str(document["action"]),
        packages=tuple(_package(each) for each in document["packages"]),
        functions={str(name): str(owner) for name, owner in document["functions"].items()},
        policies=tuple(_policy(each) for each in document["policies"]),
        files={str(path): str(digest) for path, digest in document["files"].items()},
        unusable=tuple(_unusable(each) for each in document.get("unusable", ())),
        extra={key: value for key, value in document.items() if key not in _KEYS},
    )


def package_document(package: PackageRecord) -> dict[str, str]:
    """`package` as it stands in JSON, here and in what commands print."""
    return {name: getattr(package, name) for name in PackageRecord.__dataclass_fields__}


def _unusable(document: Mapping[str, Any]) -> UnusableRecord:
    return UnusableRecord(*(str(document[key]) for key in UnusableRecord._fields))


def _package(document: Mapping[str, Any]) -> PackageRecord:
    return PackageRecord(*(str(document[key]) for key in PackageRecord.__dataclass_fields__))


def policy_document(policy: PolicyRecord) -> dict[str, Any]:
    """`policy` as it stands in JSON, here and in what commands print."""
    values = policy._asdict()
    boot_files = [_boot_document(boot) for boot in policy.boot_files]
    document = {**values, "boot_files": boot_files, "permissive": list(policy.permissive)}
    return document if policy.folder else {key: value for key, value in document.items() if key != "folder"}


def _policy(document: Mapping[str, Any]) -> PolicyRecord:
    return PolicyRecord(
        abi=str(document["abi"]),
        xen_version=str(document["xen_version"]),
        policydb_version=int(document["policydb_version"]),
        backend=str(document["backend"]),
        backend_version=str(document["backend_version"]),
        sha256=str(document["sha256"]),
        size=int(document["size"]),
        types=int(document["types"]),
        attributes=int(document["attributes"]),
        allow_rules=int(document["allow_rules"]),
        inputs=str(document.get("inputs", "")),
        boot_files=tuple(_boot_file(each) for each in document["boot_files"]),
        permissive=tuple(str(each) for each in document.get("permissive", ())),
        folder=_folder(str(document.get("folder", ""))),
    )


def _folder(name: str) -> str:
    if name and (not name.startswith(ADOPTED_PREFIX) or "/" in name):
        raise ValueError(f"{name} is no folder of a policy")
    return name


def _boot_document(boot: BootFile) -> dict[str, Any]:
    return {"path": boot.path, "hypervisors": [hypervisor._asdict() for hypervisor in boot.hypervisors]}


def _boot_file(document: Mapping[str, Any]) -> BootFile:
    path = str(document["path"])
    if not is_policy_path(path):
        raise ValueError(f"{path} is no boot file")
    return BootFile(path, tuple(_hypervisor(each) for each in document["hypervisors"]))


def _hypervisor(document: Mapping[str, Any]) -> HypervisorRecord:
    return HypervisorRecord(*(str(document[key]) for key in HypervisorRecord._fields))
