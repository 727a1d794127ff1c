"""The one seam through which programs of a host are run, whether it is this machine or at the other end of ssh."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

DEFAULT_TIMEOUT = 60.0
"""Seconds after which a program that says nothing is given up."""


class Completed(NamedTuple):
    """A program that ended: its exit status, and all that it wrote."""

    status: int
    output: bytes
    errors: bytes = b""


class Commands(Protocol):
    """Runs programs on a host, as the user that is logged in there."""

    def run(self, argv: Sequence[str], *, stdin: bytes = b"", timeout: float = DEFAULT_TIMEOUT) -> Completed:
        """Run the program `argv[0]`, found in PATH with the sbin directories, with these arguments; no shell sees them.

        A program that is not there is status 127.  Raises TargetError `connection-lost` when nobody can tell how it
        ended, and `command-timeout` when it did not end in time.
        """
        ...
