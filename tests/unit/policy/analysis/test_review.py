from __future__ import annotations

import pytest

from polpkg.policy.abi import known_tables
from polpkg.policy.analysis.diff import RuleChange
from polpkg.policy.analysis.review import GRAVITY, gravest_function
from polpkg.policy.powers import read_powers


def gravest(target, security_class, *permissions):
    return gravest_function(RuleChange("allow", "a_t", target, security_class, permissions, ""))


@pytest.mark.parametrize(
    ("target", "access", "function"),
    [
        ("security_t", ("security", "load_policy", "check_context"), "policy-admin"),
        ("b_t", ("domain", "getdomaininfo"), "console"),
        ("b_t", ("domain", "getdomaininfo", "create"), "domain-builder"),
        ("b_t", ("domain", "setdebugging"), "debug"),
        ("b_t", ("grant", "copy"), "net-backend"),
        ("a_t", ("mmu", "map_write"), "ordinary"),
        ("a_t_self", ("mmu", "map_write"), "ordinary"),
        ("xen_t", ("version", "xen_pagesize"), "ordinary"),
    ],
)
def test_gravity(target, access, function):
    assert gravest(target, *access) == function


def test_every_function_and_every_permission_has_its_gravity():
    assert {f for row in read_powers() for f in row.functions} == set(GRAVITY)
    for abi in known_tables():
        for name, permissions in abi.classes:
            assert {gravest("b_t", name, permission) for permission in permissions} <= set(GRAVITY)
