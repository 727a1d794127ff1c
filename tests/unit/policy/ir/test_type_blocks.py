"""Blocks of rules taken apart source by source, against pairs written out."""

from __future__ import annotations

import random

from polpkg.policy.ir.blocks import TypeSets


def test_each_source_gets_what_its_blocks_give():
    chance = random.Random(5)
    for _ in range(50):
        sets, written = TypeSets(), {}
        blocks = []
        for _ in range(12):
            sources, targets = chance.getrandbits(9), chance.getrandbits(9)
            blocks.append((sets.number(sources), sets.number(targets)))
            for source in range(9):
                if sources >> source & 1:
                    written[source] = written.get(source, 0) | targets
        concerned = {number for number in range(9) if chance.random() < 0.6}
        assert sets.sources(blocks) == written.keys()
        found = sets.by_source(blocks, concerned)
        assert {source: sets.union(numbers) for source, numbers in found.items()} == {
            source: targets for source, targets in written.items() if source in concerned
        }


def test_equal_sets_have_one_number():
    sets = TypeSets()
    assert sets.number(0b1011) == sets.number(0b1011) != sets.number(0b11)
    assert sets.members(sets.number(0b1011)) == (0, 1, 3)
    assert sets.union(()) == 0
