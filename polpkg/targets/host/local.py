"""The machine that polpkg runs on, as a host."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from polpkg.errors import TargetError
from polpkg.targets.host.commands import DEFAULT_TIMEOUT, Completed
from polpkg.targets.tree import TreeTarget

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT = "/"
"""Where the files of this machine are."""

_ALSO = ("/usr/local/sbin", "/usr/sbin", "/sbin")


class LocalHost(TreeTarget):
    """The files below `/`, and the programs that are there; implements `HostTarget`."""

    def __init__(self, root: str = "") -> None:
        """The machine; only a test has its files somewhere else, below `root`."""
        super().__init__(root or ROOT)
        self.commands = LocalCommands()


class LocalCommands:
    """Programs of this machine; implements `Commands`."""

    def run(self, argv: Sequence[str], *, stdin: bytes = b"", timeout: float = DEFAULT_TIMEOUT) -> Completed:
        """See `Commands.run`."""
        import subprocess

        path = os.pathsep.join((os.environ.get("PATH") or os.defpath, *_ALSO))
        environment = os.environ | {"PATH": path, "LC_ALL": "C"}
        program = _find(argv[0], path)
        if program is None:
            return Completed(127, b"", f"{argv[0]}: not found\n".encode())
        try:
            ended = subprocess.run(
                [program, *argv[1:]], input=stdin, capture_output=True, check=False, timeout=timeout, env=environment
            )
        except subprocess.TimeoutExpired:
            raise command_timeout(argv[0], timeout, "this machine") from None
        except OSError as error:
            return Completed(126, b"", f"{argv[0]}: {error.strerror}\n".encode())
        # A program that a signal ended: 128 and the signal, as any shell has it.
        status = ended.returncode if ended.returncode >= 0 else 128 - ended.returncode
        return Completed(status, ended.stdout, ended.stderr)


def command_timeout(program: str, timeout: float, where: str) -> TargetError:
    """The error about a program that did not end in time."""
    return TargetError("command-timeout", f"{program} on {where} did not end within {timeout:g} seconds")


def _find(program: str, path: str) -> str | None:
    from shutil import which

    return which(program, path=path)
