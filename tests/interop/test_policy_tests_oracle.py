"""Verdicts of policy tests against `sesearch`, which reads the compiled policy and knows nothing of polpkg."""

from __future__ import annotations

import itertools
import random
import shutil
import subprocess

import pytest
from bundled_policies import TENANTS, link_bundled

from polpkg.policy.analysis.access_sets import AccessSet, find_missing, rules_about
from polpkg.policy.analysis.rules_in_force import rules_in_force
from polpkg.policy.backends.backend import CompileOptions
from polpkg.policy.backends.builtin import BuiltinBackend

pytestmark = [
    pytest.mark.interop,
    pytest.mark.skipif(shutil.which("sesearch") is None, reason="sesearch is not there"),
]
SWITCHES = {"domU_debug": True, "domU_introspection": False, "guest_writeconsole": False, "show_event_channels": True}


@pytest.fixture(scope="module")
def policy():
    return link_bundled("4.22", "vmv", "netdom", instances=TENANTS)


@pytest.fixture(scope="module")
def granted(policy, tmp_path_factory):
    """(source, target, class, permission) to the conditions under which sesearch finds it, "" for always."""
    file = tmp_path_factory.mktemp("policy") / "policy"
    file.write_bytes(BuiltinBackend().compile(policy, CompileOptions(version=30)))
    found = {}
    done = subprocess.run(["sesearch", "-A", file], capture_output=True, text=True, check=True, timeout=120)
    symbols = {s.name: s for s in policy.types}
    names = [s.name for s in policy.types]

    def members(name):
        symbol = symbols[name]
        return [n for i, n in enumerate(names) if symbol.members >> i & 1] if symbol.is_attribute else [name]

    for line in done.stdout.splitlines():
        text, _, condition = line.partition(";")
        source, rest = text.removeprefix("allow ").split(" ", 1)
        (target, security_class), permissions = rest.split(" ", 1)[0].split(":"), rest.split(" ", 1)[1]
        for one, other, permission in itertools.product(
            members(source), members(target), permissions.strip("{} ").split()
        ):
            found.setdefault((one, other, security_class, permission), set()).add(condition.strip())
    return found


def _holds(condition, values):
    """`[ a ]:True`: the rule is in the branch for true."""
    if not condition:
        return True
    name, branch = condition.removeprefix("[").split("]:")
    return values[name.strip()] is (branch == "True")


@pytest.mark.parametrize("values", [None, SWITCHES])
def test_verdicts_are_those_of_sesearch(policy, granted, values):
    defaults = {b.name: b.default for b in policy.booleans}
    rules = rules_in_force(policy, values or {}, possible=False)
    chance = random.Random(3)
    names = [s.name for s in policy.types if not s.is_attribute]
    everything = [
        (s, t, c.name, p)
        for s, t in itertools.product(names, names)
        for c in policy.abi.all_classes
        for p in chance.sample(c.permissions, 2)
    ]
    asked = chance.sample(everything, 3000) + chance.sample(sorted(granted), 500)
    asked += [key for key, conditions in granted.items() if "" not in conditions]
    allowed = 0
    for source, target, security_class, permission in asked:
        access = AccessSet(
            1 << policy.number_of_type(source),
            1 << policy.number_of_type(target),
            policy.abi.class_id(security_class) - 1,
            1 << policy.abi.permission_bit(security_class, permission),
        )
        conditions = granted.get((source, target, security_class, permission), set())
        expected = any(_holds(condition, defaults | (values or {})) for condition in conditions)
        missing = find_missing(policy, rules, access)
        assert (not missing) is expected, (source, target, security_class, permission, conditions)
        assert bool(list(rules_about(policy, rules, access))) is expected
        allowed += expected
    assert 400 <= allowed < len(asked)


def test_what_is_denied_is_denied_whatever_the_booleans(policy, granted):
    rules = rules_in_force(policy, {}, possible=True)
    conditional = [key for key, conditions in granted.items() if "" not in conditions]
    assert conditional
    for source, target, security_class, permission in conditional:
        access = AccessSet(
            1 << policy.number_of_type(source),
            1 << policy.number_of_type(target),
            policy.abi.class_id(security_class) - 1,
            1 << policy.abi.permission_bit(security_class, permission),
        )
        assert list(rules_about(policy, rules, access))


def test_sets_of_types_are_judged_type_by_type(policy, granted):
    """The missing ones of an access between sets are exactly those pairs that sesearch does not find."""
    rules = rules_in_force(policy, {}, possible=False)
    sources = ["dom0_t", "domU_t", "vmv_tenant_a_t"]
    targets = ["domU_t", "vmv_tenant_a_web_t", "netdom_t", "domU_t_self"]
    mask = (1 << len(policy.abi.permissions("domain"))) - 1
    access = AccessSet(
        sum(1 << policy.number_of_type(n) for n in sources),
        sum(1 << policy.number_of_type(n) for n in targets),
        policy.abi.class_id("domain") - 1,
        mask,
    )
    found = {
        (policy.types[m.source].name, policy.types[m.target].name, permission)
        for m in find_missing(policy, rules, access)
        for bit, permission in enumerate(policy.abi.permissions("domain"))
        if m.permissions >> bit & 1
    }
    expected = {
        (s, t, p)
        for s, t, p in itertools.product(sources, targets, policy.abi.permissions("domain"))
        if "" not in granted.get((s, t, "domain", p), set())
    }
    assert found == expected
