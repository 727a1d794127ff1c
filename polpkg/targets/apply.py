"""Carrying out a plan, so that a crash at any instant leaves the old state or the new one.

    check          rights, room, and that nothing changed since the plan was made: nothing is touched before
    prepare        the new generation beside its place, read back; the old content of each file that will change
    journal        from here on the next command can finish what this one began
    carry out      boot files, /etc/polpkg, `current`, each at one instant
    tidy           the journal goes, and generations that are too old

What fails before all is carried out is taken back at once, by the journal.  The lock of the target is held by the
caller, who has also called `recover`.
"""

from __future__ import annotations

import time
from contextlib import suppress
from typing import TYPE_CHECKING

from polpkg import __version__
from polpkg.errors import ApplyError, TargetError
from polpkg.targets.document import digest, render_document
from polpkg.targets.epoch import source_date_epoch
from polpkg.targets.generations import read_generation
from polpkg.targets.journal import BESIDE, FileChange, Journal, kept_name, new_name, write_journal
from polpkg.targets.layout import (
    JOURNAL,
    PLAN_FILE,
    RECEIPT_FILE,
    generation_path,
    undo_path,
    unfinished_path,
)
from polpkg.targets.marks import render_marks
from polpkg.targets.plan import (
    RemoveBootConfiguration,
    RemoveBootFile,
    RemoveSystemFile,
    WriteBootConfiguration,
    WriteGeneration,
    WriteMarks,
    backup_file,
)
from polpkg.targets.plan_text import plan_document
from polpkg.targets.receipt import Receipt, render_receipt
from polpkg.targets.recovery import (
    carry_out,
    close,
    discard_generation,
    find_damage,
    find_damage_beside,
    is_interrupted,
    sweep,
    undo,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from polpkg.targets.plan import FileAction, Plan
    from polpkg.targets.target import Target
    from polpkg.targets.wanted import WantedState

_REMOVALS = (RemoveBootFile, RemoveSystemFile, RemoveBootConfiguration)

_MARGIN = 64 << 10
"""Bytes set aside for the plan, the receipt and the journal."""


def creation_time(text: str | None = None) -> str:
    """SOURCE_DATE_EPOCH (or `text`), or now when it is not set, in RFC 3339.

    Raises TargetError `source-date-epoch` when it is no number of seconds.
    """
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(source_date_epoch(text)))


def apply_plan(
    target: Target, plan: Plan, wanted: WantedState, *, created: str | None = None, polpkg: str = __version__
) -> Receipt:
    """Make `target` have what is `wanted`; `plan` was computed from it.  The receipt of the then current generation.

    Raises TargetError when the target is found unable before anything was changed, and ApplyError when it was brought
    back: `apply-failed`; `apply-unfinished` when bringing it back failed too, which the next command tries again.
    """
    if plan.is_empty:
        return read_generation(target, plan.generation)
    check_plan(target, plan)
    files = _generation_files(target, plan, wanted)
    receipt = _receipt(plan, wanted, files, created or creation_time(), polpkg)
    journal = Journal(plan.generation, plan.previous, tuple(_file_change(each) for each in plan.file_changes))
    beside = _contents_beside(plan, wanted)
    try:
        _prepare(target, plan, {**files, RECEIPT_FILE: render_receipt(receipt)}, journal, beside)
        write_journal(target, journal)
        carry_out(target, journal)
    except (TargetError, KeyboardInterrupt) as error:
        _bring_back(target, journal, error)
    _tidy(target, plan, journal)
    return receipt if plan.new_generation else read_generation(target, plan.generation)


def render_generation(
    target: Target, plan: Plan, wanted: WantedState, *, created: str | None = None, polpkg: str = __version__
) -> dict[str, bytes]:
    """The files of the generation that `plan` makes, its receipt among them; empty when it makes none.

    Raises TargetError.
    """
    files = _generation_files(target, plan, wanted)
    receipt = _receipt(plan, wanted, files, created or creation_time(), polpkg)
    return {**files, RECEIPT_FILE: render_receipt(receipt)} if files else {}


def _tidy(target: Target, plan: Plan, journal: Journal) -> None:
    """Delete the journal and what is too old.  The change is made: what fails here, the next change does first."""
    with suppress(TargetError):
        close(target, journal)
        for number in plan.pruned:
            discard_generation(target, number)


