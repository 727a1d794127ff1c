"""Restarts: when to begin again with what was learned, so that bad choices made early do not cost for ever."""

from __future__ import annotations

_UNIT = 50


class Restarts:
    """Lets a search restart after 1, 1, 2, 1, 1, 2, 4, 1, ... times a number of conflicts.

    No other fixed rule is better by more than a logarithm, whatever the search is like (Luby, Sinclair and Zuckerman,
    "Optimal Speedup of Las Vegas Algorithms", 1993).
    """

    def __init__(self) -> None:
        self._count = 1
        self._next = _UNIT

    def is_due(self, conflicts: int) -> bool:
        """Whether to restart now, after so many conflicts in all; the next restart is counted from here."""
        if conflicts < self._next:
            return False
        self._count += 1
        self._next = conflicts + _UNIT * luby(self._count)
        return True


def luby(number: int) -> int:
    """The member of Luby's sequence at a place counted from 1."""
    power = number.bit_length()
    while number != (1 << power) - 1:
        if number >= 1 << (power - 1):
            number -= (1 << (power - 1)) - 1
        power = number.bit_length()
    return 1 << (power - 1)
