"""Values of the IR: bit sets, sets as text, names of the linked policy."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from policy_packages import base, linked, package

from polpkg.policy.ir.linked import bits
from polpkg.policy.ir.module import PolicyModule
from polpkg.policy.ir.statements import NameSet
from polpkg.policy.ir.text import render_modules
from polpkg.policy.modules import Environment, build_modules


@given(st.sets(st.integers(0, 500)))
def test_bits(numbers):
    assert list(bits(sum(1 << n for n in numbers))) == sorted(numbers)


@pytest.mark.parametrize(
    ("names", "text"),
    [
        (NameSet(("a",)), "a"),
        (NameSet(("a", "b")), "{ a b }"),
        (NameSet(("a",), ("b",)), "{ a -b }"),
        (NameSet(star=True), "*"),
        (NameSet(("a",), complement=True), "~a"),
        (NameSet(("a", "b"), complement=True), "~{ a b }"),
    ],
)
def test_sets_as_text(names, text):
    assert str(names) == text


def test_numbers_of_types():
    policy = linked(base("type t alias other;")).policy
    assert policy.number_of_type("other") == policy.number_of_type("t") >= 0
    assert policy.number_of_type("nothing") == -1


def test_symbols_are_sorted_by_name():
    policy = linked(base("type zz; type aa; role zz_r; role aa_r; bool z true; bool a true;")).policy
    assert [s.name for s in policy.types] == sorted(s.name for s in policy.types)
    assert [s.name for s in policy.roles] == ["object_r", "aa_r", "system_r", "zz_r"]
    assert [s.name for s in policy.booleans] == ["a", "z"]


def test_modules_as_text():
    from policy_packages import ABI

    lib = package("lib", interfaces="define(`m', `type $1;')\n")
    app = package("app", "\nm(app_t)\n", requires=["lib"])
    modules = build_modules([lib, app], Environment(ABI))
    assert render_modules(modules).splitlines() == [
        "# lib 1.0",
        "# app 1.0",
        "type app_t;  # policy/app.te:2 > m (lib:policy/lib.if:1)",
    ]
    assert render_modules([PolicyModule("p", "1", ())]) == "# p 1\n"
