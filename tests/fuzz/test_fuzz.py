"""A fixed number of fuzzed inputs of every kind; `make fuzz` runs as many as fit into the time that it is given."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from random import Random

import pytest

sys.path.insert(0, str(Path(__file__).parent))
fuzzed = importlib.import_module("fuzzed")
mutations = importlib.import_module("mutations")

COUNTS = {"m4": 40, "te": 400, "package": 10, "conf": 150, "policydb": 400, "cil": 150}


@pytest.mark.parametrize("name", fuzzed.FUZZED)
def test_bad_input_is_refused_with_a_reason(name):
    subject, random = fuzzed.FUZZED[name], Random(name)
    for _ in range(COUNTS[name]):
        fuzzed.survives(subject, mutations.mutate(random, subject.corpus, subject.words, is_text=subject.is_text))


@pytest.mark.parametrize("name", fuzzed.FUZZED)
def test_what_fuzzing_begins_with_is_good(name):
    """A corpus that is refused as a whole would find nothing."""
    subject = fuzzed.FUZZED[name]
    assert subject.corpus
    assert subject.words


def test_the_same_seed_gives_the_same_inputs():
    subject = fuzzed.FUZZED["te"]
    first, second = (mutations.mutate(Random(7), subject.corpus, subject.words, is_text=True) for _ in range(2))
    assert first == second
