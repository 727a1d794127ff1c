"""A host whose policy is changed while it runs: its files, its programs, and a way to knock at its door again."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol, runtime_checkable

if TYPE_CHECKING:
    from polpkg.targets.host.commands import Commands
    from polpkg.targets.host.host_target import HostTarget
    from polpkg.targets.target import Target


@runtime_checkable
class _Reconnecting(Protocol):
    """A host that is reached by a connection."""

    def connect_again(self) -> HostTarget:
        """The same host, by a connection opened anew.  Raises TargetError."""
        ...


class LiveHost(NamedTuple):
    """`target`: its files.  `commands`: its programs."""

    target: Target
    commands: Commands

    @property
    def is_remote(self) -> bool:
        """Whether it is reached by a connection, which a policy may cut."""
        return isinstance(self.target, _Reconnecting)

    def connect(self) -> LiveHost:
        """The same host by a connection opened anew, where there is one.  Raises TargetError."""
        if not isinstance(self.target, _Reconnecting):
            return self
        again = self.target.connect_again()
        return LiveHost(again, again.commands)


def find_live_host(target: Target) -> LiveHost | None:
    """The host that a target is; None when nothing runs there: a tree or an image."""
    commands: Commands | None = getattr(target, "commands", None)
    return None if commands is None else LiveHost(target, commands)
