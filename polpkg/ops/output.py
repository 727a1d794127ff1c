"""Writing an answer to a file that a person named."""

from __future__ import annotations

from typing import TYPE_CHECKING

from polpkg.errors import PolpkgError, UsageError
from polpkg.packages.store import write_atomically

if TYPE_CHECKING:
    from pathlib import Path


def write_output(path: Path, content: bytes) -> None:
    """Writes `content` to `path` at one instant: the old file or the whole new one.

    Something that is no regular file (a pipe, /dev/stdout) is written to directly.  Raises UsageError
    `no-such-directory` when there is none for the file, and PolpkgError `cannot-write`.
    """
    check_folder(path)
    try:
        if path.exists() and not path.is_file():
            path.write_bytes(content)
        else:
            write_atomically(path, content)
    except OSError as error:
        raise PolpkgError("cannot-write", f"{path} cannot be written: {error.strerror}") from error


def check_folder(path: Path) -> None:
    """Raises UsageError `no-such-directory` unless there is a directory for the file `path`: a typo makes none."""
    if not path.parent.is_dir():
        raise UsageError("no-such-directory", f"{path} cannot be written: there is no directory {path.parent}")


def make_folder(folder: Path) -> None:
    """Makes a directory that was named as one, with those above it.  Raises PolpkgError `cannot-write`."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise PolpkgError("cannot-write", f"{folder} cannot be written: {error.strerror}") from error
