"""The two ways to read entries agree."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polpkg.errors import TrustError
from polpkg.packages.index.entries import EntryReader

GOOD = {
    "name": "demo",
    "version": "1.0",
    "requires": {"b": ">=1"},
    "functions": ["console"],
    "clients": "*",
    "conflicts": {"c": "*"},
    "options": {"audit": {"requires": {"d": "==1"}}},
    "xen": ">=4.14",
    "sha256": "0" * 64,
    "size": 3,
    "yanked": False,
    "published": "2026-01-05T00:00:00Z",
}
ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-5, 5),
    st.just(""),
    st.sampled_from(["1.0", ">=1", "x", "../b", "*", "0" * 64, "é"]),
    st.just([]),
    st.just({}),
    st.sampled_from([["console"], [1], {"b": 1}, {"b": ">=1"}, {"B": ""}, {"b": "1"}, {"o": {"requires": {"e": "*"}}}]),
)


def careful(lines):
    return EntryReader("site")._read_carefully("demo", lines, "f")


@given(
    st.dictionaries(st.sampled_from([*GOOD, "future"]), ODD, max_size=3), st.sets(st.sampled_from([*GOOD]), max_size=2)
)
def test_both_ways_agree(changes, missing):
    entry = {key: value for key, value in (GOOD | changes).items() if key not in missing}
    line = json.dumps(entry).encode() + b"\n"
    plain = EntryReader("site")._read_plainly("demo", line)
    if plain is not None:
        assert plain == careful(line)
        assert [release.extra for release in plain] == [release.extra for release in careful(line)]


def test_an_ordinary_file_is_read_the_fast_way():
    text = "".join(json.dumps(GOOD | {"version": f"1.{n}", "future": n}) + "\n" for n in range(3)).encode()
    assert EntryReader("site")._read_plainly("demo", text) == careful(text)
    assert EntryReader("site")._read_plainly("demo", text.rstrip()) == careful(text)


@pytest.mark.parametrize("between", ["", " ", ",", "\n\n", "\r\n"])
def test_one_object_a_line(between):
    text = between.join(json.dumps(GOOD | {"version": version}) for version in ("1.0", "1.1")).encode()
    assert EntryReader("site")._read_plainly("demo", text) is None
    if between.strip() or "\n" not in between:
        with pytest.raises(TrustError):
            EntryReader("site").read("demo", text, "f")
    else:
        assert len(EntryReader("site").read("demo", text, "f")) == 2


def test_every_problem_of_a_line_is_reported():
    text = b"\n" + json.dumps(GOOD | {"sha256": "x", "requires": {"B": "!"}}).encode()
    with pytest.raises(TrustError) as caught:
        EntryReader("site").read("demo", text, "f")
    assert {found.origin.line for found in caught.value.diagnostics} == {2}
    assert len(caught.value.diagnostics) == 3


@pytest.mark.parametrize(("yanked", "reason"), [(True, "no reason given"), (False, ""), ("bad", "bad")])
def test_yanked(yanked, reason):
    (release,) = EntryReader("site").read("demo", json.dumps(GOOD | {"yanked": yanked}).encode(), "f")
    assert release.yanked == reason
