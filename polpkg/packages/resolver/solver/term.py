"""Terms: statements about what is chosen for one package."""

from __future__ import annotations

from typing import NamedTuple

ANYTHING = -1
"""The version set that contains everything, "not chosen" included: a term with it says nothing."""


class Term(NamedTuple):
    """What is chosen for `package` lies in the version set `allowed`.

    A non-negative set makes the term positive: the package must be chosen.  A negative one is a complement and contains
    "not chosen".  So `&`, `|` and `~` of integers are intersection, union and negation of terms.
    """

    package: str
    allowed: int

    @property
    def is_positive(self) -> bool:
        """Whether the package must be chosen for the term to hold."""
        return self.allowed >= 0


def numbers_in(versions: int) -> tuple[int, ...]:
    """The version numbers in a non-negative version set, ascending."""
    return tuple(number for number in range(versions.bit_length()) if versions >> number & 1)
