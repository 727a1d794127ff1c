"""Where policy.toml and policy.lock are: in the project folder of the person, or in the target's /etc/polpkg."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from polpkg.errors import PolicyError, UsageError
from polpkg.packages.lock import LOCK_FILE, Lockfile, read_lock
from polpkg.packages.project import PROJECT_FILE, Project, read_project
from polpkg.targets.layout import PROJECT, PROJECT_LOCK

if TYPE_CHECKING:
    from polpkg.targets.target import Target


class ReadFiles(NamedTuple):
    """A policy.toml, empty when there is none yet, and its lock."""

    project: Project
    lock: Lockfile | None


@dataclass(frozen=True, slots=True)
class ProjectFiles:
    """policy.toml and policy.lock in a folder of this machine."""

    folder: Path

    def read(self) -> ReadFiles:
        """Both files.  Raises PolicyError when one does not parse, and UsageError when one cannot be read."""
        project, lock = self.folder / PROJECT_FILE, self.folder / LOCK_FILE
        return _parsed(_text(project), str(project), _text(lock), str(lock))

    def write(self, project: bytes, lock: bytes) -> None:
        """Writes both, each at one instant; what is the same already is not touched."""
        from polpkg.packages.store import write_atomically

        for name, content in ((PROJECT_FILE, project), (LOCK_FILE, lock)):
            path = self.folder / name
            if not path.exists() or path.read_bytes() != content:
                write_atomically(path, content)


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
