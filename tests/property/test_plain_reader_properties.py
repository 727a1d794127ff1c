"""Plain statements are read by regular expressions: what comes out is what the parser says, place by place."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from policy_texts import policy_text

from polpkg.diagnostics import Source
from polpkg.policy.syntax.m4 import MacroTable, expand
from polpkg.policy.syntax.te.lexer import PlainText
from polpkg.policy.syntax.te.parser import parse_words, read_piece
from polpkg.policy.syntax.te.plain import read_plainly

SIZES = st.sampled_from([1, 7, 60, 500, 100_000])

PIECES = st.sampled_from(
    [
        *("allow", "neverallow", "dontaudit", "type_transition", "type", "typeattribute", "sid", "class", "role", "if"),
        *("a", "b_t", "dom", "t1", "self", "x.y", "a-b", "A", "0x1", "else", "optional", "alias", "types", "true"),
        *"{}:;,*~-().\n \t\f\xe9",
        *("# c\n", "  ", "\r\n", '"q"'),
        *("allow a b:c d;\n", "type t, a, b;\n", "sid x a:b:c\n", "class c { p }\n", "if (b) { allow a b:c d; }\n"),
    ]
)


def assert_same(located, size):
    statements, problems = parse_words(located)
    plain = read_plainly(located, read_piece, size=size)
    if problems:
        assert plain is None
    else:
        assert plain is not None
        assert tuple(plain) == statements
        assert [type(s) for s in plain] == [type(s) for s in statements]


@settings(deadline=None)
@given(st.integers(0, 10_000), SIZES, st.booleans())
def test_a_policy_is_read_the_same(seed, size, broken):
    assert_same(PlainText(Source("policy.conf", policy_text(seed, broken=broken)[0].text)), size)


@settings(deadline=None)
@given(st.lists(PIECES, max_size=40), SIZES)
def test_any_text_is_read_the_same(pieces, size):
    text = " ".join(pieces)
    assert_same(PlainText(Source("policy.conf", text)), size)
    assert_same(PlainText(Source("policy.conf", "".join(pieces))), size)


@settings(deadline=None)
@given(st.integers(0, 10_000), SIZES)
def test_expanded_text_is_read_the_same(seed, size):
    text = policy_text(seed)[0].text
    macros = "define(`both', `allow $1 $2:domain create;\nallow $2 $1:domain create;')both(a, b)\n"
    assert_same(expand([Source("a.te", macros + text)], MacroTable.standard()), size)


@pytest.mark.parametrize("text", ["", " ", "#", ";", "allow", "allow ", "allow a b:c d", "sid a\n", "class a\n\n"])
def test_short_texts(text):
    assert_same(PlainText(Source("policy.conf", text)), 1)
