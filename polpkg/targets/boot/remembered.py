"""A target that is looked at once: boot paths ask for the same folders and files, and a host answers over a wire."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from polpkg.targets.target import Target


def remembered(target: Target) -> Target:
    """`target` as it is now: what was asked once is not asked again.  To be used for one look, and for no change."""
    return cast("Target", _Remembered(target))


class _Remembered:
    """All that reads, with its answers kept; everything else is the target's own."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self.stat = cache(target.stat)
        self.read_link = cache(target.read_link)
        self.list = cache(target.list)
        self.read = cache(target.read)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._target, name)
