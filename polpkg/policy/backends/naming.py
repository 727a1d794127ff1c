"""From the numbers of a linked policy back to names, in the one order that both emitters use."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from operator import itemgetter
from typing import NamedTuple, TypeVar

from polpkg.policy.ir.linked import LinkedAvRule, LinkedPolicy, LinkedTerm, LinkedTypeRule, bits

Rule = TypeVar("Rule", bound=LinkedAvRule | LinkedTypeRule)


WORTH_AN_ATTRIBUTE = 16
"""A set of types is written as an attribute with exceptions when that saves more than this many names."""


class Described(NamedTuple):
    """A set of types in few words: an attribute (-1 for none) with the types to add to it and to take out of it."""

    attribute: int
    more: int
    without: int


class Sets:
    """Writes large sets of types in few words, so that assertions about all types but one stay short."""

    def __init__(self, policy: LinkedPolicy) -> None:
        self.every_type = ~sum(1 << n for n, symbol in enumerate(policy.types) if symbol.is_attribute)
        self.every_type &= (1 << len(policy.types)) - 1
        self._count = self.every_type.bit_count()
        self._attributes = [(n, s.members) for n, s in enumerate(policy.types) if s.is_attribute and s.members]
        self._by_size: dict[int, list[tuple[int, int]]] = {}
        for number, symbol in enumerate(policy.types):
            if symbol.is_attribute:
                self._by_size.setdefault(symbol.members.bit_count(), []).append((number, symbol.members))
        self._texts: dict[int, tuple[str, int]] = {}

    def text(self, value: int, write: Callable[[int], str]) -> str:
        """What `write` makes of `value`: once for each set, since many assertions share one.

        A set is known by its identity, because even to compare two takes as long as there are types; keeping it makes
        sure that its identity is not given to another.
        """
        known = self._texts.get(id(value))
        if known is None:
            known = self._texts[id(value)] = (write(value), value)
        return known[0]

    def describe(self, value: int) -> Described | None:
        """`value` by an attribute, unless its names or those of the rest are hardly more."""
        plain = value.bit_count()
        if plain <= WORTH_AN_ATTRIBUTE:
            return None
        return self._nearest(value, min(plain, self._count - plain))

    def rest(self, value: int) -> tuple[int, bool]:
        """The types that are not in `value`, when they are fewer; else 0 and False."""
        is_shorter = self._count < 2 * value.bit_count()
        return (self.every_type & ~value, True) if is_shorter else (0, False)

    def attribute_of(self, value: int) -> int:
        """The first attribute that has just the types of `value`; -1 when there is none."""
        same = self._by_size.get(value.bit_count(), ())
        return next((number for number, members in same if members == value), -1)

    def _nearest(self, value: int, names: int) -> Described | None:
        if names <= WORTH_AN_ATTRIBUTE or not self._attributes:
            return None
        number, members = min(self._attributes, key=lambda attribute: (attribute[1] ^ value).bit_count())
        if (members ^ value).bit_count() + WORTH_AN_ATTRIBUTE >= names:
            return None
        return Described(number, value & ~members, members & ~value)


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
        self._lists: dict[tuple[int, int], list[str]] = {}

    def permissions(self, security_class: int, value: int) -> list[str]:
        """The permissions in a bit set over those of a class."""
        found = self._lists.get((security_class, value))
        if found is None:
            names = self._permissions[security_class]
            found = self._lists[security_class, value] = [names[bit] for bit in bits(value)]
        return found

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


def joined(lines: Iterable[str]) -> str:
    """Lines as one text.  Some thousands at a time: one by one, a million lines take more memory than their text."""
    rest, chunks = iter(lines), list[str]()
    while some := list(islice(rest, 4096)):
        some.append("")
        chunks.append("\n".join(some))
    return "".join(chunks)


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
