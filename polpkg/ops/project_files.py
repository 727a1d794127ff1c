"""Where policy.toml and policy.lock are: in the project folder of the person, or in the target's /etc/polpkg."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from polpkg.errors import PolicyError, UsageError
from polpkg.packages.lock import LOCK_FILE, Lockfile, read_lock
from polpkg.packages.project import PROJECT_FILE, Project, read_project
from polpkg.targets.layout import PROJECT, PROJECT_LOCK

if TYPE_CHECKING:
    from collections.abc import Iterator

    from polpkg.ops.context import Context
    from polpkg.packages.project_edit import ProjectChange
    from polpkg.targets.target import Target


class ReadFiles(NamedTuple):
    """A policy.toml, empty when there is none yet, and its lock."""

    project: Project
    lock: Lockfile | None


class ProjectFiles(NamedTuple):
    """policy.toml and policy.lock in a folder of this machine."""

    folder: Path

    def read(self) -> ReadFiles:
        """Both files.  Raises PolicyError when one does not parse, and UsageError when one cannot be read."""
        project, lock = self.folder / PROJECT_FILE, self.folder / LOCK_FILE
        return _parsed(_text(project), str(project), _text(lock), str(lock))

    def check_writable(self, project: bytes, lock: bytes) -> None:
        """Raises UsageError `read-only-project` when `write` would change a file, and this user may not."""
        if any(self._changes(project, lock)) and not os.access(self.folder, os.W_OK):
            hint = "name another folder with --project; `sync --locked` writes nothing there"
            raise UsageError("read-only-project", f"{self.folder} cannot be written", hint=hint)

    def write(self, project: bytes, lock: bytes) -> None:
        """Writes both, each at one instant; what is the same already is not touched."""
        from polpkg.packages.store import write_atomically

        for path, content in self._changes(project, lock):
            write_atomically(path, content)

    def _changes(self, project: bytes, lock: bytes) -> Iterator[tuple[Path, bytes]]:
        for name, content in ((PROJECT_FILE, project), (LOCK_FILE, lock)):
            path = self.folder / name
            if not path.exists() or path.read_bytes() != content:
                yield path, content


def located_project(project: Project, folder: Path) -> Project:
    """`project`, read in `folder`, with the directories of its indexes by paths that mean the same everywhere."""

    def located(location: str) -> str:
        return location if not location or "://" in location else str((folder / location).resolve())

    indexes = {
        name: replace(setting, location=located(setting.location), ca_file=located(setting.ca_file))
        for name, setting in project.indexes.items()
    }
    return replace(project, indexes=indexes)


def read_lock_file(path: Path) -> Lockfile:
    """The lock in a file.  Raises UsageError when there is none, or it cannot be read, and PolicyError."""
    text = _text(path)
    if text is None:
        raise UsageError("cannot-read", f"there is no {path}")
    return read_lock(text, str(path))


def edit_project_in(folder: Path, change: ProjectChange) -> Project:
    """Changes the policy.toml in `folder`, keeping its comments, and makes one when there is none; what it says then.

    Raises PolicyError when it does not parse, and PolpkgError `cannot-write`.
    """
    from polpkg.packages.project_edit import edit_project
    from polpkg.packages.store import write_atomically

    path = folder / PROJECT_FILE
    before = _text(path)
    after = edit_project(before or "", change, str(path))
    if after != before:
        write_atomically(path, after.encode())
    return read_project(after, str(path))


def edit_project_of(context: Context, target: Target, change: ProjectChange) -> Project:
    """The same for the policy.toml of a target, which no other change of the target can come between."""
    from polpkg.ops.loading import finish_interrupted
    from polpkg.packages.project_edit import edit_project

    with target.lock(context.tell):
        finish_interrupted(context, target)
        before = _from(target, PROJECT)
        after = edit_project(before or "", change, PROJECT)
        if after != before:
            target.write(PROJECT, after.encode())
    return read_project(after, PROJECT)


def _text(path: Path) -> str | None:
    if not path.exists():
        return None
    try:
        return _decoded(path.read_bytes(), str(path))
    except OSError as error:
        raise UsageError("cannot-read", f"{path} cannot be read: {error.strerror}") from error


def _decoded(content: bytes, file: str) -> str:
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise PolicyError("not-utf-8", f"{file} is not UTF-8 at byte {error.start}") from None


def _parsed(project: str | None, project_file: str, lock: str | None, lock_file: str) -> ReadFiles:
    return ReadFiles(read_project(project or "", project_file), None if lock is None else read_lock(lock, lock_file))


def read_project_files(target: Target, folder: Path | None) -> ReadFiles:
    """The files in `folder`, or in the target when there is no folder."""
    if folder is not None:
        return ProjectFiles(folder).read()
    return _parsed(_from(target, PROJECT), PROJECT, _from(target, PROJECT_LOCK), PROJECT_LOCK)


def _from(target: Target, path: str) -> str | None:
    return None if target.stat(path) is None else _decoded(target.read(path), path)


def project_folder(given: Path | None, working_directory: Path) -> Path | None:
    """The folder to use: the one that is given, else the working directory if it has a policy.toml, else None."""
    if given is not None:
        return given
    return working_directory if (working_directory / PROJECT_FILE).is_file() else None
