"""What has to be done so that a target has what is wanted: a pure comparison, whose result is data.

Nothing is touched here; `polpkg.targets.apply` carries a plan out.  A plan names digests, not contents: the bytes are
those of the wanted state it was made from.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal, NamedTuple

from polpkg.targets.boot.path import SetUp
from polpkg.targets.changes import Changes, compare_packages
from polpkg.targets.document import digest
from polpkg.targets.layout import (
    BACKUP,
    LOCK_FILE,
    PLAN_FILE,
    POLICYDB_FILE,
    PROJECT,
    PROJECT_FILE,
    PROJECT_LOCK,
    SYSTEM_FILES,
    is_own_boot_file,
    system_file,
)
from polpkg.targets.present import PresentState
from polpkg.targets.receipt import PackageRecord, PolicyRecord, Receipt
from polpkg.targets.wanted import WantedState

DEFAULT_KEEP = 10
"""How many generations are kept, besides those that are pinned or confirmed."""


class WriteGeneration(NamedTuple):
    """Write generation `number`.

    `files`: the digests of its files, but for the plan, the receipt and the backups.  `backups`: the files outside
    that somebody else wrote and that are replaced: path to digest; the generation keeps them below `backup/`.
    """

    number: int
    files: Mapping[str, str]
    backups: Mapping[str, str]
    size: int


class WriteBootFile(NamedTuple):
    """Write a policy to /boot: the file `source` of the generation.  `replaces`: whose file is there now."""

    path: str
    source: str
    sha256: str
    size: int
    before: str | None
    replaces: Literal["nothing", "ours", "foreign"]


class RemoveBootFile(NamedTuple):
    """Remove a policy of ours from /boot that no hypervisor is booted with any more."""

    path: str
    before: str


class WriteConfiguration(NamedTuple):
    """Write a file of /etc/polpkg: the file `source` of the generation."""

    path: str
    source: str
    sha256: str
    size: int
    before: str | None


class WriteSystemFile(NamedTuple):
    """Write a file that the target itself has: the file `source` of the generation."""

    path: str
    source: str
    sha256: str
    size: int
    before: str | None


class RemoveSystemFile(NamedTuple):
    """Remove a file that polpkg wrote and that is not wanted any more."""

    path: str
    before: str


class WriteBootConfiguration(NamedTuple):
    """Write a file of a boot loader, whose content the plan's wanted state has."""

    path: str
    sha256: str
    size: int
    before: str | None


class RemoveBootConfiguration(NamedTuple):
    """Remove a file of a boot loader that polpkg wrote and that is not wanted any more."""

    path: str
    before: str


class WriteMarks(NamedTuple):
    """Record that generation `confirmed` booted well."""

    path: str
    confirmed: int
    sha256: str
    size: int
    before: str | None


class SwitchCurrent(NamedTuple):
    """Make generation `number` the current one."""

    previous: int | None
    number: int


class PruneGeneration(NamedTuple):
    """Delete generation `number`."""

    number: int


FileAction = (
    WriteBootFile
    | RemoveBootFile
    | WriteConfiguration
    | WriteSystemFile
    | RemoveSystemFile
    | WriteBootConfiguration
    | RemoveBootConfiguration
    | WriteMarks
)
"""What changes one file outside the generations."""

Action = WriteGeneration | FileAction | SwitchCurrent | PruneGeneration


