"""A host whose policy is changed while it runs: its files, its programs, and a way to knock at its door again."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

    from polpkg.targets.host.commands import Commands
    from polpkg.targets.target import Target


class LiveHost(NamedTuple):
    """`target`: its files.  `commands`: its programs.  `connect`: its programs by a connection opened anew."""

    target: Target
    commands: Commands
    connect: Callable[[], Commands]


def find_live_host(target: Target) -> LiveHost | None:
    """The host that a target is; None when nothing runs there: a tree or an image."""
    commands: Commands | None = getattr(target, "commands", None)
    if commands is None:
        return None
    connect: Callable[[], Commands] = getattr(target, "connect_again", lambda: commands)
    return LiveHost(target, commands, connect)
