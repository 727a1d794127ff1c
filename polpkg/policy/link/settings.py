"""What a target says about a linked policy: values of its booleans, and types that are to be permissive for a while.

Both are settings of one target and nothing that a package says, so they come after the link: assertions have been
checked without them, on every rule and every type.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from polpkg.policy.ir.linked import LinkedPolicy


def with_booleans(policy: LinkedPolicy, values: Mapping[str, bool]) -> LinkedPolicy:
    """`policy` with other defaults of booleans; names that it does not have are left alone."""
    booleans = tuple(b._replace(default=values.get(b.name, b.default)) for b in policy.booleans)
    return policy if booleans == policy.booleans else replace(policy, booleans=booleans)


def with_permissive(policy: LinkedPolicy, names: Collection[str]) -> LinkedPolicy:
    """`policy` with more permissive types; names that it does not have, and attributes, are left alone."""
    numbers = {policy.number_of_type(name) for name in names}
    types = tuple(
        t._replace(permissive=True) if n in numbers and not t.is_attribute else t for n, t in enumerate(policy.types)
    )
    return policy if types == policy.types else replace(policy, types=types)


def permissive_types(policy: LinkedPolicy) -> tuple[str, ...]:
    """The types whose denials are logged and allowed, sorted."""
    return tuple(sorted(symbol.name for symbol in policy.types if symbol.permissive))
