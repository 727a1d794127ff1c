"""Writing an answer to a file that a person named."""

from __future__ import annotations

from typing import TYPE_CHECKING

from polpkg.errors import PolpkgError
from polpkg.packages.store import write_atomically

if TYPE_CHECKING:
    from pathlib import Path


def write_output(path: Path, content: bytes) -> None:
    """Writes `content` to `path` at one instant: the old file or the whole new one.

    Something that is no regular file (a pipe, /dev/stdout) is written to directly.  Raises PolpkgError `cannot-write`.
    """
    try:
        if path.exists() and not path.is_file():
            path.write_bytes(content)
        else:
            write_atomically(path, content)
    except OSError as error:
        raise PolpkgError("cannot-write", f"{path} cannot be written: {error.strerror}") from error
