"""The programs that check and change what is in an image, and what they come with."""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import TYPE_CHECKING

from polpkg.errors import TargetError

if TYPE_CHECKING:
    from collections.abc import Sequence

_PACKAGES = {
    "e2fsck": "e2fsprogs",
    "debugfs": "e2fsprogs",
    "fsck.fat": "dosfstools",
    "mcopy": "mtools",
    "mdel": "mtools",
    "mmd": "mtools",
    "mrd": "mtools",
    "qemu-img": "qemu-utils",
    "qemu-nbd": "qemu-utils",
}

_SYSTEM = "/usr/local/sbin:/usr/sbin:/sbin"
"""Where programs are that only an administrator has in PATH."""

_TIMEOUT = 1800.0


def find_tool(name: str) -> str:
    """The full path of a program.  Raises TargetError `missing-tool`, which names the package that it comes with."""
    found = shutil.which(name, path=os.pathsep.join((os.environ.get("PATH", os.defpath), _SYSTEM)))
    if found is None:
        package = _PACKAGES[name]
        raise TargetError(
            "missing-tool", f"this needs the program {name}", hint=f"on Debian it comes with the package {package}"
        )
    return found


def run_tool(
    name: str, *words: str, timestamp: int | None = None, descriptors: Sequence[int] = ()
) -> subprocess.CompletedProcess[str]:
    """Run a program to its end, whatever that is.  `timestamp` is what it is to take for the time, in seconds.

    `descriptors` stay open for it.  Raises TargetError `missing-tool`, and `tool-failed` when it hangs.
    """
    variables = {**os.environ, "LC_ALL": "C.UTF-8", "TZ": "UTC", "MTOOLSRC": os.devnull, "MTOOLS_SKIP_CHECK": "1"}
    if timestamp is not None:
        variables |= dict.fromkeys(("E2FSPROGS_FAKE_TIME", "SOURCE_DATE_EPOCH"), str(timestamp))
    try:
        return subprocess.run(
            [find_tool(name), *words],
            env=variables,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="backslashreplace",
            timeout=_TIMEOUT,
            check=False,
            pass_fds=tuple(descriptors),
        )
    except subprocess.TimeoutExpired as error:
        raise TargetError("tool-failed", f"{name} did not end in {_TIMEOUT:.0f} seconds") from error


def last_words(output: subprocess.CompletedProcess[str]) -> str:
    """The end of what a program wrote, in one line, for an error."""
    text = " ".join((output.stderr.strip() or output.stdout.strip()).split())
    return text if len(text) <= 300 else f"... {text[-300:]}"