def check_plan(target: Target, plan: Plan) -> None:
    """Raises TargetError when it can be known that the plan will fail; nothing is touched."""
    generation = plan.new_generation
    folder = unfinished_path(plan.generation)
    sizes = {JOURNAL: _MARGIN}
    if generation is not None:
        share = generation.size // (len(generation.files) + len(generation.backups)) + 1
        names = (*generation.files, *map(backup_file, generation.backups))
        sizes |= {f"{folder}/{name}": share for name in names}
    for position, change in enumerate(plan.file_changes):
        if not isinstance(change, _REMOVALS):
            sizes[change.path] = change.size
        if isinstance(change, (WriteBootConfiguration, WriteMarks)):
            sizes[f"{undo_path(plan.generation)}/{new_name(position)}"] = change.size
        sizes[f"{undo_path(plan.generation)}/{kept_name(position)}"] = _size(target, change.path)
        if _digest(target, change.path) != change.before:
            raise TargetError("target-changed", f"{change.path} in {target.name} changed while the change was planned")
    target.check_writable(sizes)


def _size(target: Target, path: str) -> int:
    found = target.stat(path)
    return found.size if found else 0


def _digest(target: Target, path: str) -> str | None:
    return digest(target.read(path)) if target.stat(path) else None


def _generation_files(target: Target, plan: Plan, wanted: WantedState) -> dict[str, bytes]:
    """The files of the new generation, but for its receipt; empty when there is none."""
    generation = plan.new_generation
    if generation is None:
        return {}
    backups = {backup_file(path): target.read(path) for path in generation.backups}
    return {**wanted.files, **backups, PLAN_FILE: render_document(plan_document(plan))}


def _digests(plan: Plan, files: Mapping[str, bytes]) -> dict[str, str]:
    """The digest of each file of the new generation: the plan has those of the large ones."""
    known = plan.new_generation.files if plan.new_generation else dict[str, str]()
    return {path: known[path] if path in known else digest(content) for path, content in files.items()}


def _receipt(plan: Plan, wanted: WantedState, files: Mapping[str, bytes], created: str, polpkg: str) -> Receipt:
    return Receipt(
        plan.generation,
        plan.previous,
        created,
        polpkg,
        plan.action,
        plan.packages,
        plan.functions,
        plan.policies,
        _digests(plan, files),
        wanted.unusable,
    )


def _file_change(action: FileAction) -> FileChange:
    if isinstance(action, _REMOVALS):
        return FileChange(action.path, action.before, None, None)
    source = BESIDE if isinstance(action, (WriteBootConfiguration, WriteMarks)) else action.source
    return FileChange(action.path, action.before, action.sha256, source)


def _contents_beside(plan: Plan, wanted: WantedState) -> dict[str, bytes]:
    """What the change writes and no generation has, by the name that it is kept under."""
    contents: dict[str, bytes] = {}
    for position, change in enumerate(plan.file_changes):
        if isinstance(change, WriteBootConfiguration):
            contents[new_name(position)] = wanted.boot.files[change.path].content
        elif isinstance(change, WriteMarks):
            contents[new_name(position)] = render_marks(wanted.marks)
    return contents


def _prepare(
    target: Target, plan: Plan, files: Mapping[str, bytes], journal: Journal, beside: Mapping[str, bytes]
) -> None:
    """Put on disk all that the change needs, where it disturbs nobody."""
    kept = {
        kept_name(position): target.read(change.path)
        for position, change in enumerate(journal.changes)
        if change.before is not None
    }
    if kept or beside:
        target.write_tree(undo_path(journal.generation), {**kept, **beside})
        _refuse_damage(target, find_damage_beside(target, journal))
    folder = generation_path(journal.generation)
    if isinstance(plan.new_generation, WriteGeneration):
        folder = unfinished_path(journal.generation)
        target.write_tree(folder, files)
        written = ((f"{folder}/{path}", content) for path, content in files.items())
        _refuse_damage(target, next((path for path, content in written if target.read(path) != content), None))
    else:
        there = (each for each in journal.changes if each.source != BESIDE)
        _read_back(target, folder, {each.source: each.after for each in there if each.source and each.after})


def _read_back(target: Target, folder: str, digests: Mapping[str, str]) -> None:
    _refuse_damage(target, find_damage(target, folder, digests.items()))


def _refuse_damage(target: Target, damaged: str | None) -> None:
    if damaged:
        raise TargetError("damaged-generation", f"{damaged} in {target.name} does not read as it was written")


def _bring_back(target: Target, journal: Journal, error: TargetError | KeyboardInterrupt) -> None:
    """Take the change back and say so; always raises."""
    state = (
        f"generation {journal.previous}" if journal.previous is not None else "the state before, without a generation"
    )
    reason = error.message if isinstance(error, TargetError) else "interrupted"
    try:
        if is_interrupted(target):
            undo(target, journal)
        else:
            sweep(target)
    except TargetError as second:
        raise ApplyError(
            "apply-unfinished",
            f"{reason}; and {target.name} could not be brought back to {state}: {second.message}",
            hint="once that is mended, the next polpkg command that changes the target finishes this first",
        ) from error
    if isinstance(error, KeyboardInterrupt):
        raise error
    raise ApplyError("apply-failed", f"{reason}; {target.name} was brought back to {state}", hint=error.hint) from error