class Plan(NamedTuple):
    """The way from what a target has to what is wanted, in the order it is gone.

    `generation`: the one that will be current.  `previous`: the one that is.  `notes`: what a person should know
    beyond the actions, a line each.
    """

    action: str
    generation: int
    previous: int | None
    actions: tuple[Action, ...]
    changes: Changes
    packages: tuple[PackageRecord, ...]
    functions: Mapping[str, str]
    policies: tuple[PolicyRecord, ...]
    notes: tuple[str, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether the target has all that is wanted."""
        return not self.actions

    @property
    def new_generation(self) -> WriteGeneration | None:
        """The generation that is written; None when only files of the current one are put back, or nothing is done."""
        return next((each for each in self.actions if isinstance(each, WriteGeneration)), None)

    @property
    def file_changes(self) -> tuple[FileAction, ...]:
        """What changes outside the generations."""
        return tuple(each for each in self.actions if isinstance(each, FileAction))

    @property
    def pruned(self) -> tuple[int, ...]:
        """The generations that are deleted."""
        return tuple(each.number for each in self.actions if isinstance(each, PruneGeneration))


def compute_plan(wanted: WantedState, present: PresentState, *, keep: int = DEFAULT_KEEP, lowest: int = 1) -> Plan:
    """How `present` becomes `wanted`; `keep` generations stay.  `lowest`: the number of the first one."""
    boot, notes = _compare_boot_files(wanted, present)
    leaving = _leaves_hypervisors(wanted, present)
    first, last = compare_boot_configuration(wanted.boot, present, is_changing=bool(boot), is_leaving=leaving)
    system, kept = _compare_system_files(wanted, present)
    configuration = _compare_configuration(wanted, present)
    files = {path: digest(content) for path, content in wanted.files.items()}
    backups = _find_backups(present, (*boot, *system, *configuration))
    receipt = present.receipt
    previous = receipt.generation if receipt else None
    number = previous or 0
    actions: list[Action] = [*first, *boot, *system, *configuration, *last]
    if receipt is None or backups or not _holds(receipt, wanted, files):
        number = max((*present.numbers, lowest - 1 if previous is None else previous)) + 1
        size = sum(map(len, wanted.files.values())) + sum(present.sizes[path] for path in backups)
        written = WriteGeneration(number, files, backups, size)
        actions = [written, *actions, SwitchCurrent(previous, number), *_prune(present, number, previous, keep)]
    return Plan(
        wanted.action,
        number,
        previous,
        tuple(actions),
        compare_packages(receipt.packages if receipt else (), wanted.packages),
        wanted.packages,
        wanted.functions,
        wanted.records,
        (*notes, *kept, *(_backup_note(path, number, previous) for path in backups), *wanted.boot.notes),
    )


def backup_file(path: str) -> str:
    """Where, in a generation, the file that somebody else had at `path` is kept."""
    return f"{BACKUP}{path}"


def _backup_note(path: str, number: int, previous: int | None) -> str:
    """What to say of a file that is replaced: policy.toml is there to be edited, a boot file is not."""
    if path not in (PROJECT, PROJECT_LOCK):
        what = "was not written by polpkg"
    elif previous is None:
        what = "was there before"
    else:
        what = f"was changed since generation {previous}"
    return f"{path} {what}: kept in generation {number} as {backup_file(path)}"


def _holds(receipt: Receipt, wanted: WantedState, files: Mapping[str, str]) -> bool:
    """Whether the generation of `receipt` is what is wanted."""
    held = {path: sha256 for path, sha256 in receipt.files.items() if not _is_of_its_making(path)}
    same = (receipt.packages, receipt.policies) == (wanted.packages, wanted.records)
    return same and dict(receipt.functions) == dict(wanted.functions) and held == files


def _is_of_its_making(path: str) -> bool:
    """Whether a file of a generation tells how it was made rather than what it is."""
    return path == PLAN_FILE or path.startswith(f"{BACKUP}/")


def _compare_boot_files(
    wanted: WantedState, present: PresentState
) -> tuple[list[WriteBootFile | RemoveBootFile], list[str]]:
    ours: Mapping[str, PolicyRecord] = present.receipt.boot_files if present.receipt else {}
    actions: list[WriteBootFile | RemoveBootFile] = []
    notes: list[str] = []
    needed = {boot.path: policy for policy in wanted.records for boot in policy.boot_files}
    for path, policy in sorted(needed.items()):
        before = present.digests.get(path)
        if before != policy.sha256:
            source = f"{policy.place}/{POLICYDB_FILE}"
            whose = _whose(before, ours.get(path))
            actions.append(WriteBootFile(path, source, policy.sha256, policy.size, before, whose))
    for path, policy in sorted({**present.orphans, **ours}.items()):
        before = present.digests.get(path)
        if path in needed or before is None:
            continue
        if policy.is_adopted:
            if path in ours:
                notes.append(f"{path} is left as it is: polpkg did not make it, and does not know what boots with it")
        elif reason := _reason_to_keep(path, before, policy, present):
            notes.append(reason)
        else:
            actions.append(RemoveBootFile(path, before))
    return actions, notes


def _whose(before: str | None, ours: PolicyRecord | None) -> Literal["nothing", "ours", "foreign"]:
    if before is None:
        return "nothing"
    return "ours" if ours is not None and ours.sha256 == before else "foreign"


def _reason_to_keep(path: str, before: str, policy: PolicyRecord, present: PresentState) -> str:
    """Why a boot file that is no longer wanted stays all the same; empty when it goes."""
    if before != policy.sha256:
        return f"{path} is no longer needed, but it was changed since polpkg wrote it: left as it is"
    served = (each.path for boot in policy.boot_files if boot.path == path for each in boot.hypervisors)
    still = [hypervisor for hypervisor in served if hypervisor in present.hypervisors]
    return f"{path} is left as it is for {', '.join(still)}, which is still there" if still else ""


def _compare_system_files(
    wanted: WantedState, present: PresentState
) -> tuple[list[WriteSystemFile | RemoveSystemFile], list[str]]:
    held: Mapping[str, str] = present.receipt.files if present.receipt else {}
    actions: list[WriteSystemFile | RemoveSystemFile] = []
    notes: list[str] = []
    for path in sorted(SYSTEM_FILES):
        before, content, ours = present.digests.get(path), wanted.system.get(path), held.get(system_file(path))
        if content is not None:
            if before != digest(content):
                actions.append(WriteSystemFile(path, system_file(path), digest(content), len(content), before))
        elif ours is None or before is None:
            continue
        elif before == ours:
            actions.append(RemoveSystemFile(path, before))
        else:
            notes.append(f"{path} is no longer needed, but it was changed since polpkg wrote it: left as it is")
    return actions, notes


def compare_boot_configuration(
    wanted: SetUp, present: PresentState, *, is_changing: bool, is_leaving: bool = False
) -> tuple[list[FileAction], list[FileAction]]:
    """What changes in the files of boot loaders before the policies in /boot do, and what after them.

    `is_changing`: whether a policy there does; `is_leaving`: whether others stay for hypervisors that get none, so that
    what these are booted with has to stay too.  A trial is announced before the new policy is in place, and ended after
    the old one is: whenever the machine boots in between, it tries nothing that it could not come back from.
    """
    first: list[FileAction] = []
    last: list[FileAction] = []
    for path, (content, also, is_last) in sorted(wanted.files.items()):
        before, after = present.digests.get(path), digest(content)
        right = {after} if is_changing else {after, *map(digest, also)}
        if before not in right:
            (last if is_last else first).append(WriteBootConfiguration(path, after, len(content), before))
    unneeded = (path for path in sorted(present.digests) if is_own_boot_file(path) and path not in wanted.files)
    if not is_leaving:
        last += [RemoveBootConfiguration(path, present.digests[path]) for path in unneeded]
    return first, last


def _leaves_hypervisors(wanted: WantedState, present: PresentState) -> bool:
    """Whether a hypervisor that had a policy is still there and gets none, so that what it boots with stays."""
    served = {h.path for policy in wanted.records for boot in policy.boot_files for h in boot.hypervisors}
    return not present.hypervisors <= served


def _compare_configuration(wanted: WantedState, present: PresentState) -> list[WriteConfiguration]:
    files = ((PROJECT, PROJECT_FILE, wanted.project), (PROJECT_LOCK, LOCK_FILE, wanted.lock))
    return [
        WriteConfiguration(path, source, digest(content), len(content), present.digests.get(path))
        for path, source, content in files
        if present.digests.get(path) != digest(content)
    ]


def _find_backups(present: PresentState, changes: Iterable[FileAction]) -> dict[str, str]:
    """The files that are replaced and that no generation has: somebody else's policy, a policy.toml edited by hand."""
    held: Mapping[str, str] = present.receipt.files if present.receipt else {}
    backups: dict[str, str] = {}
    for change in changes:
        match change:
            case WriteBootFile(path, before=str(before), replaces="foreign"):
                backups[path] = before
            case WriteConfiguration(path, source=source, before=str(before)) | WriteSystemFile(
                path, source=source, before=str(before)
            ) if held.get(source) != before:
                backups[path] = before
            case _:
                pass
    return backups


def _prune(present: PresentState, number: int, previous: int | None, keep: int) -> list[PruneGeneration]:
    """Which generations go: all but the newest `keep`, the current one, the one before, those marked, and those that
    alone have what somebody else made, or know whose a policy in /boot is.
    """
    newest = sorted((*present.numbers, number))[-max(keep, 1) :]
    kept = {*newest, previous, present.marks.confirmed, *present.marks.pinned, *present.keepsakes}
    return [PruneGeneration(each) for each in present.numbers if each not in kept]
