"""Random faults in random changes of a tree, each checked by `target_invariant`.

A point is a scenario, a kind of fault, and the system call at which it strikes; a third of them strike once more in the
recovery.  After each: what boots is of one state; the next command finishes or undoes; doing it again leads there.

    python tests/random_faults.py [COUNT] [--seed N]        # `make faults`
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import signal
from collections import Counter
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import pytest
from crash_disk import Recorder
from fault_scenarios import Scenario, copy_tree, make_scenarios
from faulty_os import ERRORS, FaultyOs
from target_invariant import check_midway, check_settled, snapshot

from polpkg.errors import ApplyError, TargetError
from polpkg.targets.recovery import recover
from polpkg.targets.tree import TreeTarget

MEMORY = Path("/dev/shm")
"""Where thousands of small trees are made, when there is one."""

LOSS = "loss of power"
MODES = (LOSS, "kill", "kill after", "error after", "interrupt", "cannot read", *ERRORS)


class Point(NamedTuple):
    """Where what goes wrong; `again`: and at which call of the recovery it does once more, 0 for never."""

    scenario: str
    mode: str
    at: int
    again: int


class Prepared:
    """A scenario, what it leads to, and all the calls that it makes."""

    def __init__(self, scenario: Scenario, scratch: Path, monkeypatch) -> None:
        self.name, self.pristine, self.act = scenario
        self.scratch = scratch
        self.monkeypatch = monkeypatch
        self.before = snapshot(TreeTarget(str(self.pristine)))
        root = self.copy()
        self.recorder = Recorder(root, self.pristine)
        with self.recorder.in_use(monkeypatch):
            self.act(TreeTarget(str(root)))
        self.after = snapshot(TreeTarget(str(root)))
        shutil.rmtree(root)
        self.reads = self._count_reads()

    def copy(self) -> Path:
        root = self.scratch / "run"
        copy_tree(self.pristine, root)
        return root

    def _count_reads(self) -> int:
        root, counter = self.copy(), FaultyOs(mode="cannot read")
        with counter.in_use(self.monkeypatch):
            self.act(TreeTarget(str(root)))
        shutil.rmtree(root)
        return counter.count

    def points(self, mode: str) -> int:
        """At how many calls this kind of fault can strike."""
        return self.reads if mode == "cannot read" else len(self.recorder.calls)

    def run(self, point: Point, chance: random.Random) -> str:
        """Try one point; how it ended.  Fails when the invariant does not hold."""
        root = self.scratch / "run"
        try:
            raised = self._strike(root, point, chance)
            target = TreeTarget(str(root))
            if raised is None or raised.code != "apply-unfinished" or point.mode not in ("broken disk", "read-only"):
                check_midway(target, self.before, self.after)
            if point.again:
                self._strike_again(root, point)
                check_midway(target, self.before, self.after)
            with target.lock():
                recover(target)
            outcome = check_settled(target, self.before, self.after)
            if raised is not None and raised.code == "apply-failed" and not point.again:
                assert outcome == "before", "what was said to be brought back is not"
            self.act(target)
            assert check_settled(target, self.before, self.after) == "after" or self.before == self.after
            return outcome
        finally:
            shutil.rmtree(root, ignore_errors=True)

    def _strike(self, root: Path, point: Point, chance: random.Random) -> TargetError | ApplyError | None:
        if point.mode == LOSS:
            self.recorder.crash(point.at, chance).write(root)
            return None
        self.copy()
        if point.mode.startswith("kill"):
            _killed(lambda: self._faulty(root, point, really=True))
            return None
        try:
            self._faulty(root, point)
        except (TargetError, ApplyError) as error:
            return error
        except KeyboardInterrupt:
            return None
        return None

    def _faulty(self, root: Path, point: Point, *, really: bool = False) -> None:
        with FaultyOs(point.at, point.mode, really=really).in_use(self.monkeypatch):
            self.act(TreeTarget(str(root)))

    def _strike_again(self, root: Path, point: Point) -> None:
        """The recovery fares no better: it is killed, or its disk loses what was not waited for."""
        target = TreeTarget(str(root))

        def recovering() -> None:
            with FaultyOs(point.again, "kill", really=True).in_use(self.monkeypatch), target.lock():
                recover(target)

        _killed(recovering)


def _killed(act) -> None:
    """Run `act` in a process of its own, which may kill itself and may not end otherwise than well."""
    child = os.fork()
    if child == 0:
        status = 1
        with suppress(BaseException):
            act()
            status = 0
        os._exit(status)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) in (0, -signal.SIGKILL)


def try_points(scenarios, count: int, seed: int, scratch: Path, monkeypatch) -> Counter[tuple[str, str]]:
    """Try `count` points, as many of each scenario; how many of each kind of fault ended in which state."""
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)
    chance = random.Random(seed)
    outcomes: Counter[tuple[str, str]] = Counter()
    prepared = [Prepared(each, scratch, monkeypatch) for each in scenarios]
    for number in range(count):
        each = prepared[number % len(prepared)]
        mode = chance.choice(MODES)
        again = chance.choice((0, 0, chance.randint(1, 40)))
        point = Point(each.name, mode, chance.randint(1, max(1, each.points(mode))), again)
        try:
            outcomes[mode, each.run(point, chance)] += 1
        except Exception as error:
            error.add_note(f"at {point}, number {number} from seed {seed}")
            raise
    return outcomes


def scratch_directory() -> TemporaryDirectory[str]:
    """A directory in memory, where there is any."""
    return TemporaryDirectory(dir=MEMORY if os.access(MEMORY, os.W_OK) else None)


def main() -> None:
    """Try as many points as the arguments say, and print how they ended."""
    parser = argparse.ArgumentParser(description="Random faults in random changes of a tree.")
    parser.add_argument("count", nargs="?", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    with scratch_directory() as scratch, pytest.MonkeyPatch.context() as patch:
        patch.setenv("POLPKG_CACHE", f"{scratch}/cache")
        scenarios = list(make_scenarios(Path(scratch)))
        outcomes = try_points(scenarios, arguments.count, arguments.seed, Path(scratch), patch)
    print(f"{arguments.count} points in {len(scenarios)} changes of a tree; then the next command led back, or on:")
    for mode in MODES:
        print(f"  {mode:14} {outcomes[mode, 'before']:5} {outcomes[mode, 'after']:5}")


if __name__ == "__main__":
    main()
