"""Which lines of a package the tests of a package look at: the lines that allow rules come from."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

    from polpkg.policy.analysis.view import TracedRule


class Line(NamedTuple):
    """A line of a fragment, and how many allow rules come from it where most do."""

    file: str
    line: int
    rules: int


class Coverage(NamedTuple):
    """Lines of a package that grant something, and those of them that grant what an `allow` of its tests expects.

    A line counts also when another one grants the same, as lines of several functions with one owner do: full coverage
    means that every line was looked at, not that a test fails without it.

    `untested_options`: options that no test turns on, whose lines nobody counted.
    """

    lines: tuple[Line, ...]
    touched: frozenset[tuple[str, int]]
    untested_options: tuple[str, ...]

    @property
    def untouched(self) -> tuple[Line, ...]:
        """The lines that no expectation rests on, by file and line."""
        return tuple(line for line in self.lines if line[:2] not in self.touched)

    @property
    def percent(self) -> float:
        """How much of the lines is touched; 100 when there are none."""
        return 100 * (1 - len(self.untouched) / len(self.lines)) if self.lines else 100.0


def own_line(rule: TracedRule, package: str) -> tuple[str, int] | None:
    """The innermost line of a package's own fragments that a rule comes from; None when it comes from elsewhere.

    For a rule of a macro of another package that is the line of the call, for a rule of its own the rule.
    """
    origin = rule.origin
    if origin is None:
        return None
    for use in reversed(origin.macros):
        owner, _, file = use.file.rpartition(":")
        if (owner or origin.package) == package and file.startswith("policy/"):
            return file, use.line
    own = origin.package == package and origin.file.startswith("policy/")
    return (origin.file, origin.line) if own else None


def count_lines(rules: Iterable[TracedRule], package: str) -> Counter[tuple[str, int]]:
    """How many rules come from each line of a package."""
    return Counter(line for rule in rules if (line := own_line(rule, package)) is not None)
