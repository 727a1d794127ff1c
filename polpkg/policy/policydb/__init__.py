"""The compiled form of a policy, as Xen loads it.

`reader` and `writer` go between bytes and `PolicyDb`, a mirror of the file; `lift` and `lower` between that and the
linked policy.  Nothing here runs a tool, opens a file or asks the machine: equal policies give equal bytes everywhere.
"""

from __future__ import annotations

from polpkg.policy.policydb.canonical import canonical
from polpkg.policy.policydb.lift import lift
from polpkg.policy.policydb.lower import lower
from polpkg.policy.policydb.model import PolicyDb
from polpkg.policy.policydb.reader import read_policydb
from polpkg.policy.policydb.writer import write_policydb

__all__ = ["PolicyDb", "canonical", "lift", "lower", "read_policydb", "write_policydb"]
