"""Rules that another rule makes superfluous."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, TypeAlias

from polpkg.diagnostics import Note
from polpkg.policy.ir.linked import LinkedAvRule
from polpkg.policy.lint.subject import written_at
from polpkg.policy.lint.table import finding

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from polpkg.diagnostics import Diagnostic, Place
    from polpkg.policy.ir.linked import LinkedPolicy
    from polpkg.policy.lint.subject import Subject

_Index: TypeAlias = dict[tuple[int, int], dict[int, list[tuple[int, LinkedAvRule]]]]
"""The rules that hold always, with their positions, by kind and class and then by source."""


def redundant_rules(subject: Subject) -> Iterator[Diagnostic]:
    """Rules of the package's own fragments of which every part is covered by one other rule that holds always."""
    policy, package = subject.policy, subject.module.package
    index: _Index = defaultdict(lambda: defaultdict(list))
    for position, rule in enumerate(policy.rules):
        index[rule.kind, rule.security_class][rule.source].append((position, rule))
    for place, parts in _statements(policy, package).items():
        covers = [_cover(policy, index, position, rule) for position, rule in parts]
        first = covers[0]
        if first is not None and None not in covers:
            note = Note("another rule allows the same", first.place.origin() if first.place else None)
            yield finding("redundant-rule", place, "this rule allows nothing more", "remove it", (note,))


def _statements(policy: LinkedPolicy, package: str) -> dict[Place, list[tuple[int, LinkedAvRule]]]:
    """The rules that each statement became; those under a condition have no position among the others."""
    found: dict[Place, list[tuple[int, LinkedAvRule]]] = defaultdict(list)
    conditional = (rule for c in policy.conditionals for rule in (*c.then, *c.otherwise))
    av_rules = ((-1, rule) for rule in conditional if isinstance(rule, LinkedAvRule))
    everything: Iterable[tuple[int, LinkedAvRule]] = (*enumerate(policy.rules), *av_rules)
    for position, rule in everything:
        if rule.place is not None and written_at(rule.place, package):
            found[rule.place].append((position, rule))
    return found


def _cover(policy: LinkedPolicy, index: _Index, position: int, rule: LinkedAvRule) -> LinkedAvRule | None:
    """A rule that covers `rule`; of two that are the same, only the later one is superfluous."""
    sources, targets = policy.expand(rule.source), policy.expand(rule.target)
    for source, others in index[rule.kind, rule.security_class].items():
        if sources & ~policy.expand(source):
            continue
        for number, other in others:
            if other.place == rule.place or rule.permissions & ~other.permissions:
                continue
            reached = policy.expand(other.target)
            if targets & ~reached:
                continue
            is_equal = (sources, targets, rule.permissions) == (policy.expand(source), reached, other.permissions)
            if not is_equal or position < 0 or number < position:
                return other
    return None
