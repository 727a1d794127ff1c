"""What one domain holds on others in a linked policy, permission by permission, and for which functions.

Every rule knows the macros that it came from, and `for_each_owner(FUNCTION, ...)` is among them: so what a function
grants to its owner is told apart rule by rule, whichever macro a package has chosen for it.
"""

from __future__ import annotations

from collections import defaultdict
from itertools import product
from typing import TYPE_CHECKING, NamedTuple

from polpkg.policy.analysis.view import view_of
from polpkg.policy.functions import function_of
from polpkg.policy.ir.linked import bits
from polpkg.policy.ir.statements import AvKind

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Mapping

    from polpkg.diagnostics import Origin
    from polpkg.policy.analysis.view import PolicyView, TracedRule
    from polpkg.policy.ir.linked import LinkedPolicy


class Holding(NamedTuple):
    """One permission that `source` has on `target`.

    `conditions`: it has it while one of them holds; empty when it always has it.  `functions`: on whose behalf rules
    grant it, sorted.  `others`: the origins of rules that grant it on behalf of none; None for one that is not known.
    `as_client`: functions whose rules grant it to `source` as the one that is served.
    """

    source: str
    target: str
    security_class: str
    permission: str
    conditions: tuple[str, ...]
    functions: tuple[str, ...]
    others: tuple[Origin | None, ...]
    as_client: tuple[str, ...] = ()

    def with_owned(self, functions: Container[str]) -> Holding:
        """The same, knowing which functions `source` owns here: rules of all others serve it."""
        owned = tuple(name for name in self.functions if name in functions)
        served = tuple(name for name in self.functions if name not in functions)
        return self._replace(functions=owned, as_client=served)

    @property
    def is_explained(self) -> bool:
        """Whether functions that `source` owns are all that it has it for."""
        return bool(self.functions) and not (self.others or self.as_client)

    def is_lost_without(self, functions: Iterable[str]) -> bool:
        """Whether it goes when `source` owns these functions no longer."""
        return self.is_explained and set(self.functions) <= set(functions)


def find_holdings(view: PolicyView, sources: Iterable[str], targets: Iterable[str]) -> Mapping[str, list[Holding]]:
    """What each of `sources` holds on each of `targets`, by target; sorted, in the order of classes and permissions.

    What is held is read from the compiled policy itself, `view.policy`; the rules of the view only say why.  Types that
    the policy does not have hold nothing, and nothing is held on them.
    """
    left, right = _types(view, sources), _types(view, targets)
    compiled = _granting(view.policy, view_of(view.policy).rules, left, right)
    traced = _granting(view.policy, view.rules, left, right)
    found: dict[str, list[Holding]] = defaultdict(list)
    names, classes = view.policy.types, view.policy.abi.all_classes
    for key, rules in sorted(compiled.items(), key=_key):
        target, source, number, bit = key
        known = classes[number]
        what = (names[source].name, names[target].name, known.name, known.permissions[bit])
        found[names[target].name].append(_holding(what, rules, traced.get(key, rules)))
    return found


_Key = tuple[int, int, int, int]
"""Target, source, class and permission, by number."""


def _key(item: tuple[_Key, list[TracedRule]]) -> _Key:
    return item[0]


def _granting(policy: LinkedPolicy, rules: Iterable[TracedRule], left: int, right: int) -> dict[_Key, list[TracedRule]]:
    """The rules that allow each permission of some of `left` on some of `right`."""
    found: dict[_Key, list[TracedRule]] = defaultdict(list)
    for rule in rules:
        sources = policy.expand(rule.source) & left if rule.kind is AvKind.ALLOW else 0
        targets = policy.expand(rule.target) & right if sources else 0
        if not targets:
            continue
        for source, target, bit in product(bits(sources), bits(targets), bits(rule.permissions)):
            found[target, source, rule.security_class, bit].append(rule)
    return found


def _types(view: PolicyView, names: Iterable[str]) -> int:
    numbers = (view.policy.number_of_type(name) for name in names)
    return sum({1 << number for number in numbers if number >= 0})


def _holding(what: tuple[str, str, str, str], compiled: list[TracedRule], traced: list[TracedRule]) -> Holding:
    functions = {rule: _function(rule) for rule in traced}
    conditions = tuple(sorted({rule.condition for rule in compiled}))
    return Holding(
        *what,
        () if "" in conditions else conditions,
        tuple(sorted({function for function in functions.values() if function})),
        tuple(dict.fromkeys(rule.origin for rule, function in functions.items() if not function)),
    )


def _function(rule: TracedRule) -> str:
    return function_of([macro.name for macro in rule.origin.macros]) if rule.origin else ""
