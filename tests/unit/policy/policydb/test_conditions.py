from __future__ import annotations

import pytest

from polpkg.policy.ir.statements import BooleanOperator as Op
from polpkg.policy.policydb.conditions import evaluate, identity, normalise

A, B, C = (1, 1), (1, 2), (1, 3)
AND, OR, NOT, XOR, EQ, NEQ = ((int(op), 0) for op in (Op.AND, Op.OR, Op.NOT, Op.XOR, Op.EQ, Op.NEQ))


def test_operands_are_put_in_order():
    assert normalise((B, A, AND)) == ((A, B, AND), False)
    assert normalise((B, C, OR, A, AND)) == normalise((A, C, B, OR, AND))


def test_a_negated_condition_is_turned_around():
    assert normalise((A, NOT)) == ((A,), True)
    assert normalise((A, NOT, NOT)) == ((A,), False)
    assert normalise((A, NOT, B, AND))[1] is False


def test_conditions_with_one_truth_table_are_one():
    assert identity((A, B, AND, NOT)) == identity((A, NOT, B, NOT, OR))
    assert identity((A, B, XOR)) == identity((A, B, NEQ))
    assert identity((A, B, AND)) != identity((A, B, OR))
    assert identity((A,)) != identity((B,))


def test_beyond_five_booleans_only_the_same_words_are_the_same():
    many = tuple((1, n) for n in range(1, 7)) + (AND,) * 5
    assert identity(many) == many


@pytest.mark.parametrize(
    ("operator", "results"), [(AND, "0001"), (OR, "0111"), (XOR, "0110"), (EQ, "1001"), (NEQ, "0110")]
)
def test_operators(operator, results):
    worlds = [(False, False), (False, True), (True, False), (True, True)]
    found = "".join(str(int(evaluate((A, B, operator), {1: a, 2: b}))) for a, b in worlds)
    assert found == results
