"""Measuring whole processes: what they cost the CPU, side by side, several times."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import NamedTuple

PYTHON = sys.executable
POLPKG = str(Path(sys.executable).with_name("polpkg"))


class Sample(NamedTuple):
    """What one piece of work cost, in seconds of CPU (user and system), over several runs."""

    name: str
    seconds: tuple[float, ...]

    @property
    def typical(self) -> float:
        return median(self.seconds)

    @property
    def floor(self) -> float:
        return min(self.seconds)


@dataclass(frozen=True)
class Goal:
    """Some work may take at most `limit` times what its peer takes."""

    work: Sample
    peer: Sample
    limit: float

    @property
    def ratio(self) -> float:
        return self.work.typical / self.peer.typical

    @property
    def is_met(self) -> bool:
        return self.ratio <= self.limit

    def __str__(self) -> str:
        floors = self.work.floor / self.peer.floor
        verdict = "met" if self.is_met else "NOT MET"
        return (
            f"{self.work.name}\n"
            f"    {self.work.typical * 1000:7.1f} ms, at best {self.work.floor * 1000:.1f}\n"
            f"    {self.peer.typical * 1000:7.1f} ms, at best {self.peer.floor * 1000:.1f}: {self.peer.name}\n"
            f"    {self.ratio:7.2f} x, at best {floors:.2f}; goal: at most {self.limit:g} x, {verdict}"
        )


class Work(NamedTuple):
    """A command to measure; `prepare` is called before each run and not measured."""

    name: str
    command: Sequence[str]
    prepare: Callable[[], None] = lambda: None


def measure(works: Sequence[Work], *, rounds: int = 15) -> list[Sample]:
    """Run all works in turn, `rounds` times after one that does not count, so that all meet the same disturbances."""
    spent: list[list[float]] = [[] for _ in works]
    for count in range(rounds + 1):
        for seconds, work in zip(spent, works, strict=True):
            work.prepare()
            used = _cpu_seconds(work.command)
            if count:
                seconds.append(used)
    return [Sample(work.name, tuple(seconds)) for work, seconds in zip(works, spent, strict=True)]


def environment() -> dict[str, str]:
    """The surroundings of every command: compiled modules are kept, as after any installation."""
    dropped = {"PYTHONDONTWRITEBYTECODE", "PYTHONPATH"}
    return {name: value for name, value in os.environ.items() if name not in dropped}


def output(command: Sequence[str]) -> str:
    """What a command prints; stops the benchmark when it fails."""
    return subprocess.run(command, check=True, env=environment(), stdout=subprocess.PIPE, text=True).stdout


def _cpu_seconds(command: Sequence[str]) -> float:
    """User and system time of a command and of what it started and waited for."""
    with Path(os.devnull).open("r+b") as nothing:
        process = subprocess.Popen(command, env=environment(), stdin=nothing, stdout=nothing, stderr=subprocess.PIPE)
        assert process.stderr is not None
        messages = process.stderr.read()
        process.stderr.close()
        _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"{' '.join(command)}: exit {process.returncode}\n{messages.decode(errors='replace')}")
    return usage.ru_utime + usage.ru_stime
