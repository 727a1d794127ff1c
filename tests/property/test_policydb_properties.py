"""Any policy survives being compiled, read and written; any damage to a file is a PolicyError and nothing else."""

from __future__ import annotations

import random
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from polpkg.errors import PolicyError
from polpkg.policy.abi import Abi, SecurityClass
from polpkg.policy.backends.equivalence import explain_differences
from polpkg.policy.ir.linked import (
    BooleanSymbol,
    LinkedAvRule,
    LinkedConditional,
    LinkedConstraint,
    LinkedContext,
    LinkedObjectContext,
    LinkedPolicy,
    LinkedTerm,
    LinkedTypeRule,
    RoleSymbol,
    TypeSymbol,
    UserSymbol,
)
from polpkg.policy.ir.statements import (
    AvKind,
    BooleanOperator,
    ConstraintConnective,
    ConstraintOperator,
    ObjectContextKind,
    TypeRuleKind,
)
from polpkg.policy.policydb import canonical, lift, lower, read_policydb, write_policydb

ABI = Abi((SecurityClass("domain", ("create", "pause")), SecurityClass("mmu", ("map_read",))), ("sid1", "sid2"))
AV_KINDS = (AvKind.ALLOW, AvKind.AUDITALLOW, AvKind.DONTAUDIT)


@st.composite
def policies(draw):
    types = draw(st.integers(1, 8))
    attributes = draw(st.integers(0, 4))
    symbols = [TypeSymbol(f"m{n}_t", permissive=draw(st.booleans())) for n in range(types)]
    for n in range(attributes):
        members = draw(st.integers(0, (1 << types) - 1)) << attributes
        symbols.insert(n, TypeSymbol(f"a{n}", is_attribute=True, members=members))
    any_type = st.integers(0, types + attributes - 1)
    real_type = st.integers(attributes, types + attributes - 1)
    av_rule = st.builds(
        lambda kind, source, target: LinkedAvRule(kind, source, target, 0, 1 + (source + target) % 3),
        st.sampled_from(AV_KINDS),
        any_type,
        any_type,
    )
    type_rule = st.builds(
        lambda source, target: LinkedTypeRule(TypeRuleKind.TYPE_TRANSITION, source, target, 0, target),
        real_type,
        real_type,
    )
    condition = st.recursive(
        st.sampled_from([(0,), (1,), (2,)]),
        lambda inner: st.one_of(
            inner.map(lambda e: (*e, BooleanOperator.NOT)),
            st.builds(
                lambda a, b, op: (*a, *b, op),
                inner,
                inner,
                st.sampled_from([o for o in BooleanOperator if o.value > 2]),
            ),
        ),
        max_leaves=4,
    )
    rules = st.lists(av_rule, max_size=4).map(tuple)
    context = st.builds(lambda role, type_: LinkedContext(0, role, type_), st.sampled_from([0, 1]), real_type)
    users = LinkedTerm("u1", ConstraintOperator.EQ, "u2")
    named = st.sets(real_type).map(
        lambda s: LinkedTerm("t2", ConstraintOperator.EQ, "", sum(1 << n for n in s), tuple(sorted(s)))
    )
    constraint = named.map(
        lambda term: LinkedConstraint(
            "constrain", 0, 1, (users, term, ConstraintConnective.NOT, ConstraintConnective.OR)
        )
    )
    return LinkedPolicy(
        abi=ABI,
        types=tuple(symbols),
        roles=(RoleSymbol("object_r", 0), RoleSymbol("system_r", draw(st.integers(0, (1 << types) - 1)) << attributes)),
        users=(UserSymbol("system_u", 0b10),),
        booleans=tuple(BooleanSymbol(f"b{n}", draw(st.booleans())) for n in range(3)),
        rules=draw(rules),
        type_rules=tuple(draw(st.lists(type_rule, max_size=3))),
        conditionals=tuple(
            draw(
                st.lists(st.builds(lambda *parts: LinkedConditional(*parts, None), condition, rules, rules), max_size=3)
            ),
        ),
        neverallows=(),
        constraints=tuple(draw(st.lists(constraint, max_size=2))),
        initial_sids=(draw(context), draw(st.none() | context)),
        object_contexts=tuple(
            LinkedObjectContext(ObjectContextKind.PIRQ, n, n, "", draw(context))
            for n in draw(st.sets(st.integers(0, 1 << 20), max_size=3))
        ),
    )


@given(policies(), st.sampled_from([24, 30]))
def test_writing_and_reading_are_inverse(policy, version):
    compiled = lower(policy, version)
    assert read_policydb(write_policydb(compiled)) == compiled


@given(policies(), st.sampled_from([24, 30]))
def test_the_canonical_form_is_canonical(policy, version):
    compiled = lower(policy, version)
    assert canonical(compiled) == compiled
    assert lift(canonical(compiled)) == lift(compiled)
    assert explain_differences(compiled, lower(lift(compiled), version)) == ()


@given(policies(), policies())
def test_different_policies_are_told_apart(one, other):
    a, b = lower(one), lower(other)
    assert bool(explain_differences(a, b)) == (a != b)


@given(policies(), st.data())
@settings(max_examples=300, deadline=None)
def test_damage_is_a_policy_error_or_a_policy(policy, data):
    original = write_policydb(lower(policy))
    damaged = bytearray(original)
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(damaged) - 1))
        damaged[at] = data.draw(st.sampled_from([0, 1, 0x7F, 0x80, 0xFF]) | st.integers(0, 255))
    if data.draw(st.booleans()):
        del damaged[data.draw(st.integers(0, len(damaged))) :]
    found = ""
    try:
        read = read_policydb(bytes(damaged))
        lift(read)
        canonical(read)
    except PolicyError as error:
        found = error.code
    assert found.split("-")[0] in {"", "policydb", "constraint", "conflicting"}


@pytest.mark.parametrize("seed", range(40))
def test_damaged_words_take_no_time(seed):
    """Counts and sizes turned into other numbers: read in a moment, whatever they announce."""
    rule = LinkedAvRule(AvKind.ALLOW, 0, 1, 0, 3)
    context = LinkedContext(0, 1, 0)
    types = tuple(TypeSymbol(f"t{n:03}") for n in range(200))
    policy = LinkedPolicy(
        ABI,
        types,
        (RoleSymbol("object_r", 0), RoleSymbol("system_r", 3)),
        (UserSymbol("system_u", 2),),
        (),
        tuple(rule._replace(source=n, target=m) for n in range(40) for m in range(40)),
        (),
        (),
        (),
        (),
        (context, context),
        (),
    )
    original = write_policydb(lower(policy))
    generator = random.Random(seed)
    started = time.process_time()
    for _ in range(20):
        damaged = bytearray(original)
        at = generator.randrange(len(damaged) - 4)
        damaged[at : at + 4] = generator.choice(
            [b"\xff\xff\xff\xff", b"\xff\xff\xff\x7f", b"\0\0\x10\0", b"\xc0\xff\x0f\0"]
        )
        try:
            lift(read_policydb(bytes(damaged)))
        except PolicyError:
            continue
    assert time.process_time() - started < 5
