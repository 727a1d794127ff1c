"""Dependency graphs made from a seed, for tests and benchmarks of resolution, and a check of answers to them.

A graph knows nothing of solvers: versions are the numbers 1, 2, ..., a requirement is an interval of them.  The same
arguments make the same graph on every machine.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import NamedTuple


class Interval(NamedTuple):
    """The versions from `low` to `high`, both included."""

    low: int
    high: int

    def __contains__(self, version: object) -> bool:
        return isinstance(version, int) and self.low <= version <= self.high

    @property
    def specifier(self) -> str:
        return f"=={self.low}" if self.low == self.high else f">={self.low},<={self.high}"


Requires = dict[str, Interval]


class Graph(NamedTuple):
    """`packages`: name to what its versions 1, 2, ... require.  `requirements`: what is asked for."""

    requirements: Requires
    packages: dict[str, list[Requires]]


def problem_with(chosen: Mapping[str, int], graph: Graph) -> str:
    """What is wrong with an answer (package to version); nothing when it is valid and has no package too many."""
    reached: set[str] = set()
    pending = list(graph.requirements.items())
    while pending:
        name, interval = pending.pop()
        if chosen.get(name) not in interval:
            return f"{name} is {chosen.get(name)} and must be in {interval.specifier}"
        if name not in reached:
            reached.add(name)
            pending += graph.packages[name][chosen[name] - 1].items()
    superfluous = sorted(set(chosen) - reached)
    return f"{superfluous[0]} is not needed" if superfluous else ""


def realistic(packages: int, versions: int, seed: int) -> Graph:
    """Packages as registries have them: a few that everybody needs, requirements that drift from version to version.

    Every package has a version that goes with those of all others, so there is an answer.
    """
    dice = random.Random(f"realistic {packages} {versions} {seed}")
    good = [dice.randint(max(1, versions // 2), versions) for _ in range(packages)]
    graph = Graph({}, {})
    for number in range(packages):
        needs = sorted({int(number * dice.random() ** 2.2) for _ in range(dice.randint(0, 7))} - {number})
        graph.packages[f"p{number}"] = _drifting(dice, versions, good[number], {need: good[need] for need in needs})
    tops = range(packages - max(3, packages // 20), packages)
    graph.requirements.update({f"p{number}": Interval(1, versions) for number in tops})
    return graph


def _drifting(dice: random.Random, versions: int, good: int, needs: dict[int, int]) -> list[Requires]:
    first = {need: dice.randint(1, good) for need in needs}
    table: list[Requires] = []
    for version in range(1, versions + 1):
        requires: Requires = {}
        for need, need_good in needs.items():
            if version < first[need] and dice.random() < 0.8:
                continue
            low = max(1, need_good - 4 + (version - good) // 2)
            kind = dice.random()
            high = versions if kind < 0.7 else min(versions, max(low, low + dice.randint(3, 9)))
            if version == good:
                low, high = min(low, need_good), max(high, need_good)
            requires[f"p{need}"] = Interval(min(low, versions), max(high, min(low, versions)))
        table.append(requires)
    return table


def layered(layers: int, width: int, versions: int, seed: int) -> Graph:
    """Every package needs some of the next layer, in narrow windows that move with its version."""
    dice = random.Random(f"layered {layers} {width} {versions} {seed}")
    graph = Graph({f"l0w{place}": Interval(1, versions) for place in range(width)}, {})
    for layer in range(layers):
        for place in range(width):
            needs = dice.sample(range(width), min(3, width)) if layer + 1 < layers else []
            lag = {need: dice.randint(0, 2) for need in needs}
            graph.packages[f"l{layer}w{place}"] = [
                {
                    f"l{layer + 1}w{need}": Interval(
                        max(1, version - lag[need] - 1), min(versions, max(1, version - lag[need] + 1))
                    )
                    for need in needs
                }
                for version in range(1, versions + 1)
            ]
    return graph


def wide(packages: int, versions: int, seed: int) -> Graph:
    """Many packages are asked for at once, and all of them lean on the same few."""
    dice = random.Random(f"wide {packages} {versions} {seed}")
    shared = max(5, packages // 20)
    good = [dice.randint(1, versions) for _ in range(shared)]
    graph = Graph({}, {f"s{number}": [{} for _ in range(versions)] for number in range(shared)})
    for number in range(packages):
        needs = dice.sample(range(shared), 4)
        graph.requirements[f"w{number}"] = Interval(1, versions)
        works = dice.randint(1, versions)
        graph.packages[f"w{number}"] = [
            {f"s{need}": _window(dice, versions, good[need], planted=version == works) for need in needs}
            for version in range(1, versions + 1)
        ]
    return graph


def _window(dice: random.Random, versions: int, good: int, *, planted: bool) -> Interval:
    low = dice.randint(1, versions)
    high = min(versions, low + dice.randint(2, 8))
    return Interval(min(low, good), max(high, good)) if planted else Interval(low, high)


def deep(packages: int, versions: int, seed: int) -> Graph:
    """A chain in which each package narrows the two that follow, and only old versions fit the far end."""
    dice = random.Random(f"deep {packages} {versions} {seed}")
    graph = Graph({"d0": Interval(1, versions), f"d{packages - 1}": Interval(1, 1)}, {})
    for number in range(packages):
        graph.packages[f"d{number}"] = [
            {
                f"d{number + step}": Interval(max(1, version - dice.randint(0, 1)), version)
                for step in (1, 2)
                if number + step < packages
            }
            for version in range(1, versions + 1)
        ]
    return graph


def tangled(packages: int, versions: int, seed: int) -> Graph:
    """All packages are needed, and each narrows three others at random: near the point where answers become rare."""
    dice = random.Random(f"tangled {packages} {versions} {seed}")
    good = [dice.randint(1, versions) for _ in range(packages)]
    graph = Graph({f"t{number}": Interval(1, versions) for number in range(packages)}, {})
    for number in range(packages):
        others = dice.sample([other for other in range(packages) if other != number], 3)
        graph.packages[f"t{number}"] = [
            {f"t{other}": _half(dice, versions, good[other], planted=version == good[number]) for other in others}
            for version in range(1, versions + 1)
        ]
    return graph


def _half(dice: random.Random, versions: int, good: int, *, planted: bool) -> Interval:
    size = dice.randint(versions // 3, versions // 2)
    low = dice.randint(1, versions - size)
    if planted and not low <= good <= low + size:
        low = max(1, min(good, versions - size))
    return Interval(low, low + size)


def pigeonhole(guests: int) -> Graph:
    """Each guest takes one of the places, of which there is one too few, and a place takes one guest."""
    graph = Graph({f"guest{guest}": Interval(1, guests - 1) for guest in range(1, guests + 1)}, {})
    for guest in range(1, guests + 1):
        graph.packages[f"guest{guest}"] = [{f"place{place}": Interval(guest, guest)} for place in range(1, guests)]
    for place in range(1, guests):
        graph.packages[f"place{place}"] = [{} for _ in range(guests)]
    return graph


def unsatisfiable(packages: int, versions: int, seed: int) -> Graph:
    """A realistic graph, and far below what is asked for two packages want versions of a third that never meet."""
    graph = realistic(packages, versions, seed)
    chain = [f"p{packages - 1}", *(f"u{number}" for number in range(40))]
    for upper, lower in pairwise(chain):
        table = graph.packages.setdefault(upper, [{} for _ in range(versions)])
        for version, requires in enumerate(table, start=1):
            requires[lower] = Interval(max(1, version - 2), versions)
    half = versions // 2
    graph.packages[chain[-1]] = [
        {"left": Interval(1, versions), "right": Interval(1, versions)} for _ in range(versions)
    ]
    graph.packages["left"] = [{"apple": Interval(1, half)} for _ in range(versions)]
    graph.packages["right"] = [{"apple": Interval(half + 1, versions)} for _ in range(versions)]
    graph.packages["apple"] = [{} for _ in range(versions)]
    return graph


def impossible(packages: int, versions: int, seed: int) -> Graph:
    """A wide graph without an answer, where no few packages alone are at fault."""
    graph = wide(packages, versions, seed)
    dice = random.Random(f"impossible {packages} {versions} {seed}")
    shared = [name for name in graph.packages if name.startswith("s")]
    for number in range(6):
        needs = dice.sample(shared, 3)
        graph.requirements[f"x{number}"] = Interval(1, versions)
        graph.packages[f"x{number}"] = [
            {need: _window(dice, versions, dice.randint(1, versions), planted=False) for need in needs}
            for _ in range(versions)
        ]
    return graph


MAKERS: dict[str, Callable[..., Graph]] = {
    maker.__name__: maker for maker in (realistic, layered, wide, deep, tangled, pigeonhole, unsatisfiable, impossible)
}
"""All makers by name."""
