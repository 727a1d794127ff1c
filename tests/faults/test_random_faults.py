"""A fixed number of random faults; `make faults` tries thousands.

`POLPKG_FAULTS` says how many, `POLPKG_FAULT_SEED` where chance begins.
"""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest
from crash_disk import Recorder
from fault_scenarios import make_scenarios
from random_faults import LOSS, MODES, Point, Prepared, scratch_directory, try_points

from polpkg.errors import PolpkgError
from polpkg.targets import inroot

COUNT = int(os.environ.get("POLPKG_FAULTS", "104"))
SEED = int(os.environ.get("POLPKG_FAULT_SEED", "1"))


@pytest.fixture(scope="module")
def scratch():
    with scratch_directory() as directory:
        yield Path(directory)


@pytest.fixture(scope="module")
def scenarios(scratch):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("POLPKG_CACHE", str(scratch / "cache"))
        return list(make_scenarios(scratch))


def test_the_invariant_holds_at_random_points(scenarios, scratch, monkeypatch):
    outcomes = try_points(scenarios, COUNT, SEED, scratch, monkeypatch)
    assert sum(outcomes.values()) == COUNT
    assert {mode for mode, _ in outcomes} == set(MODES)
    assert {state for _, state in outcomes} == {"before", "after"}


@pytest.mark.parametrize("forgotten", ["files", "directories"])
def test_an_fsync_that_is_forgotten_is_noticed(forgotten, scenarios, scratch, monkeypatch):
    """The disk that loses what was not waited for would be no test if nothing could fail on it."""
    if forgotten == "files":
        monkeypatch.setattr(Recorder, "_log", _without_files(Recorder._log))
    else:
        monkeypatch.setattr("polpkg.targets.tree.sync_directory", lambda directory: None)
        monkeypatch.setattr(inroot, "sync_directory", lambda directory: None)
    scenario = Prepared(scenarios[2], scratch, monkeypatch)
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)
    noticed = 0
    for seed in range(40):
        chance = random.Random(seed)
        point = Point(scenario.name, LOSS, chance.randint(1, scenario.points(LOSS)), 0)
        try:
            scenario.run(point, chance)
        except (AssertionError, PolpkgError):
            noticed += 1
    assert noticed


def _without_files(log):
    def filtered(self, name, descriptor, *args):
        if name != "fsync" or not Path(f"/proc/self/fd/{descriptor}").is_file():
            log(self, name, descriptor, *args)

    return filtered


@pytest.mark.slow
def test_every_scenario_survives_every_loss_of_power(scenarios, scratch, monkeypatch):
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)
    for each in scenarios:
        scenario = Prepared(each, scratch, monkeypatch)
        for at in range(scenario.points(LOSS) + 1):
            scenario.run(Point(scenario.name, LOSS, at, 0), random.Random(at))
