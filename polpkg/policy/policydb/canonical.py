"""The canonical form of a compiled policy: one file for one meaning, whoever compiled it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from polpkg.policy.policydb.lift import lift
from polpkg.policy.policydb.lower import lower

if TYPE_CHECKING:
    from polpkg.policy.policydb.model import PolicyDb


def canonical(policy: PolicyDb) -> PolicyDb:
    """What the builtin compiler makes of the meaning of `policy`, in the same version.

    Symbols are numbered by name, records sorted, rules and conditions that are the same merged.  Raises PolicyError as
    `lift` and `lower` do.
    """
    return lower(lift(policy), policy.version)
