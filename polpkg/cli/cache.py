"""`polpkg cache`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from polpkg.cli.console import Console
from polpkg.cli.options import PlaceOptions, Project
from polpkg.errors import ExitCode

if TYPE_CHECKING:
    from collections.abc import Iterator

    from polpkg.packages.housekeeping import CacheSection
    from polpkg.packages.lock import Lockfile

_DAY = 86400.0


def info(console: Console) -> None:
    """Show what is kept on this machine, and where.

    POLPKG_CACHE names another directory.

    For example:
      polpkg cache info
    """
    from polpkg.cli.render import size_text
    from polpkg.ops.cache import describe_cache

    folder, sections = describe_cache()
    document = {
        "path": str(folder),
        "size": sum(section.size for section in sections),
        "sections": [_section_values(section) for section in sections],
    }
    rows = [
        (section.name, str(section.entries), size_text(section.size), _date(section.oldest), _date(section.newest))
        for section in sections
    ]
    table = console.table(("kind", "files", "size", "oldest use", "newest use"), rows)
    console.answer(document, f"{folder}\n{table}")


def prune(
    console: Console,
    place: PlaceOptions,
    project: Project = None,
    lock: Annotated[
        list[Path] | None, typer.Option("--lock", metavar="FILE", help="Keep what this lock names (repeatable).")
    ] = None,
    days: Annotated[
        int, typer.Option("--unused-for", metavar="DAYS", min=0, help="How long it must have been of no use.")
    ] = 30,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only count what would be removed.")] = False,
) -> None:
    """Remove what has not been used for 30 days.

    Archives that a lock names stay: policy.lock of the project folder or the working directory, all generations of the
    target that is named, and each --lock.

    For example:
      polpkg cache prune --unused-for 7 --dry-run
      polpkg cache prune --root build/demo
    """
    from time import time

    from polpkg.cli.render import size_text
    from polpkg.ops.cache import prune

    locks = tuple(_locks(console, place, project, lock or []))
    pruned = prune(locks, unused_for=days * _DAY, now=time(), dry_run=dry_run)
    would = "would be " if dry_run else ""
    text = f"{pruned.files} {'file' if pruned.files == 1 else 'files'} of {size_text(pruned.size)} {would}removed"
    console.answer({"files": pruned.files, "size": pruned.size, "dry_run": dry_run}, text)


def verify(
    console: Console,
    remove: Annotated[bool, typer.Option("--remove", help="Remove what is damaged; it is fetched again.")] = False,
) -> ExitCode | None:
    """See whether all that is kept is what it must be.

    Every use of an archive checks it as well.  Exit code 4 if anything is damaged and stays.

    For example:
      polpkg cache verify
      polpkg cache verify --remove
    """
    from polpkg.ops.cache import find_damage

    damaged = find_damage(remove=remove)
    document = {
        "ok": not damaged,
        "damaged": [{"section": each.section, "path": str(each.path)} for each in damaged],
        "removed": remove and bool(damaged),
    }
    done = " (removed)" if remove else ""
    lines = [f"damaged: {each.path}{done}" for each in damaged] or ["everything is intact"]
    if damaged and not remove:
        lines.append("`polpkg cache verify --remove` removes it; it is fetched again when it is needed")
    console.answer(document, "\n".join(lines))
    return ExitCode.TRUST if damaged and not remove else ExitCode.OK


SUBVERBS = {"info": info, "prune": prune, "verify": verify}


def _locks(console: Console, place: PlaceOptions, project: Path | None, files: list[Path]) -> Iterator[Lockfile]:
    from polpkg.cli.session import make_context, open_target
    from polpkg.ops.cache import locks_of_target
    from polpkg.ops.project_files import read_lock_file
    from polpkg.packages.lock import LOCK_FILE

    yield from (read_lock_file(file) for file in files)
    beside = (project or Path()) / LOCK_FILE
    if project is not None or beside.is_file():
        yield read_lock_file(beside)
    if place.is_given:
        yield from locks_of_target(open_target(make_context(console), place.target))


def _section_values(section: CacheSection) -> dict[str, Any]:
    return {
        "name": section.name,
        "path": str(section.folder),
        "files": section.entries,
        "size": section.size,
        "oldest": section.oldest or None,
        "newest": section.newest or None,
    }


def _date(moment: float) -> str:
    from datetime import UTC, datetime

    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%d") if moment else "-"
