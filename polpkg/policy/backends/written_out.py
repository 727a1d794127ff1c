"""Attributes that rules were written out for, so that only constraints still know who has them.

`expandattribute A true` leaves of A its name in a policydb, and in a constraint about A both the name and the types
(`type_names` and `names` of libsepol's `constraint_expr`).  Its sources have to say who has A, or the name is lost.
secilc forgets the name when it is told to expand A, so that in CIL A is an attribute like others.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from polpkg.policy.ir.linked import LinkedPolicy, LinkedTerm

if TYPE_CHECKING:
    from collections.abc import Iterator


def with_members(policy: LinkedPolicy) -> tuple[LinkedPolicy, frozenset[int]]:
    """`policy` with the members of attributes that were written out, and the numbers of these attributes.

    An attribute that a rule names, or about which two constraints differ, stays as it is.
    """
    found: dict[int, int] = {}
    for attribute, members in _named_in_constraints(policy):
        if found.setdefault(attribute, members) != members:
            found[attribute] = 0
    if not found:
        return policy, frozenset()
    rules = [*policy.rules, *(rule for c in policy.conditionals for rule in (*c.then, *c.otherwise))]
    named = {number for rule in rules for number in (rule.source, rule.target)}
    chosen = {number: members for number, members in found.items() if members and number not in named}
    types = tuple(s._replace(members=chosen.get(n, s.members)) for n, s in enumerate(policy.types))
    return replace(policy, types=types), frozenset(chosen)


def _named_in_constraints(policy: LinkedPolicy) -> Iterator[tuple[int, int]]:
    """Attributes without members that constraints name, and the types that are compared with there."""
    for constraint in policy.constraints:
        for term in constraint.expression:
            if not isinstance(term, LinkedTerm) or term.left[0] != "t" or term.right:
                continue
            rest, bare = term.names, list[int]()
            for number in term.written:
                rest &= ~policy.expand(number)
                if policy.types[number].is_attribute and not policy.types[number].members:
                    bare.append(number)
            if len(bare) == 1 and rest:
                yield bare[0], rest
