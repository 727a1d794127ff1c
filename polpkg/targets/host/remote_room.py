"""What a host says about where files are to go, as `polpkg.targets.preflight` judges it for a tree."""

from __future__ import annotations

from typing import TYPE_CHECKING

from polpkg.errors import TargetError
from polpkg.targets.preflight import Volume, check_volumes

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_REFUSALS = {
    "directory": ("not-a-file", "{path} in {name} is in the way: it is a directory", ""),
    "file": ("not-a-directory", "a directory that leads to {path} in {name} is a file", ""),
    "read-only": ("read-only-target", "{name} is read-only: {path} cannot be written", "remount it read-write"),
    "no": (
        "target-permission",
        "no permission to write {path} in {name}",
        "log in as root, or as a user that sudo lets become root without a password",
    ),
}


def check_room(name: str, sizes: Mapping[str, int], lines: Sequence[str]) -> None:
    """Judge the lines of `p_room` for the sorted paths of `sizes`; see `Target.check_writable`."""
    wanted: list[tuple[int, int, Volume]] = []
    for path, line in zip(sorted(sizes), lines, strict=True):
        verdict, device, *numbers = line.split()
        if verdict in _REFUSALS:
            code, text, hint = _REFUSALS[verdict]
            raise TargetError(code, text.format(path=path, name=name), hint=hint)
        wanted.append((sizes[path], int(device), _volume(*map(int, numbers))))
    check_volumes(name, wanted)


def _volume(available: int, free: int, block: int, files: int, all_files: int) -> Volume:
    del free  # what only root gets is left to it
    return Volume(available * block, files if all_files else 1 << 62, block)
