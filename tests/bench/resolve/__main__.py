"""`make bench-resolve`: our resolver beside others on the same seeded graphs, with the goals.

It always ends well, whether the goals are met or not.  Names of graph makers as arguments run only these.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from typing import NamedTuple

TESTS = Path(__file__).parents[2]
ROUNDS = 3
PATIENCE = 60
"""Seconds after which a solver has given up."""

PEERS = {"nab-resolver": "nab_resolver", "resolvelib": "resolvelib", "pubgrub-py": "pubgrub_py"}
YARDSTICK = "nab-resolver"
REALISTIC, ADVERSARIAL = 1.0, 0.25


class Case(NamedTuple):
    """A graph, and how many times the yardstick's time we may take on it."""

    maker: str
    arguments: tuple[int, ...]
    limit: float

    def __str__(self) -> str:
        return f"{self.maker} {' x '.join(map(str, self.arguments))}"


CASES = (
    Case("realistic", (300, 20, 1), REALISTIC),
    Case("realistic", (2000, 20, 1), REALISTIC),
    Case("realistic", (10_000, 20, 1), REALISTIC),
    Case("layered", (100, 20, 20, 1), ADVERSARIAL),
    Case("wide", (300, 20, 1), ADVERSARIAL),
    Case("wide", (1000, 20, 1), ADVERSARIAL),
    Case("wide", (1000, 20, 2), ADVERSARIAL),
    Case("deep", (100, 20, 1), ADVERSARIAL),
    Case("tangled", (40, 10, 1), ADVERSARIAL),
    Case("pigeonhole", (7,), ADVERSARIAL),
    Case("unsatisfiable", (2000, 20, 1), ADVERSARIAL),
    Case("impossible", (100, 20, 1), ADVERSARIAL),
)


class Outcome(NamedTuple):
    """What a solver made of a graph: CPU seconds, memory, the answer in a word."""

    seconds: float
    megabytes: float
    answer: str

    def __str__(self) -> str:
        return self.answer if not self.is_answer else f"{self.seconds:8.3f} s {self.megabytes:6.1f} MiB  {self.answer}"

    @property
    def is_answer(self) -> bool:
        return self.answer in ("solution", "refusal")


def measure(solver: str, case: Case) -> Outcome:
    """The median of several runs; of one, when it takes long."""
    runs: list[Outcome] = []
    while len(runs) < ROUNDS:
        runs.append(_run(solver, case))
        if not runs[-1].is_answer or runs[-1].seconds > PATIENCE / 6:
            break
    seconds = median(run.seconds for run in runs)
    return Outcome(seconds, max(run.megabytes for run in runs), runs[-1].answer)


def _run(solver: str, case: Case) -> Outcome:
    command = [sys.executable, "-m", "bench.resolve.solvers", solver, case.maker, *map(str, case.arguments)]
    try:
        done = subprocess.run(command, cwd=TESTS, capture_output=True, text=True, timeout=PATIENCE, check=False)
    except subprocess.TimeoutExpired:
        return Outcome(PATIENCE, 0, f"no answer in {PATIENCE} s")
    if done.returncode:
        return Outcome(PATIENCE, 0, f"failed: {done.stderr.strip().splitlines()[-1]}")
    found = json.loads(done.stdout)
    answer = f"WRONG: {found['problem']}" if found["problem"] else "solution" if found["found"] else "refusal"
    return Outcome(found["seconds"], found["kilobytes"] / 1024, answer)


def verdict(case: Case, outcomes: Mapping[str, Outcome]) -> str:
    """Our time beside the yardstick's, and whether that meets the goal."""
    ours, theirs = outcomes["polpkg"], outcomes.get(YARDSTICK)
    if not ours.is_answer:
        return "NOT MET: no answer"
    if theirs is None:
        return f"{YARDSTICK} is not installed"
    ratio = ours.seconds / theirs.seconds
    bound = "" if theirs.is_answer else "at most "
    met = "met" if ratio <= case.limit else "NOT MET"
    return f"{bound}{ratio:.3f} x {YARDSTICK}; goal: at most {case.limit:g} x, {met}"


def main(makers: list[str]) -> None:
    """Run the cases of these makers, or all."""
    solvers = ["polpkg", *(name for name, module in PEERS.items() if find_spec(module))]
    missing = ", ".join(name for name in PEERS if name not in solvers)
    if missing:
        print(f"Not installed, so not measured: {missing}.")
    met = 0
    cases = [case for case in CASES if not makers or case.maker in makers]
    for case in cases:
        print(case, flush=True)
        outcomes: dict[str, Outcome] = {}
        for solver in solvers:
            outcomes[solver] = measure(solver, case)
            print(f"    {solver:14} {outcomes[solver]}", flush=True)
        text = verdict(case, outcomes)
        met += text.endswith(", met")
        print(f"    {text}", flush=True)
    print(f"{met} of {len(cases)} goals met.  CPU time in the process, without making the graph; medians.")


if __name__ == "__main__":
    main(sys.argv[1:])
