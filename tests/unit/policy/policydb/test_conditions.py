from __future__ import annotations

import pytest

from polpkg.policy.ir.statements import BooleanOperator as Op
from polpkg.policy.policydb.conditions import evaluate, identity, meaning, normalise

A, B, C = (1, 1), (1, 2), (1, 3)
AND, OR, NOT, XOR, EQ, NEQ = ((int(op), 0) for op in (Op.AND, Op.OR, Op.NOT, Op.XOR, Op.EQ, Op.NEQ))


def test_operands_stay_as_they_are_written():
    assert normalise((B, A, AND)) == ((B, A, AND), False)


def test_a_negated_condition_is_turned_around():
    assert normalise((A, NOT)) == ((A,), True)
    assert normalise((A, NOT, NOT)) == ((A,), False)
    assert normalise((A, NOT, B, AND))[1] is False


def test_conditions_with_one_truth_table_are_one():
    assert identity((A, B, AND, NOT)) == identity((A, NOT, B, NOT, OR))
    assert identity((A, B, XOR)) == identity((A, B, NEQ))
    assert identity((A, B, AND)) != identity((A, B, OR))
    assert identity((A,)) != identity((B,))
    assert identity((A, B, OR)) == identity((B, A, OR))


def test_conditions_are_one_only_when_libsepol_thinks_so_too():
    assert identity((A, B, NOT, AND)) != identity((B, A, NOT, AND)), "for libsepol they are the same"
    assert identity((A, B, NOT, AND)) != identity((B, NOT, A, AND)), "for libsepol they differ"


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


@pytest.mark.parametrize(
    ("one", "other", "is_negation"),
    [
        ((A, B, AND), (B, A, AND), False),
        ((A, B, AND, NOT), (A, NOT, B, NOT, OR), False),
        ((A, B, EQ), (A, B, XOR), True),
        ((A,), (A, B, B, NOT, OR, AND), False),
        ((A, NOT), (A, B, B, NOT, AND, OR), True),
        ((A, A, OR), (A,), False),
    ],
)
def test_all_spellings_have_one_meaning(one, other, is_negation):
    (first, is_first_negated), (second, is_second_negated) = meaning(one), meaning(other)
    assert first == second
    assert (is_first_negated != is_second_negated) == is_negation


def test_different_conditions_have_different_meanings():
    found = [meaning(c)[0] for c in ((A,), (B,), (A, B, AND), (A, B, OR), (A, B, XOR), (A, B, C, AND, AND))]
    assert len(set(found)) == len(found)


def test_very_long_conditions_are_compared_by_their_words():
    many = tuple((1, n) for n in range(1, 14)) + (AND,) * 12
    assert meaning(many) == (normalise(many)[0], False)
