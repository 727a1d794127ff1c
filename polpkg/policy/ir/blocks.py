"""Rules about sets of types, source by source, without a set of all types for every pair of a source and a permission.

A block is a pair of numbers: of a set of sources and of a set of targets; see `TypeSets`.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, TypeAlias

from polpkg.policy.ir.linked import bits

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

Block: TypeAlias = tuple[int, int]
"""The numbers of a set of sources and a set of targets."""


class TypeSets:
    """Numbers for sets of types: even to compare two sets takes as long as there are types."""

    def __init__(self) -> None:
        self._sets: list[int] = []
        self._numbers: dict[int, int] = {}
        self._members: dict[int, tuple[int, ...]] = {}

    def number(self, types: int) -> int:
        """Stands for a set of types."""
        number = self._numbers.setdefault(types, len(self._sets))
        if number == len(self._sets):
            self._sets.append(types)
        return number

    def members(self, number: int) -> tuple[int, ...]:
        """The types of a set, ascending."""
        found = self._members.get(number)
        if found is None:
            found = self._members[number] = tuple(bits(self._sets[number]))
        return found

    def sources(self, blocks: Iterable[Block]) -> set[int]:
        """All types that `blocks` give something."""
        return {source for number in {sources for sources, _ in blocks} for source in self.members(number)}

    def by_source(self, blocks: Iterable[Block], concerned: Collection[int]) -> dict[int, set[int]]:
        """For each type of `concerned` the numbers of the sets of targets that `blocks` give it."""
        found: dict[int, set[int]] = defaultdict(set)
        for sources, targets in blocks:
            for source in self.members(sources):
                if source in concerned:
                    found[source].add(targets)
        return found

    def union(self, numbers: Iterable[int]) -> int:
        """The types of several sets."""
        types = 0
        for number in numbers:
            types |= self._sets[number]
        return types
