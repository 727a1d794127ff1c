"""Restarts: Luby's sequence, and when they are due."""

from __future__ import annotations

from polpkg.packages.resolver.solver.restarts import Restarts, luby


def by_definition(number):
    """The sequence as its authors define it."""
    power = 1
    while (1 << power) - 1 < number:
        power += 1
    if number == (1 << power) - 1:
        return 1 << (power - 1)
    return by_definition(number - (1 << (power - 1)) + 1)


def test_the_sequence():
    assert [luby(number) for number in range(1, 16)] == [1, 1, 2, 1, 1, 2, 4, 1, 1, 2, 1, 1, 2, 4, 8]
    assert all(luby(number) == by_definition(number) for number in range(1, 600))


def test_restarts_are_due_at_multiples_of_the_sequence():
    restarts = Restarts()
    assert [conflicts for conflicts in range(500) if restarts.is_due(conflicts)] == [50, 100, 200, 250, 300, 400]
