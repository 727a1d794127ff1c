"""The grammar of xl: what xl reads is read, what it refuses is refused where it stands."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polpkg.diagnostics import Source
from polpkg.errors import PolicyError
from polpkg.targets.xl.parser import parse_configuration
from polpkg.targets.xl.values import ListValue, TextValue


def parse(text):
    """The settings of a text, as plain values."""
    configuration = parse_configuration(Source("guest.cfg", text))
    return {setting.key: plain(setting.value) for setting in configuration.settings}


def plain(value):
    """A value as Python has it."""
    return value.text if isinstance(value, TextValue) else [plain(item) for item in value.items]


def problems(text):
    """The places (line, column) of what is wrong with a text."""
    with pytest.raises(PolicyError) as caught:
        parse_configuration(Source("guest.cfg", text))
    assert {found.code for found in caught.value.diagnostics} == {"xl-syntax"}
    return [(found.origin.line, found.origin.column) for found in caught.value.diagnostics]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", {}),
        ("\n\n# nothing\n", {}),
        ("a = 1", {"a": "1"}),
        ("a=0x1f\nb = 007\n", {"a": "0x1f", "b": "007"}),
        ("a = 'x'; b = \"y\";\n", {"a": "x", "b": "y"}),
        ("a = 'say \"hi\"'\n", {"a": 'say "hi"'}),
        (r"a = 'it\'s \\ \t\n'", {"a": "it's \\ \t\n"}),
        ("a = 'x' # a comment\n", {"a": "x"}),
        ("a = []\n", {"a": []}),
        ("a = [ 1, 'two', ]\n", {"a": ["1", "two"]}),
        ("a = [\n  'x',  # first\n\n  'y'\n]\n", {"a": ["x", "y"]}),
        ("a = [ [ 1, 2 ], [] ]\n", {"a": [["1", "2"], []]}),
        ("a = 'x'\na = 'y'\n", {"a": "y"}),
        ("a = [ 1 ]\na += [ 2 ]\n", {"a": ["1", "2"]}),
        ("a = 'x'\na += 'y'\n", {"a": "xy"}),
        ("a += 'x'\n", {"a": "x"}),
        ("a.b_c9 = 'x'\r\nd = 1\r\n", {"a.b_c9": "x", "d": "1"}),
    ],
)
def test_what_xl_reads(text, expected):
    assert parse(text) == expected


@pytest.mark.parametrize(
    ("text", "places"),
    [
        ("a = b\n", [(1, 5)]),
        ("a\n", [(1, 2)]),
        ("A = 1\n", [(1, 1)]),
        ("a = 'x\n", [(1, 5)]),
        ("a = 'x' 'y'\n", [(1, 9)]),
        ("a = [ 1 2 ]\n", [(1, 9)]),
        ("a = [ , ]\n", [(1, 7)]),
        ("a = [ 1\n", [(2, 1)]),
        ("a = (1)\n", [(1, 5)]),
        ("a = 1 + 2\n", [(1, 7)]),
        ("a\n= 1\n", [(1, 2), (2, 1)]),
        ("a = 'x'\na += [ 1 ]\n", [(2, 6)]),
        ("a = [ 1 ]\na += 'x'\n", [(2, 6)]),
        (r"a = 'b\x41'" + "\n", [(1, 7)]),
        ("a = 1\n# no line end", [(2, 1)]),
        ("import os\nb = 1\nc = d\n", [(1, 8), (3, 5)]),
        ("a = b 'c'; d = 1\n", [(1, 5)]),
    ],
)
def test_what_xl_refuses_with_its_place(text, places):
    assert problems(text) == places


def test_lists_in_lists_have_an_end():
    assert problems("a = " + "[" * 5000) == [(1, 25)]


def test_the_setting_that_counts_is_the_last_one_and_keeps_its_place():
    configuration = parse_configuration(Source("guest.cfg", "a = 1\n\n a = [ 'x',\n 'y' ]\n"))
    setting = configuration.find("a")
    assert (setting.place.line, setting.place.column) == (3, 2)
    assert isinstance(setting.value, ListValue)
    assert [(item.place.line, item.place.column) for item in configuration.texts("a")] == [(3, 8), (4, 2)]


texts = st.text(st.characters(codec="utf-8", exclude_characters="\\\n'\""), max_size=20)
values = st.recursive(texts, lambda inner: st.lists(inner, max_size=4), max_leaves=8)


def written(value):
    """A value as a person writes it."""
    return f"'{value}'" if isinstance(value, str) else f"[ {', '.join(map(written, value))} ]"


@given(st.dictionaries(st.from_regex(r"[a-z][a-z0-9._]{0,8}", fullmatch=True), values, max_size=4))
def test_what_is_written_is_read_back(settings):
    assert parse("".join(f"{key} = {written(value)}\n" for key, value in settings.items())) == settings


@given(st.text(max_size=60) | st.text("ab='\"[],;+#\\\n 01", max_size=40))
def test_any_text_is_read_or_refused(text):
    with suppress(PolicyError):
        parse_configuration(Source("guest.cfg", text))
