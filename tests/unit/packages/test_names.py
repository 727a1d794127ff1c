from __future__ import annotations

import pytest

from polpkg.packages.names import did_you_mean, identifier_of, is_identifier, is_name, is_policy_word


@pytest.mark.parametrize("name", ["a", "vmv", "xen-base", "dom0", "a1-b2-c3", "x" * 64])
def test_accepts_names(name):
    assert is_name(name)


@pytest.mark.parametrize(
    "name", ["", "A", "a_b", "-a", "a-", "a--b", "0a", "a.b", "a b", "a\n", "../a", "é", "x" * 65, "٣"]
)
def test_refuses_other_names(name):
    assert not is_name(name)


def test_hyphens_become_underscores_in_identifiers():
    assert identifier_of("tenant-a-1") == "tenant_a_1"


@pytest.mark.parametrize("word", ["dom", "domby", "eq", "r2", "type", "role-transition", "dnl", "shift"])
def test_knows_the_words_of_the_policy_language(word):
    assert is_policy_word(word)


def test_dom0_is_no_word_of_the_language():
    assert not is_policy_word("dom0")


@pytest.mark.parametrize(("text", "expected"), [("domU_t", True), ("a.b", True), ("type", False), ("a-b", False)])
def test_identifiers(text, expected):
    assert is_identifier(text) is expected


def test_offers_the_nearest_name():
    assert did_you_mean("vvm", ["vmv", "score"]) == "did you mean `vmv`?"
    assert did_you_mean("zzz", ["vmv", "score"]) == ""
