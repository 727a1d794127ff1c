"""Names that `init` makes of the names of folders, and what it writes for them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polpkg.ops.info import first_paragraph
from polpkg.ops.init import bring_to_rule
from polpkg.ops.scaffold import files
from polpkg.packages.manifest_reader import read_manifest
from polpkg.packages.names import is_name


@pytest.mark.parametrize(
    ("text", "name"),
    [("vmv", "vmv"), ("My_Role 2", "my-role-2"), ("--a--b--", "a-b"), ("9p", "p"), ("é", ""), ("a" * 70, "a" * 64)],
)
def test_names(text, name):
    assert bring_to_rule(text) == name


@given(st.text(max_size=80))
def test_whatever_comes_out_is_a_name_or_nothing(text):
    name = bring_to_rule(text)
    assert name == "" or is_name(name)
    assert bring_to_rule(name) == name


@pytest.mark.parametrize("has_guests", [False, True])
def test_what_is_written_is_short_and_reads_back(has_guests):
    written = files("my-role", "", has_guests=has_guests)
    manifest = read_manifest(written["polpkg.toml"])
    assert (manifest.name, manifest.owns) == ("my-role", ("my_role_*",))
    assert manifest.assertions
    assert manifest.functions.provides == (("domain-builder", "domain-manager") if has_guests else ())
    tests = written.pop("tests/policy.toml")
    assert all(len(text.splitlines()) < 40 for text in written.values())
    assert len(tests.splitlines()) < 50  # one of each expectation


@pytest.mark.parametrize(
    ("text", "paragraph"),
    [("", ""), ("# x\n", ""), ("# x\n\na\nb\n\nc", "a b"), ("a\n# b\nc", "a")],
)
def test_first_paragraph(text, paragraph):
    assert first_paragraph(text) == paragraph
