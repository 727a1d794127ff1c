"""`make bench-compile`: N verifiers with 10 guests each, from packages to a policydb, beside checkpolicy and secilc.

The peers compile what polpkg links, as policy.conf and as CIL, without assertions: they need minutes to check those of
100 verifiers.  polpkg resolves, expands, links, checks every assertion and compiles.  Arguments are sizes, and
`changed` for many packages of which one changed (see `changed.py`); all of it without arguments.
"""

from __future__ import annotations

import math
import os
import shutil
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from changed import CHANGED, measure_changed
from cost import Cost, cost_of

SIZES = (10, 100, 300, 1000)
WORK = Path(__file__).with_name("work.py")
GOALS = {"checkpolicy": (1.0, None), "secilc": (0.5, 3.0)}
"""By peer: at most this many times its CPU time, and its memory."""


def measure(size: int, folder: Path) -> dict[str, Cost]:
    """The cost of everybody for one size; the best of two runs."""
    conf, cil, binary = (str(folder / name) for name in ("policy.conf", "policy.cil", "policy.out"))
    ours = [sys.executable, str(WORK)]
    cost_of([*ours, "emit", str(size), conf, cil])
    commands = {
        "polpkg": [*ours, "packages", str(size)],
        "polpkg, from policy.conf": [*ours, "conf", conf],
        "checkpolicy": ["checkpolicy", "-t", "Xen", "-c", "30", "-o", binary, conf],
        "secilc": ["secilc", "-t", "xen", "-c", "30", "-o", binary, "-f", os.devnull, cil],
    }
    there = {name: command for name, command in commands.items() if shutil.which(command[0])}
    runs = [{name: cost_of(command) for name, command in there.items()} for _ in range(2)]
    print(f"N = {size}: {Path(conf).stat().st_size / 1e6:.1f} MB as policy.conf")
    return {name: min(run[name] for run in runs) for name in there}


def report(costs: dict[str, Cost]) -> None:
    """Prints the costs, and the ratios to each peer beside the goals."""
    for name, cost in costs.items():
        line = f"    {name:25} {cost.seconds:7.2f} s {cost.memory:6.0f} MiB"
        for peer, (time_goal, memory_goal) in GOALS.items():
            if name.startswith("polpkg") and peer in costs:
                line += f"   {cost.seconds / costs[peer].seconds:5.2f} x {peer} (goal {time_goal:g})"
                if memory_goal:
                    line += f", memory {cost.memory / costs[peer].memory:.2f} x (goal {memory_goal:g})"
        print(line, flush=True)


def growth(found: dict[int, dict[str, Cost]]) -> None:
    """Prints with which power of N time and memory grow, from the first size of 100 or more to the last."""
    sizes = [size for size in sorted(found) if size >= 100]
    if len(sizes) < 2:
        return
    first, last = sizes[0], sizes[-1]
    for name in found[last]:
        one, other = found[first][name], found[last][name]
        powers = [math.log(b / a) / math.log(last / first) for a, b in zip(one, other, strict=True)]
        print(f"{name}: from {first} to {last} time grows with the power {powers[0]:.2f}, memory {powers[1]:.2f}")
    print("goal: at most 1.1")


def main(words: list[str]) -> None:
    """Measures all that is asked for; missing peers are left out."""
    sizes = tuple(int(word) for word in words if word != CHANGED) if words else SIZES
    found: dict[int, dict[str, Cost]] = {}
    for size in sizes:
        with TemporaryDirectory(prefix="polpkg-bench-") as folder:
            found[size] = measure(size, Path(folder))
        report(found[size])
    growth(found)
    if not words or CHANGED in words:
        with TemporaryDirectory(prefix="polpkg-bench-") as folder:
            measure_changed(Path(folder))


if __name__ == "__main__":
    main(sys.argv[1:])
