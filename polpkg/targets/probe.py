"""Which hypervisor files a target has, and what policy each can take.

A file whose bytes are known from the receipt is not unpacked again: its digest says what it was found to be.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from polpkg.errors import TargetError
from polpkg.targets.boot.naming import is_hypervisor_name
from polpkg.targets.boot.pe import hypervisor_digest
from polpkg.targets.layout import BOOT
from polpkg.targets.receipt import HypervisorRecord, UnusableRecord
from polpkg.targets.target import FileKind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from polpkg.policy.abi.hypervisor import Hypervisor
    from polpkg.targets.receipt import Receipt
    from polpkg.targets.target import Target

    Reader = Callable[[bytes, str], Hypervisor]

EFI = "efi"
"""The directory of /boot, in any case, that is an EFI system partition or, when /boot is one, has its programs."""

MAX_DEPTH = 4
"""How many directories deep it is looked into."""


@dataclass(frozen=True, slots=True)
class HypervisorFile:
    """A hypervisor file of a target.

    `path`: its own name, no link's.  `version`: empty when it does not tell.  `fingerprint`: of its ABI, empty when it
    cannot take a policy, and then `reason` says why.  `contents`: all that was read of it; None when its digest was
    known: `read_contents` reads it then.
    """

    path: str
    sha256: str
    version: str = ""
    fingerprint: str = ""
    reason: str = ""
    contents: Hypervisor | None = field(default=None, compare=False, repr=False)

    @property
    def is_usable(self) -> bool:
        """Whether a policy can be made for it."""
        return bool(self.fingerprint)

    @property
    def unusable_record(self) -> UnusableRecord:
        """What a receipt keeps of one that no policy can be made for."""
        return UnusableRecord(self.path, self.sha256, self.reason)

    @property
    def record(self) -> HypervisorRecord:
        """What a receipt keeps of it."""
        return HypervisorRecord(self.path, self.sha256, self.version)


def find_hypervisors(
    target: Target, receipt: Receipt | None = None, read: Reader | None = None
) -> tuple[HypervisorFile, ...]:
    """The hypervisor files of `target`, by path; empty when it has none.

    In /boot and on an EFI system partition below it.  A link counts only when the file that it leads to is not found
    by a name of its own.  `receipt` saves reading those it knows; `read` reads one, `inspect_hypervisor` by default.
    Raises TargetError `no-usable-hypervisor` when there are some and none can take a policy.
    """
    found = probe_hypervisors(target, receipt, read)
    if found and not any(each.is_usable for each in found):
        reasons = "; ".join(each.reason for each in found)
        raise TargetError(
            "no-usable-hypervisor",
            f"no hypervisor of {target.name} can take a policy: {reasons}",
            hint="install a Xen that is built with XSM and FLASK",
        )
    return found


def probe_hypervisors(
    target: Target, receipt: Receipt | None = None, read: Reader | None = None
) -> tuple[HypervisorFile, ...]:
    """As `find_hypervisors`, without an error when none can take a policy."""
    known: dict[str, HypervisorFile] = {}
    if receipt is not None:
        files = (HypervisorFile(each.path, each.sha256, reason=each.reason) for each in receipt.unusable)
        known = {each.sha256: each for each in files}
        for found, policy in receipt.hypervisors:
            known[found.sha256] = HypervisorFile(found.path, found.sha256, found.version, policy.abi)
    return tuple(_probe(target, path, known, read) for path in _find_files(target))


def read_contents(target: Target, hypervisor: HypervisorFile, read: Reader | None = None) -> Hypervisor:
    """All that a usable hypervisor file tells, its ABI among it.  Raises TargetError."""
    if hypervisor.contents is not None:
        return hypervisor.contents
    return (read or _inspect)(target.read(hypervisor.path), hypervisor.path)


def _probe(target: Target, path: str, known: dict[str, HypervisorFile], read: Reader | None) -> HypervisorFile:
    content = target.read(path)
    sha256 = hypervisor_digest(content)
    if sha256 in known and (known[sha256].is_usable or known[sha256].path == path):
        return replace(known[sha256], path=path)
    try:
        contents = (read or _inspect)(content, path)
    except TargetError as error:
        return HypervisorFile(path, sha256, reason=error.message)
    if contents.table is None:
        return HypervisorFile(path, sha256, contents.version, reason=f"{path} was built without FLASK")
    return HypervisorFile(path, sha256, contents.table.version, contents.table.fingerprint, contents=contents)


def _inspect(content: bytes, name: str) -> Hypervisor:
    from polpkg.policy.abi.hypervisor import inspect_hypervisor

    return inspect_hypervisor(content, name)


def _find_files(target: Target) -> list[str]:
    """The paths of hypervisor files: regular files first, then links to what they do not cover; sorted."""
    chosen: dict[tuple[int, int], str] = {}
    files: list[str] = []
    for path, is_link in sorted(_candidates(target), key=lambda each: (each[1], each[0])):
        status = target.stat(path)
        if status is None or status.kind is not FileKind.FILE or (is_link and status.identity in chosen):
            continue
        chosen[status.identity] = path
        files.append(path)
    return sorted(files)


def _candidates(target: Target) -> Iterator[tuple[str, bool]]:
    """Every path with the name of a hypervisor, and whether it is a link."""
    names = target.list(BOOT)
    files = (f"{BOOT}/{name}" for name in names if is_hypervisor_name(name))
    programs = _efi_programs(target, [f"{BOOT}/{name}" for name in names if name.lower() == EFI])
    for path in (*files, *programs, *_in_network_tree(target)):
        yield path, target.read_link(path) is not None


def _in_network_tree(target: Target) -> Iterator[str]:
    """The paths with such names when `target` is no system but what a server gives to other machines."""
    from polpkg.targets.boot.configurations import find_loader_files

    def may_be(path: str) -> bool:
        return not path.startswith(f"{BOOT}/") and is_hypervisor_name(path.rpartition("/")[2])

    yield from find_loader_files(target, may_be)


def _efi_programs(target: Target, directories: Sequence[str], depth: int = 0) -> Iterator[str]:
    for directory in directories:
        for name in target.list(directory):
            path = f"{directory}/{name}"
            if name.lower().endswith(".efi") and is_hypervisor_name(name.lower()):
                yield path
            elif depth < MAX_DEPTH and target.read_link(path) is None:
                yield from _efi_programs(target, [path], depth + 1)
