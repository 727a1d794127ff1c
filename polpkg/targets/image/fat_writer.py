"""Changing FAT with mtools, and checking it with fsck.fat."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from polpkg.errors import TargetError
from polpkg.targets.image.file_system import NodeKind
from polpkg.targets.image.tools import last_words, run_tool

if TYPE_CHECKING:
    from collections.abc import Sequence

    from polpkg.targets.image.operations import Operation

_NOT_IN_NAMES = frozenset('\\:*?"<>|[]')
"""What FAT has in no name, and what mtools would take for a pattern."""

_CORRECTED = 1


def mend_fat(place: str, name: str, *, descriptors: Sequence[int] = ()) -> None:
    """Bring in order what was not unmounted.  Raises TargetError `damaged-image`."""
    done = run_tool("fsck.fat", "-a", place, descriptors=descriptors)
    if done.returncode > _CORRECTED:
        raise TargetError("damaged-image", f"the file system of {name} is damaged: {last_words(done)}")


def check_fat(place: str, name: str, *, descriptors: Sequence[int] = ()) -> None:
    """Look through the whole file system.  Raises TargetError `damaged-image` when anything is wrong."""
    done = run_tool("fsck.fat", "-n", place, descriptors=descriptors)
    if done.returncode:
        hint = "it may have been damaged before: `fsck.fat` on it mends it"
        raise TargetError("damaged-image", f"the file system of {name} is damaged: {last_words(done)}", hint=hint)


def change_fat(place: str, operations: Sequence[Operation], *, timestamp: int, descriptors: Sequence[int] = ()) -> str:
    """Carry out `operations`.  The answer is what mtools had to say.  Raises TargetError `odd-name`."""
    told: list[str] = []
    with tempfile.TemporaryDirectory(prefix="polpkg-") as folder:
        source = Path(folder) / "content"
        for operation in operations:
            if not operation.path.isascii() or _NOT_IN_NAMES & set(operation.path):
                raise TargetError("odd-name", f"{operation.path} is no name that polpkg writes on FAT")
            source.write_bytes(operation.content)
            command, *words = _command(operation, source)
            done = run_tool(command, "-i", place, *words, timestamp=timestamp, descriptors=descriptors)
            told += [last_words(done)] if done.returncode else []
    return "; ".join(told)


def _command(operation: Operation, source: Path) -> tuple[str, ...]:
    path = f"::{operation.path}"
    if operation.is_removed:
        return ("mrd" if operation.kind is NodeKind.DIRECTORY else "mdel", path)
    if operation.kind is NodeKind.DIRECTORY:
        return ("mmd", path)
    return ("mcopy", "-Q", str(source), path)
