"""What every host is: files and programs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from polpkg.targets.target import Target

if TYPE_CHECKING:
    from polpkg.targets.host.commands import Commands


class HostTarget(Target, Protocol):
    """A machine: its files, and its programs."""

    @property
    def commands(self) -> Commands:
        """Runs its programs."""
        ...
