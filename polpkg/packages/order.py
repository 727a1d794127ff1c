"""The order in which packages are expanded: each after those that it requires, ties by name (DESIGN.md 5)."""

from __future__ import annotations

from heapq import heapify, heappop, heappush
from typing import TYPE_CHECKING

from polpkg.errors import PolicyError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


def requirement_order(requires: Mapping[str, Iterable[str]]) -> tuple[str, ...]:
    """The names in `requires` (name to the names it requires, those not in it do not count) in expansion order.

    Raises `PolicyError` (`requirement-cycle`) naming the packages that require each other.
    """
    waiting = {name: {other for other in others if other in requires} for name, others in requires.items()}
    needed_by: dict[str, list[str]] = {name: [] for name in requires}
    for name, others in waiting.items():
        for other in others:
            needed_by[other].append(name)
    ready = [name for name, others in waiting.items() if not others]
    heapify(ready)
    ordered: list[str] = []
    while ready:
        name = heappop(ready)
        ordered.append(name)
        for dependant in needed_by[name]:
            waiting[dependant].remove(name)
            if not waiting[dependant]:
                heappush(ready, dependant)
    if len(ordered) < len(requires):
        raise _cycle({name: others for name, others in waiting.items() if others})
    return tuple(ordered)


def _cycle(waiting: Mapping[str, set[str]]) -> PolicyError:
    path = [min(waiting)]
    while (following := min(name for name in waiting[path[-1]] if name in waiting)) not in path:
        path.append(following)
    round_trip = [*path[path.index(following) :], following]
    return PolicyError(
        "requirement-cycle",
        f"packages require each other: {' -> '.join(round_trip)}",
        hint="move what both need into a third package",
    )
