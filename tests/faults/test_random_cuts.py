"""A fixed number of cut connections; `make cuts` tries a thousand.

`POLPKG_CUTS` says how many, `POLPKG_FAULT_SEED` where chance begins.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from fault_scenarios import make_scenarios
from random_cuts import WAYS, try_points
from random_faults import scratch_directory

COUNT = int(os.environ.get("POLPKG_CUTS", "26"))
SEED = int(os.environ.get("POLPKG_FAULT_SEED", "1"))


@pytest.mark.skipif(shutil.which("stdbuf") is None, reason="needs stdbuf")
def test_a_connection_that_is_cut_leaves_the_old_state_or_the_new_one(monkeypatch):
    with scratch_directory() as directory:
        scratch = Path(directory)
        monkeypatch.setenv("POLPKG_CACHE", str(scratch / "cache"))
        outcomes = try_points(list(make_scenarios(scratch)), COUNT, SEED, scratch)
    assert sum(outcomes.values()) == COUNT
    assert {way for way, _ in outcomes} == set(WAYS)
    assert {state for _, state in outcomes} == {"before", "after"}
