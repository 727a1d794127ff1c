"""From the numbers of a linked policy back to names, in the one order that both emitters use."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from operator import itemgetter
from typing import TypeVar

from polpkg.policy.ir.linked import LinkedAvRule, LinkedPolicy, LinkedTerm, LinkedTypeRule, bits

Rule = TypeVar("Rule", bound=LinkedAvRule | LinkedTypeRule)


class Naming:
    """The names of a policy's symbols, by number."""

    def __init__(self, policy: LinkedPolicy) -> None:
        self.types = [symbol.name for symbol in policy.types]
        self.roles = [symbol.name for symbol in policy.roles]
        self.users = [symbol.name for symbol in policy.users]
        self.booleans = [symbol.name for symbol in policy.booleans]
        self.classes = [symbol.name for symbol in policy.abi.all_classes]
        self.sensitivities = [symbol.name for symbol in policy.sensitivities]
        self.categories = [symbol.name for symbol in policy.categories]
        self._permissions = [symbol.permissions for symbol in policy.abi.all_classes]

    def permissions(self, security_class: int, value: int) -> list[str]:
        """The permissions in a bit set over those of a class."""
        names = self._permissions[security_class]
        return [names[bit] for bit in bits(value)]

    def written(self, policy: LinkedPolicy, term: LinkedTerm) -> list[str]:
        """The names that a constraint's word is compared with: as written, when that comes to the same."""
        names = {"u": self.users, "r": self.roles, "t": self.types}[term.left[0]]
        expanded = 0
        for number in term.written:
            expanded |= policy.expand(number)
        return [names[bit] for bit in (term.written if expanded == term.names else bits(term.names))]


def in_order(rules: Iterable[Rule]) -> list[Rule]:
    """Rules by source, target, class and kind: by name, since numbers are in the order of names."""
    return sorted(rules, key=itemgetter(1, 2, 3, 0))


def attributes_of(policy: LinkedPolicy) -> list[list[str]]:
    """For each type the names of its attributes."""
    found: list[list[str]] = [[] for _ in policy.types]
    for symbol in policy.types:
        for member in bits(symbol.members):
            found[member].append(symbol.name)
    return found


def spans(numbers: Iterable[int]) -> list[tuple[int, int]]:
    """Ascending numbers as (first, last) of each run."""
    found: list[tuple[int, int]] = []
    for number in numbers:
        if found and found[-1][1] == number - 1:
            found[-1] = (found[-1][0], number)
        else:
            found.append((number, number))
    return found


def category_spans(categories: int, names: Sequence[str]) -> list[tuple[str, str]]:
    """The categories in a bit set as (first, last) of each run, by name."""
    return [(names[first], names[last]) for first, last in spans(bits(categories))]
