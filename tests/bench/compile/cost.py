"""What a whole process costs."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple


class Cost(NamedTuple):
    """What a process cost: seconds of CPU, and mebibytes at its peak."""

    seconds: float
    memory: float


def cost_of(command: Sequence[str]) -> Cost:
    """Runs `command` and waits for it; stops everything when it fails."""
    with Path(os.devnull).open("r+b") as nothing:
        process = subprocess.Popen(command, stdin=nothing, stdout=nothing)
        _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"{' '.join(command)}: exit {process.returncode}")
    return Cost(usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)
