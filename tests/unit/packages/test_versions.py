from __future__ import annotations

import pytest

from polpkg.packages.versions import (
    asks_for_prereleases,
    exact_version,
    is_prerelease,
    is_specifier,
    is_version,
    same_version,
    satisfies,
    sorted_versions,
)


@pytest.mark.parametrize("text", ["1", "1.0", "1!2", "1.0rc1", "1.0.dev3", "1.0+local", "v1"])
def test_versions(text):
    assert is_version(text)


@pytest.mark.parametrize("text", ["", "a", "1..2", "1.x", "1.0-", ">=1", "1." + "9" * 5000, "1.dev" + "9" * 5000])
def test_no_versions(text):
    assert not is_version(text)


def test_sorts_by_value_not_by_text():
    assert sorted_versions(["1.10", "1.9", "1.0rc1", "1.0"]) == ["1.0rc1", "1.0", "1.9", "1.10"]
    assert sorted_versions(["10", "9", "9.0"]) == ["9", "9.0", "10"]


def test_equal_versions_may_be_written_differently():
    assert same_version("1.0", "1.0.0")
    assert not same_version("1.0", "1.0rc1")


@pytest.mark.parametrize("specifier", ["", "*", ">=1", "==1.*", "~=1.2", "!=1,>0", "===foo"])
def test_specifiers(specifier):
    assert is_specifier(specifier)


@pytest.mark.parametrize("specifier", ["1", ">", "~=1", "=1", ">=1 <2", ">=" + "9" * 5000, ">=1.dev" + "9" * 5000])
def test_no_specifiers(specifier):
    assert not is_specifier(specifier)


def test_both_texts_for_any_version_mean_any():
    assert satisfies("1.0rc1", "")
    assert satisfies("0", "*")


@pytest.mark.parametrize(("specifier", "version"), [("==1.2", "1.2"), ("===1.2", "1.2"), ("==1.*", ""), (">=1", "")])
def test_exact_versions(specifier, version):
    assert exact_version(specifier) == version


def test_prereleases_are_asked_for_by_naming_one():
    assert is_prerelease("1.0rc1")
    assert not is_prerelease("1.0")
    assert asks_for_prereleases(">=1.0rc1")
    assert not asks_for_prereleases(">=1.0")
