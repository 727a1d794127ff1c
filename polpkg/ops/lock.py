"""`polpkg lock`: resolve, and write or check policy.lock."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from polpkg.errors import PendingError, UsageError
from polpkg.ops.output import write_output
from polpkg.ops.project_files import ProjectFiles
from polpkg.ops.resolution import resolve_requirements, with_options
from polpkg.ops.staleness import check_fresh
from polpkg.packages.lock import LOCK_FILE, render_lock
from polpkg.packages.project import PROJECT_FILE, Project

if TYPE_CHECKING:
    from pathlib import Path

    from polpkg.ops.context import Context
    from polpkg.ops.project_files import ReadFiles
    from polpkg.packages.lock import Lockfile
    from polpkg.packages.requirement import Requirement


@dataclass(frozen=True, slots=True)
class LockAnswer:
    """A lock; `path` is the file that has it now, None when none was written, `changed` whether it had another."""

    lock: Lockfile
    path: Path | None = None
    changed: bool = False


def lock_requirements(
    context: Context,
    requirements: tuple[Requirement, ...],
    *,
    project: Project | None = None,
    options: tuple[tuple[str, str], ...] = (),
    xen: str = "",
    output: Path | None = None,
    minimal: bool = False,
) -> LockAnswer:
    """Resolves `requirements` alone, with the indexes of `project`; written to `output` if it is given.

    `minimal`: to the lowest versions that fit.

    Raises ResolutionError with the proof, and what the indexes raise.
    """
    known = project or Project()
    indexes = Project(indexes=known.indexes, index_map=known.index_map)
    lock, _ = resolve_requirements(
        context, with_options(indexes, options), requirements, xen=xen_version(xen), minimal=minimal
    )
    return LockAnswer(lock) if output is None else _written(lock, output)


def lock_project(
    context: Context, folder: Path, *, xen: str = "", output: Path | None = None, minimal: bool = False
) -> LockAnswer:
    """Resolves what the policy.toml in `folder` asks for, and writes policy.lock beside it, or `output`.

    Versions that are locked stay where they fit, unless the lowest are wanted (`minimal`).  Raises as
    `lock_requirements` does, and UsageError `no-project`.
    """
    files = _read(folder)
    lock, _ = resolve_requirements(
        context.in_folder(folder),
        files.project,
        files.project.requirements,
        previous=files.lock,
        move=frozenset(files.lock.versions) if files.lock and minimal else frozenset(),
        xen=xen_version(xen or files.project.target.xen),
        minimal=minimal,
    )
    return _written(lock, output or folder / LOCK_FILE)


def check_lock(context: Context, folder: Path) -> Lockfile:
    """The lock in `folder`, which answers its policy.toml.

    Raises PendingError `stale-lock` with a finding for each reason why it does not, placed at the line of policy.toml
    or of the lock that is at odds.
    """
    files = _read(folder)
    if files.lock is None:
        message = f"there is no {LOCK_FILE} beside {folder / PROJECT_FILE}"
        raise PendingError("stale-lock", message, hint="run `polpkg lock`")
    context = context.in_folder(folder)
    check_fresh(files.project, files.lock, tuple(context.named(r) for r in files.project.requirements))
    return files.lock


def xen_version(xen: str) -> str:
    """The version that `--xen` means, as specifiers are about: empty for none.  Raises as `resolve_xen` does."""
    if not xen:
        return ""
    from polpkg.policy.abi.hypervisor import resolve_xen

    return ".".join(map(str, resolve_xen(xen).version_numbers))


def _read(folder: Path) -> ReadFiles:
    if not (folder / PROJECT_FILE).is_file():
        raise UsageError(
            "no-project",
            f"there is no {folder / PROJECT_FILE}",
            hint="name packages, as in `polpkg lock vmv`, or the folder of a policy.toml with --project",
        )
    return ProjectFiles(folder).read()


def _written(lock: Lockfile, path: Path) -> LockAnswer:
    content = render_lock(lock).encode()
    if path.is_file() and path.read_bytes() == content:
        return LockAnswer(lock, path)
    write_output(path, content)
    return LockAnswer(lock, path, changed=True)
