"""Whether types may do something to other types: what the rules in force leave out, and which of them grant it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from polpkg.policy.ir.linked import bits

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from polpkg.policy.analysis.view import TracedRule
    from polpkg.policy.ir.linked import LinkedPolicy


class AccessSet(NamedTuple):
    """Accesses: `permissions` of one class, of each type in `sources` to each in `targets`, bit sets all three.

    With `of_itself` each source is its own only target.  `refused`: those that constraints refuse, whatever rules say.
    """

    sources: int
    targets: int
    security_class: int
    permissions: int
    of_itself: bool = False
    refused: int = 0

    def targets_of(self, source: int) -> int:
        """The targets for one of the sources, as a bit set."""
        return 1 << source if self.of_itself else self.targets


def rules_about(policy: LinkedPolicy, rules: Sequence[TracedRule], wanted: AccessSet) -> Iterator[TracedRule]:
    """The rules that grant some of the accesses."""
    permissions = wanted.permissions & ~wanted.refused
    for rule in rules:
        if rule.security_class == wanted.security_class and rule.permissions & permissions:
            sources, targets = policy.expand(rule.source) & wanted.sources, policy.expand(rule.target)
            if (sources & targets) if wanted.of_itself else (sources and targets & wanted.targets):
                yield rule


class Missing(NamedTuple):
    """What one source is not allowed: `permissions` on the type `target`."""

    source: int
    target: int
    permissions: int


def find_missing(policy: LinkedPolicy, rules: Sequence[TracedRule], wanted: AccessSet) -> tuple[Missing, ...]:
    """The accesses that no rule grants, by source and target.

    Bounds need no look: the linker refuses a type with a permission that its bounds lack.
    """
    found: list[Missing] = []
    granting = tuple(rules_about(policy, rules, wanted))
    for source in bits(wanted.sources):
        own = [rule for rule in granting if policy.expand(rule.source) >> source & 1]
        lacking: dict[int, int] = {}
        for permission in bits(wanted.permissions):
            covered = 0
            for rule in own:
                if (rule.permissions & ~wanted.refused) >> permission & 1:
                    covered |= policy.expand(rule.target)
            for target in bits(wanted.targets_of(source) & ~covered):
                lacking[target] = lacking.get(target, 0) | 1 << permission
        found.extend(Missing(source, target, lacking[target]) for target in sorted(lacking))
    return tuple(found)
