from __future__ import annotations

from dataclasses import replace

import pytest

from polpkg.policy.backends.equivalence import RULES, are_equivalent, explain_differences
from polpkg.policy.ir.linked import LinkedAvRule, LinkedConditional, RoleSymbol
from polpkg.policy.ir.statements import AvKind
from polpkg.policy.ir.statements import BooleanOperator as Op
from polpkg.policy.policydb import layout, lower


def explained(left, right):
    return [(found.component, found.rule) for found in explain_differences(lower(left), lower(right))]


def test_a_policy_does_not_differ_from_itself(samples):
    policy = lower(samples.sample(mls=True))
    assert explain_differences(policy, policy) == ()
    assert are_equivalent(policy, policy)


def without_type(policy, gone):
    """The policy without type or attribute `gone`, which nothing may name any more."""

    def shift(number):
        return number - (number > gone)

    def shift_set(value):
        return value & ((1 << gone) - 1) | value >> gone + 1 << gone

    def shift_rules(rules):
        shifted = [rule._replace(source=shift(rule.source), target=shift(rule.target)) for rule in rules]
        return tuple(r._replace(result=shift(r.result)) if hasattr(r, "result") else r for r in shifted)

    def shift_context(context):
        return context._replace(type=shift(context.type))

    def shift_term(term):
        if not getattr(term, "left", "").startswith("t"):
            return term
        return term._replace(names=shift_set(term.names), written=tuple(map(shift, term.written)))

    return replace(
        policy,
        types=tuple(
            symbol._replace(members=shift_set(symbol.members), bounds=shift(symbol.bounds))
            for number, symbol in enumerate(policy.types)
            if number != gone
        ),
        roles=tuple(role._replace(types=shift_set(role.types)) for role in policy.roles),
        rules=shift_rules(policy.rules),
        type_rules=shift_rules(policy.type_rules),
        conditionals=tuple(
            c._replace(then=shift_rules(c.then), otherwise=shift_rules(c.otherwise)) for c in policy.conditionals
        ),
        constraints=tuple(c._replace(expression=tuple(map(shift_term, c.expression))) for c in policy.constraints),
        initial_sids=tuple(map(shift_context, policy.initial_sids)),
        object_contexts=tuple(item._replace(context=shift_context(item.context)) for item in policy.object_contexts),
        role_transitions=tuple(rule._replace(type=shift(rule.type)) for rule in policy.role_transitions),
    )


def test_an_attribute_that_nothing_uses_may_go(samples):
    policy = samples.sample()
    assert explained(policy, without_type(policy, samples.EMPTY)) == [("attribute", "unused-attribute")]


def test_an_attribute_may_be_expanded(samples):
    policy = samples.sample()
    expanded = replace(
        policy,
        rules=tuple(
            rule._replace(target=samples.CHILD if rule.target == samples.LONE else rule.target) for rule in policy.rules
        ),
        conditionals=tuple(
            c._replace(
                then=tuple(r._replace(source=samples.CHILD if r.source == samples.LONE else r.source) for r in c.then)
            )
            for c in policy.conditionals
        ),
    )
    assert explained(policy, without_type(expanded, samples.LONE)) == [("attribute", "expanded-attribute")]
    assert are_equivalent(lower(policy), lower(without_type(expanded, samples.LONE)))


def test_a_grant_more_is_a_difference(samples):
    policy = samples.sample()
    more = LinkedAvRule(AvKind.ALLOW, samples.CHILD, samples.XEN, samples.MMU, 0b10)
    (found,) = explain_differences(lower(policy), lower(replace(policy, rules=(*policy.rules, more))))
    assert found.rule == ""
    assert found.text == "only on the right: allow child_t xen_t:mmu map_write"


def test_a_redundant_conditional_may_go(samples):
    policy = samples.sample()
    always = policy.rules[0]
    more = LinkedConditional((samples.X,), (always,), ())
    longer = replace(policy, conditionals=(*policy.conditionals, more))
    assert {rule for _, rule in explained(longer, policy)} == {"redundant-conditional"}
    other = LinkedConditional((samples.X,), (always._replace(permissions=0b010),), ())
    assert explained(replace(policy, conditionals=(*policy.conditionals, other)), policy) == [("rule", "")]


def test_conditions_are_compared_by_what_they_mean(samples):
    policy = samples.sample()
    rule = policy.rules[0]._replace(permissions=0b010)
    first, second = 0, 1
    one = LinkedConditional((first, second, Op.AND, Op.NOT), (rule,), ())
    other = LinkedConditional((first, Op.NOT, second, Op.NOT, Op.OR), (rule,), ())
    opposite = LinkedConditional((first, second, Op.AND), (rule,), ())

    def with_condition(conditional):
        return replace(policy, conditionals=(*policy.conditionals, conditional))

    assert explained(with_condition(one), with_condition(other)) == [("rule", "condition-spelling")]
    assert ("rule", "") in explained(with_condition(one), with_condition(opposite))


def test_a_role_without_types_may_go(samples):
    policy = samples.sample()
    more = replace(policy, roles=(*policy.roles, RoleSymbol("z_r", 0)))
    assert explained(more, policy) == [("role", "unused-role")]


def test_constraints_may_name_the_types_of_an_attribute(samples):
    policy = samples.sample()
    first, *rest = policy.constraints
    spelt = [
        term._replace(written=(samples.CHILD, samples.DOM0, samples.XEN)) if getattr(term, "written", ()) else term
        for term in first.expression
    ]
    changed = replace(policy, constraints=(first._replace(expression=tuple(spelt)), *rest))
    assert explained(policy, changed) == [("constraint", "constraint-names")]


@pytest.mark.parametrize(
    ("component", "change"),
    [
        ("boolean", lambda p: {"booleans": (p.booleans[0]._replace(default=True), *p.booleans[1:])}),
        ("user", lambda p: {"users": (p.users[0]._replace(roles=0b110), *p.users[1:])}),
        ("role", lambda p: {"roles": (p.roles[0], p.roles[1]._replace(types=0b11), p.roles[2])}),
        ("type", lambda p: {"types": (p.types[0]._replace(permissive=False), *p.types[1:])}),
        ("constraint", lambda p: {"constraints": p.constraints[1:]}),
        ("device", lambda p: {"object_contexts": p.object_contexts[1:]}),
        ("initial SID", lambda p: {"initial_sids": p.initial_sids[::-1]}),
        ("role rule", lambda p: {"role_allows": ()}),
        ("capability", lambda p: {"capabilities": ()}),
        ("rule", lambda p: {"type_rules": p.type_rules[1:]}),
    ],
)
def test_every_component_is_compared(samples, component, change):
    policy = samples.sample()
    found = explained(policy, replace(policy, **change(policy)))
    assert {name for name, _ in found} == {component}
    assert {rule for _, rule in found} == {""}


def test_the_header_is_compared(samples):
    policy = lower(samples.sample())
    permissive = replace(policy, config=layout.CONFIG_ALLOW_UNKNOWN)
    (found,) = explain_differences(policy, permissive)
    assert (found.component, found.text) == ("unknown permissions", "deny on the left, allow on the right")


def test_every_rule_says_what_it_permits():
    assert all(text and name == name.lower() for name, text in RULES.items())
