"""What Xen would answer: rules, booleans, bounds, constraints, transitions."""

from dataclasses import replace
from functools import cache

import pytest
from bundled_policies import link_bundled

from polpkg.policy.analysis.access import AccessDecider, Subject
from polpkg.policy.analysis.contexts import ContextProblem, read_context

RULES = """
declare_domain(intruder_a_t)
declare_domain(intruder_b_t)
declare_domain(intruder_c_t)
bool intruder_on true;
bool intruder_off false;
allow intruder_a_t intruder_b_t:domain { create pause unpause };
if (intruder_on && !intruder_off) {
	allow intruder_a_t intruder_b_t:domain destroy;
} else {
	allow intruder_a_t intruder_b_t:domain shutdown;
}
if (intruder_on == intruder_off) {
	allow intruder_a_t intruder_b_t:domain trigger;
}
constrain domain pause (t1 == intruder_c_t or t2 == intruder_c_t);
constrain domain unpause (u1 == u2 and r1 == r2);
allow intruder_b_t intruder_c_t:domain { create transition };
role system_r types intruder_c_t;
allow intruder_c_t intruder_b_t:domain { create getdomaininfo };
allow intruder_a_t domain_type:argo send;
"""


@cache
def decider():
    """Answers for a policy with these rules; c is bounded by a although it has more, which no linker lets through."""
    policy = link_bundled("4.17.7", rules=RULES, requires=("xen-base",))
    types = list(policy.types)
    bounded = policy.number_of_type("intruder_c_t")
    types[bounded] = types[bounded]._replace(bounds=policy.number_of_type("intruder_a_t"))
    return AccessDecider(replace(policy, types=tuple(types)))


def subject(name):
    """The context of a type."""
    found = read_context(decider().policy, f"system_u:system_r:{name}")
    assert isinstance(found, Subject)
    return found


def number(name):
    """The number of a type."""
    return decider().policy.number_of_type(name)


def allowed(source, target, security_class="domain"):
    """What one type may do to another."""
    return decider().allowed(subject(source), subject(target), security_class)


def test_rules_booleans_and_constraints():
    assert allowed("intruder_a_t", "intruder_b_t") == {"create", "unpause", "destroy"}


def test_rules_on_attributes_count():
    assert allowed("intruder_a_t", "intruder_b_t", "argo") == {"send"}


def test_bounds_take_away_what_the_parent_lacks():
    assert allowed("intruder_c_t", "intruder_b_t") == {"create"}


def test_a_change_of_role_needs_a_rule():
    other = subject("intruder_c_t")._replace(role=0)
    assert "transition" in allowed("intruder_b_t", "intruder_c_t")
    assert decider().allowed(subject("intruder_b_t"), other, "domain") == {"create"}


def test_holders_and_objects_are_inverse():
    holders = decider().holders(number("intruder_b_t"), "domain", "create")
    assert set(holders) == {number("intruder_a_t"), number("intruder_c_t")}
    for holder in holders:
        assert number("intruder_b_t") in decider().objects(holder, "domain", "create")


def test_what_is_made_has_the_label_of_a_rule_or_the_default():
    found = decider().transition
    assert found(number("intruder_a_t"), number("dom0_t"), "event") == number("intruder_a_t_channel")
    assert found(number("intruder_a_t"), number("intruder_a_t"), "domain") == number("intruder_a_t_self")
    assert found(number("intruder_a_t"), number("dom0_t"), "domain") == number("intruder_a_t")
    assert found(number("xen_t"), number("dom0_t"), "event") == number("dom0_t")


def test_what_may_turn_into_what():
    assert decider().turning_into() == {number("intruder_c_t"): number("intruder_b_t")}


@pytest.mark.parametrize(
    "text", ["", ":", "a:b", "system_u:system_r:", "system_u:system_r:nothing_t", "x:system_r:domU_t"]
)
def test_what_is_no_context(text):
    assert isinstance(read_context(decider().policy, text), ContextProblem)
