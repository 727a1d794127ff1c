"""What one domain holds on others in a linked policy, permission by permission, and for which functions.

Every rule knows the macros that it came from, and `for_each_owner(FUNCTION, ...)` is among them: so what a function
grants to its owner is told apart rule by rule, whichever macro a package has chosen for it.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, NamedTuple

from polpkg.policy.functions import function_of
from polpkg.policy.ir.linked import bits
from polpkg.policy.ir.statements import AvKind

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from polpkg.diagnostics import Origin
    from polpkg.policy.analysis.view import PolicyView, TracedRule


class Holding(NamedTuple):
    """One permission that `source` has on `target`.

    `conditions`: it has it while one of them holds; empty when it always has it.  `functions`: on whose behalf rules
    grant it, sorted.  `others`: the origins of rules that grant it on behalf of none; None for one that is not known.
    """

    source: str
    target: str
    security_class: str
    permission: str
    conditions: tuple[str, ...]
    functions: tuple[str, ...]
    others: tuple[Origin | None, ...]

    def is_lost_without(self, functions: Iterable[str]) -> bool:
        """Whether it goes when `source` owns these functions no longer."""
        return not self.others and set(self.functions) <= set(functions)


def find_holdings(view: PolicyView, sources: Iterable[str], targets: Iterable[str]) -> Mapping[str, list[Holding]]:
    """What each of `sources` holds on each of `targets`, by target; sorted, in the order of classes and permissions.

    Types that the policy does not have hold nothing, and nothing is held on them.
    """
    left, right = _types(view, sources), _types(view, targets)
    granting: dict[tuple[int, int, int, int], list[TracedRule]] = defaultdict(list)
    for rule in view.rules:
        if rule.kind is not AvKind.ALLOW:
            continue
        for source, target in _pairs(view, rule, left, right):
            for bit in bits(rule.permissions):
                granting[target, source, rule.security_class, bit].append(rule)
    found: dict[str, list[Holding]] = defaultdict(list)
    names, classes = view.policy.types, view.policy.abi.all_classes
    for (target, source, number, bit), rules in sorted(granting.items()):
        known = classes[number]
        found[names[target].name].append(
            _holding(rules, (names[source].name, names[target].name, known.name, known.permissions[bit]))
        )
    return found


def _types(view: PolicyView, names: Iterable[str]) -> int:
    numbers = (view.policy.number_of_type(name) for name in names)
    return sum({1 << number for number in numbers if number >= 0})


def _pairs(view: PolicyView, rule: TracedRule, left: int, right: int) -> Iterator[tuple[int, int]]:
    sources = view.policy.expand(rule.source) & left
    targets = view.policy.expand(rule.target) & right if sources else 0
    if not targets:
        return
    for source in bits(sources):
        for target in bits(targets):
            yield source, target


def _holding(rules: list[TracedRule], key: tuple[str, str, str, str]) -> Holding:
    functions = {rule: _function(rule) for rule in rules}
    conditions = tuple(sorted({rule.condition for rule in rules}))
    return Holding(
        *key,
        () if "" in conditions else conditions,
        tuple(sorted({function for function in functions.values() if function})),
        tuple(dict.fromkeys(rule.origin for rule, function in functions.items() if not function)),
    )


def _function(rule: TracedRule) -> str:
    return function_of([macro.name for macro in rule.origin.macros]) if rule.origin else ""
