"""Connections to a host that are cut at random bytes of real changes, each checked by `target_invariant`.

A point is a change, a way to cut, and the byte at which it happens.  After each: what boots is of one state; whoever
comes next, from here or from the host itself, waits for what is still being done there, and finishes or undoes; doing
the change again leads there.

    python tests/random_cuts.py [COUNT] [--seed N]        # `make cuts`
"""

from __future__ import annotations

import argparse
import random
import re
import shutil
from collections import Counter
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest
from fault_scenarios import Scenario, copy_tree, make_scenarios
from random_faults import scratch_directory
from target_invariant import check_midway, check_settled, snapshot

from polpkg.errors import ApplyError, HostError, TargetError
from polpkg.targets.host.remote import RemoteHost, lost
from polpkg.targets.host.session import Session, SessionEnd
from polpkg.targets.recovery import recover
from polpkg.targets.tree import TreeTarget

SENDING, ANSWERING, KILLED = "what is sent ends", "what comes back ends", "all is killed there"
WAYS = (SENDING, ANSWERING, KILLED)
"""Nothing arrives after that byte; nothing comes back after it; or the shell and its programs are killed after it."""

SCRIPTS = {
    SENDING: "stdbuf -o0 head -c {at} | sh",
    ANSWERING: "sh | {{ stdbuf -o0 head -c {at}; kill -9 $$; }}",
    KILLED: "{{ stdbuf -o0 head -c {at}; sleep {pause}; kill -9 0; }} | sh",
}
COUNTING = "tee {sent} | sh | tee {received}"

PAUSES = ("0", "0.001", "0.003", "0.01")

LINE = re.compile(rb"^p_content=", re.MULTILINE)
ANSWER = re.compile(rb"\n[0-9a-f]{32}\.[0-9]+ [0-9]+\n")


class Point(NamedTuple):
    """Where a connection is cut; `pause`: how long after it all is killed, in seconds."""

    scenario: str
    way: str
    at: int
    pause: str


@contextmanager
def connected(root, script="sh"):
    """The tree at `root` as a host whose shell is started by this script."""
    session = Session(["sh", "-c", script], patience=20)
    try:
        yield RemoteHost(session, "the host", top=str(root))
    finally:
        session.close()


class Prepared:
    """A scenario, what it leads to, and where in what is sent and what comes back the lines begin."""

    def __init__(self, scenario: Scenario, scratch: Path) -> None:
        self.name, self.pristine, self.act = scenario
        self.root = scratch / "run"
        self.before = snapshot(TreeTarget(str(self.pristine)))
        sent, received = scratch / "sent", scratch / "received"
        copy_tree(self.pristine, self.root)
        with connected(self.root, COUNTING.format(sent=sent, received=received)) as host:
            self.act(host)
        self.after = snapshot(TreeTarget(str(self.root)))
        shutil.rmtree(self.root)
        self.lines = [found.start() for found in LINE.finditer(sent.read_bytes())] + [sent.stat().st_size]
        self.answers = [found.end() for found in ANSWER.finditer(received.read_bytes())]
        sent.unlink()
        received.unlink()

    def point(self, chance: random.Random) -> Point:
        """Half of the points are where a line begins or ends, or near; the others are anywhere."""
        way = chance.choice(WAYS)
        places = self.answers if way == ANSWERING else self.lines
        at = chance.choice(places) + chance.choice((-1, 0, 0, 1, 40))
        if chance.random() < 0.5:
            at = chance.randint(places[0], places[-1])
        return Point(self.name, way, at, chance.choice(PAUSES))

    def run(self, point: Point) -> str:
        """Try one point; how it ended.  Fails when the invariant does not hold."""
        copy_tree(self.pristine, self.root)
        here = TreeTarget(str(self.root))
        try:
            error = self._cut(point)
            with here.lock():  # not before the far end has done what it was told
                check_midway(here, self.before, self.after)
            self._next(point, here)
            outcome = check_settled(here, self.before, self.after)
            if error is None:
                assert outcome == "after" or self.before == self.after, "it was said to be done"
            with connected(self.root) as host:
                self.act(host)
            assert check_settled(here, self.before, self.after) == "after" or self.before == self.after
            return outcome
        finally:
            shutil.rmtree(self.root)

    def _cut(self, point: Point) -> TargetError | ApplyError | None:
        """Make the change until the connection is cut; what it said then, None when that came too late."""
        try:
            with connected(self.root, SCRIPTS[point.way].format(at=point.at, pause=point.pause)) as host:
                self.act(host)
        except SessionEnd as end:  # before the first line
            return lost("the host", end)
        except (ApplyError, HostError) as error:
            said = error
        else:
            return None
        assert said.code == ("apply-unfinished" if isinstance(said, ApplyError) else "connection-lost")
        return said

    def _next(self, point: Point, here: TreeTarget) -> None:
        """Whoever comes next: on the host itself, or by another connection."""
        if point.at % 2:
            with here.lock():
                recover(here)
            return
        with connected(self.root) as host, host.lock():
            recover(host)


def try_points(scenarios, count: int, seed: int, scratch: Path) -> Counter[tuple[str, str]]:
    """Try `count` points, as many of each scenario; how many of each way ended in which state."""
    chance = random.Random(seed)
    outcomes: Counter[tuple[str, str]] = Counter()
    prepared = [Prepared(each, scratch) for each in scenarios]
    for number in range(count):
        each = prepared[number % len(prepared)]
        point = each.point(chance)
        try:
            outcomes[point.way, each.run(point)] += 1
        except Exception as error:
            error.add_note(f"at {point}, number {number} from seed {seed}")
            raise
    return outcomes


def main() -> None:
    """Try as many points as the arguments say, and print how they ended."""
    parser = argparse.ArgumentParser(description="Connections cut at random bytes of changes of a host.")
    parser.add_argument("count", nargs="?", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    with scratch_directory() as scratch, pytest.MonkeyPatch.context() as patch:
        patch.setenv("POLPKG_CACHE", f"{scratch}/cache")
        scenarios = list(make_scenarios(Path(scratch)))
        outcomes = try_points(scenarios, arguments.count, arguments.seed, Path(scratch))
    print(f"{arguments.count} cuts in {len(scenarios)} changes of a host; then the next command led back, or on:")
    for way in WAYS:
        print(f"  {way:22} {outcomes[way, 'before']:5} {outcomes[way, 'after']:5}")


if __name__ == "__main__":
    main()
