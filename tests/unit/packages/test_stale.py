"""Why a lock is no answer to what is asked for."""

from __future__ import annotations

import pytest

from polpkg.packages.lock import LockedPackage, Lockfile
from polpkg.packages.requirement import Requirement, parse_requirement
from polpkg.packages.stale import StaleReason, why_stale

A = LockedPackage("a", "1.0", "a" * 64, "bundled", (Requirement("b", ">=1"),), ("audit",))
B = LockedPackage("b", "1.5", "b" * 64, "site")
LOCK = Lockfile((A, B))
ON = {"a": ("audit",)}


@pytest.mark.parametrize(
    ("asked", "options", "reasons"),
    [
        (["a"], ON, []),
        (["a", "b<2"], ON, []),
        (["a>=2"], ON, [("policy.toml requires a>=2, and 1.0 is locked", "a", "packages")]),
        (["a", "c"], ON, [("policy.toml requires c, which is not locked", "c", "packages")]),
        (["a"], {}, [("options of a: none wanted, audit locked", "a", "")]),
        (["a"], {"a": ("x",)}, [("options of a: x wanted, audit locked", "a", "options")]),
        (["b"], ON, [("nothing requires a 1.0", "a", "")]),
    ],
)
def test_says_why_it_is_stale(asked, options, reasons):
    assert why_stale(LOCK, map(parse_requirement, asked), options) == tuple(StaleReason(*r) for r in reasons)


def test_a_path_is_met_by_a_path_only():
    path = parse_requirement("./b").named("b")
    (reason,) = why_stale(LOCK, [Requirement("a"), path], ON)
    assert str(reason) == "policy.toml requires ./b, and a package of the index site is locked"


def test_a_dependency_that_no_longer_fits_makes_it_stale():
    lock = Lockfile((A, LockedPackage("b", "0.5", "b" * 64, "site")))
    (reason,) = why_stale(lock, [Requirement("a")], ON)
    assert (str(reason), reason.package, reason.table) == ("a 1.0 requires b>=1, and 0.5 is locked", "a", "")


def test_an_override_counts_instead_of_what_is_asked():
    lock = Lockfile((A, LockedPackage("b", "0.5", "b" * 64, "site")), overrides={"b": "<1"})
    assert why_stale(lock, [Requirement("a")], ON, {"b": "<1"}) == ()
    assert why_stale(lock, [Requirement("a"), Requirement("b", ">=9")], ON, {"b": "<1"}) == ()


def test_a_lock_that_is_at_odds_with_its_own_override():
    lock = Lockfile((A, B), overrides={"b": "<1"})
    (reason,) = why_stale(lock, [Requirement("a")], ON, {"b": "<1"})
    assert str(reason) == "[overrides] says b<1, and 1.5 is locked"


@pytest.mark.parametrize(
    ("wanted", "held", "text", "table"),
    [
        ({"b": "<2"}, {}, "override of b: <2 wanted, none locked", "overrides"),
        ({}, {"b": "<2"}, "override of b: none wanted, <2 locked", ""),
        ({"b": "<2"}, {"b": "<3"}, "override of b: <2 wanted, <3 locked", "overrides"),
    ],
)
def test_other_overrides_make_it_stale(wanted, held, text, table):
    lock = Lockfile((A, B), overrides=held)
    assert why_stale(lock, [Requirement("a")], ON, wanted) == (StaleReason(text, "b", table),)


def test_an_override_of_what_is_not_needed_changes_nothing():
    assert why_stale(LOCK, [Requirement("a")], ON, {"z": "==1"}) == ()


def test_a_package_that_was_mapped_to_another_index():
    first = LOCK.packages[0]
    (reason,) = why_stale(LOCK, [Requirement("a")], ON, None, {first.name: "elsewhere"})
    assert (reason.package, reason.table) == (first.name, "index_map")
    assert str(reason) == f"{first.name} belongs to the index elsewhere, and is locked from {first.index}"
    assert why_stale(LOCK, [Requirement("a")], ON, None, {first.name: first.index, "z": "elsewhere"}) == ()
