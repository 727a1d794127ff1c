from __future__ import annotations

from dataclasses import replace

import pytest

from polpkg.diagnostics import Frame, Place, Source
from polpkg.errors import PolicyError
from polpkg.policy.backends.cil import emit_cil
from polpkg.policy.backends.conf import emit_conf
from polpkg.policy.ir.linked import TypeSymbol
from polpkg.policy.policydb import lift, lower


@pytest.mark.parametrize("emit", [emit_conf, emit_cil])
def test_a_lifted_policy_is_written_as_the_linked_one(samples, emit):
    policy = replace(samples.sample(mls=True), neverallows=())
    lifted = lift(lower(policy))
    ordered = replace(policy, constraints=lifted.constraints, conditionals=lifted.conditionals)
    assert emit(lifted) == emit(ordered)


@pytest.mark.parametrize("emit", [emit_conf, emit_cil])
def test_the_order_of_rules_is_no_matter(samples, emit):
    policy = samples.sample()
    assert emit(replace(policy, rules=policy.rules[::-1], type_rules=policy.type_rules[::-1])) == emit(policy)


@pytest.mark.parametrize("emit", [emit_conf, emit_cil])
def test_assertions_can_be_left_out(samples, emit):
    assert "neverallow" in emit(samples.sample())
    assert "neverallow" not in emit(samples.sample(), neverallows=False)


@pytest.mark.parametrize(("emit", "mark"), [(emit_conf, "#"), (emit_cil, ";")])
def test_origins_stand_above_their_rules(samples, emit, mark):
    place = Place(Frame(Source("policy/a.te", "allow ...", "vmv", "1.0")), 7, 1)
    policy = samples.sample()
    placed = replace(policy, rules=(policy.rules[0]._replace(place=place), *policy.rules[1:]))
    lines = emit(placed, origins=True).splitlines()
    at = lines.index(f"{mark} vmv 1.0: policy/a.te:7:1")
    assert lines[at + 1].lstrip("(").startswith("allow dom0_t child_t")
    assert emit(placed) == emit(policy)


def test_assertions_are_written_the_short_way(samples):
    policy = samples.sample()
    rule = policy.neverallows[0]
    every = sum(1 << n for n, symbol in enumerate(policy.types) if not symbol.is_attribute)
    for sources, text in (
        (every, "neverallow * irq_t"),
        (every & ~(1 << samples.XEN), "neverallow ~xen_t irq_t"),
        (policy.types[samples.DOMAIN_TYPE].members, "neverallow domain_type irq_t"),
        (1 << samples.XEN, "neverallow xen_t irq_t"),
    ):
        assert text in emit_conf(replace(policy, neverallows=(rule._replace(sources=sources),)))


def test_no_line_of_conf_is_too_long_for_checkpolicy(samples):
    policy = samples.sample()
    more = tuple(TypeSymbol(f"z{n:04}_with_a_long_name_t") for n in range(2000))
    role = policy.roles[2]._replace(types=(1 << (len(policy.types) + 2000)) - (1 << len(policy.types)))
    big = replace(policy, types=(*policy.types, *more), roles=(*policy.roles[:2], role))
    assert max(map(len, emit_conf(big).splitlines())) < 8191


def inexpressible(emit, policy):
    with pytest.raises(PolicyError) as caught:
        emit(policy)
    return caught.value.code


def test_what_a_language_has_no_words_for_is_refused(samples):
    mls = samples.sample(mls=True)
    assert inexpressible(emit_conf, replace(mls, constraints=mls.constraints[:3])) == "conf-inexpressible"
    assert inexpressible(emit_conf, replace(samples.sample(), constraints=mls.constraints)) == "conf-inexpressible"
    users = (mls.users[0]._replace(name="a.b"), *mls.users[1:])
    assert inexpressible(emit_cil, replace(mls, users=users)) == "cil-inexpressible"
