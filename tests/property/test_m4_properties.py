"""Random token soups and macro programs: GNU m4 agrees, and nothing but our errors ever comes out."""

from __future__ import annotations

import os
import resource
import shutil
import subprocess

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from polpkg.diagnostics import Source
from polpkg.errors import PolicyError
from polpkg.policy.syntax.m4 import Limits, MacroTable, expand

SMALL = Limits(expansions=2000, volume=200_000, depth=500, calls=200)
PRELUDE = (
    "define(`f',`<$1|$2>')define(`g',`$*')define(`e',`')define(`q',``x'')define(`h',`a$1')"
    "define(`k',`f(')define(`l',`$@,$#')\n"
)

WORDS = [
    "a",
    "b",
    "x",
    "f",
    "g",
    "e",
    "q",
    "h",
    "k",
    "l",
    "ax",
    "1",
    "$1",
    "$@",
    "define",
    "dnl",
    "ifelse",
    "shift",
    "len",
    "__line__",
    "ifdef",
    "defn",
    "popdef",
    "pushdef",
    "incr",
    "undefine",
]
TOKENS = [
    *WORDS,
    *(w + "(" for w in WORDS),
    *"(),`'`' \n\n",
    "`a'",
    "`",
    "'",
    "``",
    "''",
    "#",
    "# c\n",
    "()",
    ", ",
    "(,)",
    "`'",
]
soups = st.lists(st.sampled_from(TOKENS), max_size=30).map("".join)


@st.composite
def programs(draw):
    """Text whose quotes and parentheses balance, so that more of it is really expanded."""
    text = st.recursive(
        st.sampled_from(["a", "x", " ", "\n", "e", "q", "$1", "$#", "`b'", "1", "2", "__line__", "dnl\n", "# c\n"]),
        lambda inner: st.one_of(
            st.lists(inner, max_size=4).map("".join),
            inner.map(lambda t: f"`{t}'"),
            st.tuples(st.sampled_from(WORDS), st.lists(inner, max_size=4)).map(lambda p: f"{p[0]}({','.join(p[1])})"),
            st.tuples(st.sampled_from("abxfgh"), inner).map(lambda p: f"define(`{p[0]}',`{p[1]}')"),
            st.tuples(st.sampled_from("abxfgh"), inner).map(lambda p: f"pushdef(`{p[0]}', `{p[1]}')"),
        ),
        max_leaves=25,
    )
    return draw(text)


numbers = st.integers(-50, 50).map(str) | st.sampled_from(
    ["0x1f", "017", "0b11", "0r3:12", "2147483647", "1 ", " 7", "08", "x"]
)
expressions = st.recursive(
    numbers,
    lambda inner: st.one_of(
        inner.map(lambda e: f"({e})"),
        st.tuples(st.sampled_from("+-~!"), inner).map("".join),
        st.tuples(inner, st.sampled_from("+ - * / % ** << >> < <= > >= == != = & ^ | && || += ,".split()), inner).map(
            "".join
        ),
    ),
    max_leaves=8,
)
patterns = st.lists(
    st.sampled_from(
        [
            "a",
            "b",
            "c",
            ".",
            "*",
            "+",
            "?",
            r"\(",
            r"\)",
            r"\|",
            "[ab]",
            "[^a]",
            "^",
            "$",
            r"\w",
            r"\W",
            r"\<",
            r"\>",
            r"\b",
            r"\1",
            " ",
            r"\`",
            r"\'",
            r"\B",
            "[a-c]",
        ]
    ),
    max_size=8,
).map("".join)


def ours(text, limits=SMALL, *, sync=False):
    try:
        return expand([Source("stdin", text)], MacroTable.standard(), limits=limits, sync_lines=sync).text
    except PolicyError as error:
        return error.code


def gnu(text, *options):
    def bounded():
        resource.setrlimit(resource.RLIMIT_AS, (64 << 20, 64 << 20))
        resource.setrlimit(resource.RLIMIT_CPU, (1, 1))

    done = subprocess.run(
        ["m4", *options],
        input=text,
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=bounded,
        env={**os.environ, "LC_ALL": "C"},
    )
    return "m4-end-of-file" if "ERROR: end of file" in done.stderr else done.stdout


oracle = pytest.mark.skipif(not shutil.which("m4"), reason="GNU m4 is not installed")
quick = settings(
    max_examples=int(os.environ.get("POLPKG_M4_EXAMPLES", "80")),
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)


def agree(text):
    for sync in (False, True):
        result = ours(text, sync=sync)
        if result in ("m4-limit", "m4-unsupported-builtin"):
            return
        assert result == gnu(text, *(["-s"] if sync else []))


@pytest.mark.interop
@oracle
@quick
@given(soups)
def test_a_soup_of_tokens_expands_as_in_gnu_m4(soup):
    agree(PRELUDE + soup + "\n")


@pytest.mark.interop
@oracle
@quick
@given(programs())
def test_a_program_expands_as_in_gnu_m4(program):
    agree(PRELUDE + program + "\n")


@pytest.mark.interop
@oracle
@quick
@given(st.lists(expressions, min_size=1, max_size=5))
def test_expressions_have_the_value_that_gnu_m4_gives_them(found):
    agree("".join(f"[eval(`{e}')]\n" for e in found))


@pytest.mark.interop
@oracle
@quick
@given(patterns, st.text("abc \n", max_size=8))
def test_patterns_match_where_gnu_m4_matches(pattern, text):
    agree(f"[regexp(`{text}',`{pattern}')][patsubst(`{text}',`{pattern}',`<\\&>')]\n")


@quick
@given(st.text("abdf`'(),$@# \n\\*", max_size=60))
def test_nothing_but_policy_errors_comes_out(text):
    ours(PRELUDE + text + "define(`a',`b')eval(1)patsubst(`a',`b')format(`%d')")


@quick
@given(programs())
def test_every_character_has_a_place(program):
    try:
        done = expand([Source("x.te", PRELUDE + program + "\n", "p")], MacroTable.standard(), limits=SMALL)
    except PolicyError:
        return
    for offset, char in enumerate(done.text):
        place = done.place_at(offset)
        assert 1 <= place.line <= place.source.text.count("\n") + 1
        assert place.column >= 1
        if char == "\n":
            assert place.source.text
