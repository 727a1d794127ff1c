"""`make bench`: measure, and print each result beside its goal.  Names of benchmarks run only these.

It always ends well, whether the goals are met or not: a busy machine is no reason to fail a build.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import backend
import install
import startup
from measure import Goal

BENCHMARKS = {"startup": startup, "install": install, "backend": backend}
PEERS = {"startup": (), "install": ("make", "m4", "checkpolicy"), "backend": ("checkpolicy",)}


def main(names: list[str]) -> None:
    """Run the benchmarks of these names, or all."""
    unknown = set(names) - set(BENCHMARKS)
    if unknown:
        sys.exit(f"no such benchmark: {', '.join(sorted(unknown))}; there are {', '.join(BENCHMARKS)}")
    measured: list[Goal] = []
    for name in names or BENCHMARKS:
        missing = [tool for tool in PEERS[name] if not shutil.which(tool)]
        if missing:
            print(f"{name}: not measured, {' and '.join(missing)} is not installed")
            continue
        with TemporaryDirectory(prefix="polpkg-bench-") as folder:
            for goal in BENCHMARKS[name].goals(Path(folder)):
                measured.append(goal)
                print(goal, flush=True)
    met = sum(goal.is_met for goal in measured)
    print(f"{met} of {len(measured)} goals met.  All times are CPU time, user and system; medians of several runs.")


if __name__ == "__main__":
    main(sys.argv[1:])
