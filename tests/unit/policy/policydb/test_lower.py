from __future__ import annotations

from dataclasses import replace

import pytest

from polpkg.errors import PolicyError
from polpkg.policy.ir.linked import LinkedAvRule, LinkedConditional, LinkedTypeRule, TypeSymbol
from polpkg.policy.ir.statements import AvKind, BooleanOperator, ConstraintConnective, ObjectContextKind, TypeRuleKind
from polpkg.policy.policydb import layout, lower
from polpkg.policy.policydb.ebitmap import EMPTY, decode_bits


def rules_of(table):
    return {entry[:4]: entry[4] for entry in table}


def test_rules_about_the_same_are_merged(samples):
    policy = samples.sample()
    more = (
        LinkedAvRule(AvKind.ALLOW, samples.DOM0, samples.CHILD, samples.DOMAIN, 0b010),
        LinkedAvRule(AvKind.DONTAUDIT, samples.DOMAIN_TYPE, samples.IRQ, samples.RESOURCE, 0b10),
    )
    found = rules_of(lower(replace(policy, rules=(*policy.rules, *more))).rules)
    assert found[samples.DOM0 + 1, samples.CHILD + 1, samples.DOMAIN + 1, layout.AV_ALLOW] == 0b111
    about = (samples.DOMAIN_TYPE + 1, samples.IRQ + 1, samples.RESOURCE + 1, layout.AV_DONTAUDIT)
    assert found[about] == layout.MAX_WORD & ~0b11


def test_the_order_of_everything_is_no_matter(samples):
    policy = samples.sample(mls=True)
    shuffled = replace(
        policy,
        rules=policy.rules[::-1],
        type_rules=policy.type_rules[::-1],
        conditionals=policy.conditionals[::-1],
        constraints=policy.constraints[::-1],
        object_contexts=policy.object_contexts[::-1],
    )
    assert lower(shuffled) == lower(policy)


def test_object_r_is_the_first_role_and_has_no_types(samples):
    first = lower(samples.sample()).roles.entries[0]
    assert (first.name, first.value, first.types, first.dominates) == ("object_r", 1, EMPTY, EMPTY)


def test_types_know_themselves_and_their_attributes(samples):
    rows = lower(samples.sample()).type_attributes
    assert decode_bits(rows[samples.CHILD]) == sorted([samples.CHILD, samples.DOMAIN_TYPE, samples.LONE])
    assert decode_bits(rows[samples.DOMAIN_TYPE]) == [samples.DOMAIN_TYPE]


def test_permissive_types_are_counted_from_one(samples):
    assert decode_bits(lower(samples.sample()).permissive) == [samples.CHILD + 1]


def test_unknown_permissions_are_denied(samples):
    assert lower(samples.sample()).handle_unknown == "deny"


def test_conditions_that_mean_the_same_are_one(samples):
    rule = LinkedAvRule(AvKind.ALLOW, samples.XEN, samples.IRQ, samples.RESOURCE, 1)
    other = rule._replace(permissions=2)
    x, y, both = samples.X, samples.Y, BooleanOperator.AND
    once = LinkedConditional((y, x, both), (rule._replace(permissions=3),), ())
    turned = (
        LinkedConditional((y, x, both), (rule,), ()),
        LinkedConditional((x, y, both, BooleanOperator.NOT), (), (other,)),
    )
    policy = samples.sample()
    assert lower(replace(policy, conditionals=turned)) == lower(replace(policy, conditionals=(once,)))


def test_rules_that_hold_at_boot_are_marked(samples):
    nodes = lower(samples.sample()).conditionals
    (holding,) = [node for node in nodes if node.state]
    assert {entry[3] & layout.AV_ENABLED for entry in holding.then} == {layout.AV_ENABLED}
    assert {entry[3] & layout.AV_ENABLED for entry in holding.otherwise} == {0}


def test_a_condition_without_rules_is_left_out(samples):
    policy = samples.sample()
    empty = LinkedConditional((samples.X,), (), ())
    assert lower(replace(policy, conditionals=(*policy.conditionals, empty))) == lower(policy)


def codes(policy, version):
    with pytest.raises(PolicyError) as caught:
        lower(policy, version)
    return {diagnostic.code for diagnostic in caught.value.diagnostics}


def test_version_24_refuses_what_it_cannot_carry(samples):
    policy = samples.sample()
    assert codes(policy, 24) == {"policydb-24"}
    label = policy.object_contexts[2]
    assert label.kind is ObjectContextKind.IOMEM
    high = replace(policy, object_contexts=(label._replace(high=1 << 33),))
    assert codes(high, 24) == {"policydb-24"}
    assert lower(high, 30).object_contexts[3][0].high == 1 << 33
    transition = policy.role_transitions[0]._replace(security_class=samples.MMU)
    assert codes(replace(samples.sample(version=24), role_transitions=(transition,)), 24) == {"policydb-24"}


def test_impossible_policies_are_refused(samples):
    policy = samples.sample()
    assert codes(policy, 29) == {"policydb-version"}
    assert codes(replace(policy, capabilities=("nonsense",)), 30) == {"unknown-capability"}
    port = policy.object_contexts[1]
    assert codes(replace(policy, object_contexts=(port._replace(high=1 << 32),)), 30) == {"number-too-large"}
    conflict = LinkedTypeRule(TypeRuleKind.TYPE_CHANGE, samples.DOM0, samples.XEN, samples.DOMAIN, samples.CHILD)
    assert codes(replace(policy, type_rules=(*policy.type_rules, conflict)), 30) == {"conflicting-type-rules"}
    constraint = policy.constraints[0]
    term = constraint.expression[0]
    deep = constraint._replace(expression=(term,) * 6 + (ConstraintConnective.AND,) * 5)
    assert codes(replace(policy, constraints=(deep,)), 30) == {"constraint-too-deep"}


def test_too_many_types_are_refused(samples):
    policy = samples.sample()
    types = tuple(TypeSymbol(f"t{n:05}") for n in range(layout.MAX_TYPES + 1))
    assert codes(replace(policy, types=types), 30) == {"too-many-types"}
