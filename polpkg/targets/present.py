"""What a target has, as far as a plan has to know it: read once, so that the comparison itself touches nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from polpkg.errors import TargetError
from polpkg.targets.document import digest
from polpkg.targets.generations import generation_numbers, is_damage, read_generation, usable_generation
from polpkg.targets.layout import (
    ADOPTED_PREFIX,
    BACKUP,
    BOOT,
    BOOT_FOLDER,
    GRUB_SCRIPT,
    IPXE_SCRIPT,
    PROJECT,
    PROJECT_LOCK,
    SYSTEM_FILES,
    generation_path,
    is_own_boot_file,
    is_policy_path,
)
from polpkg.targets.marks import Marks, read_marks
from polpkg.targets.receipt import ADOPT, PolicyRecord, Receipt

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from polpkg.targets.target import Target
    from polpkg.targets.wanted import WantedState


@dataclass(frozen=True, slots=True)
class PresentState:
    """What a target has.

    `receipt`: of the current generation.  `numbers`: all generations.  `digests`: of each file outside the generations
    that a plan may touch, by path; a file that does not exist is not in it.  `sizes`: of the same.  `hypervisors`: the
    hypervisor files of the receipt, and of `orphans`, that still exist.  `orphans`: boot files that an earlier
    generation has and the current one does not, as that one recorded them.  `keepsakes`: the generations that keep
    policies which somebody else made, adopted ones and those that were replaced, or that alone know of `orphans`.
    """

    receipt: Receipt | None = None
    numbers: tuple[int, ...] = ()
    marks: Marks = field(default_factory=Marks)
    digests: Mapping[str, str] = field(default_factory=dict[str, str])
    sizes: Mapping[str, int] = field(default_factory=dict[str, int])
    hypervisors: frozenset[str] = frozenset()
    orphans: Mapping[str, PolicyRecord] = field(default_factory=dict[str, PolicyRecord])
    keepsakes: frozenset[int] = frozenset()


def read_present(target: Target, wanted: WantedState) -> PresentState:
    """What `target` has where `wanted` would change it.  Raises TargetError."""
    receipt = usable_generation(target)
    paths = {
        PROJECT,
        PROJECT_LOCK,
        *SYSTEM_FILES,
        *(boot.path for each in wanted.artifacts for boot in each.boot_files),
        *(receipt.boot_files if receipt else ()),
    }
    orphaned = find_orphans(target, paths)
    orphans = {path: policy for path, (_, policy) in orphaned.items()}
    holders = {number for number, _ in orphaned.values()}
    configuration = {*wanted.boot.files, *find_boot_configuration(target, paths)}
    found = _read_files(target, paths | configuration | set(orphans))
    policies = (*(receipt.policies if receipt else ()), *orphans.values())
    served = {h.path for policy in policies for boot in policy.boot_files for h in boot.hypervisors}
    numbers = generation_numbers(target)
    return PresentState(
        receipt,
        numbers,
        read_marks(target),
        {path: digest(content) for path, content in found.items()},
        {path: len(content) for path, content in found.items()},
        frozenset(path for path in served if target.stat(path)),
        orphans,
        frozenset(number for number in numbers if number in holders or _is_keepsake(target, number)),
    )


def _is_keepsake(target: Target, number: int) -> bool:
    """Whether a generation keeps policies of others; going back to an adopted one makes no second keepsake."""
    names = target.list(generation_path(number))
    if any(name.startswith(ADOPTED_PREFIX) for name in names):
        try:
            return read_generation(target, number).action == ADOPT
        except TargetError as error:
            if is_damage(error):
                return True
            raise
    return BACKUP in names and bool(target.list(f"{generation_path(number)}/{BACKUP}{BOOT}"))


def find_boot_configuration(target: Target, boot_files: Iterable[str] = ()) -> Iterator[str]:
    """The files of boot loaders that are polpkg's own, in /boot/polpkg and beside `boot_files`; others are not."""
    yield from (path for path in (GRUB_SCRIPT, f"{BOOT}/{IPXE_SCRIPT}") if target.stat(path))
    folders = {path.rpartition("/")[0] for path in boot_files if is_policy_path(path)} - {BOOT}
    for folder in (BOOT_FOLDER, *sorted(folders)):
        yield from (path for path in _paths_in(target, folder) if is_own_boot_file(path))


def _paths_in(target: Target, folder: str) -> Iterator[str]:
    """The paths in `folder`, which is empty for the root."""
    return (f"{folder}/{name}" for name in target.list(folder or "/"))


def find_orphans(target: Target, known: Collection[str]) -> dict[str, tuple[int, PolicyRecord]]:
    """Boot files that are none of `known` and that an earlier generation has, with the newest such and its record."""
    folders = {BOOT, *(path.rpartition("/")[0] for path in known if is_policy_path(path))}
    there = (path for folder in folders for path in _paths_in(target, folder) if is_policy_path(path))
    unknown = set(there) - set(known)
    orphans: dict[str, tuple[int, PolicyRecord]] = {}
    for number in reversed(generation_numbers(target) if unknown else ()):
        try:
            earlier = read_generation(target, number).boot_files
        except TargetError as error:
            if is_damage(error):  # which proves nothing
                continue
            raise
        for path in unknown & earlier.keys() - orphans.keys():
            orphans[path] = number, earlier[path]
    return orphans


def _read_files(target: Target, paths: Iterable[str]) -> dict[str, bytes]:
    return {path: target.read(path) for path in sorted(paths) if target.stat(path)}
