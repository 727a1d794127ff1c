"""Assignments: the steps of the search."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from polpkg.packages.resolver.solver.incompatibility import Incompatibility


class Assignment(NamedTuple):
    """What is chosen for `package` lies in `allowed`, by decision or derivation.

    `known`: all that was known of the package after this step.  `level`: how many decisions had been made, this one
    included.  `position`: its place among all assignments.  `cause`: the incompatibility that it was derived from; None
    for a decision.
    """

    package: str
    allowed: int
    known: int
    level: int
    position: int
    cause: Incompatibility | None
