"""What follows from all versions that are left of a package."""

from __future__ import annotations

import pytest

from polpkg.packages.resolver.solver.cause import Derived, Required
from polpkg.packages.resolver.solver.incompatibility import incompatibility, resolvent
from polpkg.packages.resolver.solver.support import Supports
from polpkg.packages.resolver.solver.term import Term


def requires(versions, allowed, package="a", dependency="b"):
    cause = Required(package, dependency, "")
    return incompatibility((Term(package, versions), Term(dependency, ~allowed)), cause)


FACTS = (requires(0b001, 0b0011), requires(0b010, 0b0110), requires(0b100, 0b1000))


@pytest.fixture
def supports():
    found = Supports()
    for fact in FACTS:
        found.add(fact)
    return found


@pytest.mark.parametrize(("known", "allowed"), [(0b011, 0b0111), (0b110, 0b1110), (0b101, 0b1011), (0b111, 0b1111)])
def test_all_versions_left_allow_no_more_than_their_union(supports, known, allowed):
    assert list(supports.excluded("a", known)) == [Term("b", ~allowed)]


@pytest.mark.parametrize("known", [0b1, 0b10, -1, ~0b1, 0b1001])
def test_nothing_follows_from_one_version_nor_from_those_that_require_nothing(supports, known):
    assert not supports.excluded("a", known)
    assert not supports.excluded("b", known)


def test_what_a_single_incompatibility_says_is_not_said_again():
    supports = Supports()
    supports.add(requires(0b011, 0b0001))
    assert not supports.excluded("a", 0b011)


def test_the_explanation_follows_from_its_premises(supports):
    (term,) = supports.excluded("a", 0b011)
    explained = supports.explain("a", term)
    assert isinstance(explained.cause, Derived)
    step = explained.cause.premises[0]
    for premise, pivot in zip(explained.cause.premises[1:], explained.cause.pivots, strict=True):
        step = resolvent(step, premise, pivot)
    assert step.terms == explained.terms == (Term("a", 0b011), term)


def test_the_explanation_speaks_of_all_versions_it_is_true_for(supports):
    supports.add(requires(0b1000, 0b0010))
    (term,) = supports.excluded("a", 0b011)
    assert supports.explain("a", term).terms[0] == Term("a", 0b1011)


def test_what_is_added_later_counts(supports):
    assert supports.excluded("a", 0b11)
    more = [requires(0b0100, 0b1000), requires(0b1000, 0b0001)]
    for one in more:
        supports.add(one)
    assert list(supports.excluded("a", 0b1001)) == [Term("b", ~0b0011)]


def test_conflicts_count_as_well():
    supports = Supports()
    for version, excluded in ((0b01, 0b011), (0b10, 0b110)):
        supports.add(incompatibility((Term("a", version), Term("b", excluded)), Required("a", "b", "")))
    assert list(supports.excluded("a", 0b11)) == [Term("b", 0b010)]
