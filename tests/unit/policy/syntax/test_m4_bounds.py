"""Untrusted fragments: no way out, and every cost has a bound that ends in an error with a place."""

from __future__ import annotations

import contextlib
import time

import pytest

from polpkg.diagnostics import Source
from polpkg.errors import PolicyError
from polpkg.policy.syntax.m4 import Limits, MacroTable, expand

REFUSED_WITH_ARGUMENTS = [
    "builtin",
    "changeword",
    "esyscmd",
    "include",
    "indir",
    "m4wrap",
    "maketemp",
    "mkstemp",
    "sinclude",
    "syscmd",
]
REFUSED_ANYWHERE = [
    "changecom",
    "changequote",
    "debugfile",
    "debugmode",
    "divert",
    "divnum",
    "dumpdef",
    "m4exit",
    "sysval",
    "traceoff",
    "traceon",
    "undivert",
    "__gnu__",
    "__unix__",
    "__program__",
]


def run(fragment, **limits):
    return expand([Source("policy/x.te", fragment, "pkg", "1.0")], MacroTable.standard(), limits=Limits(**limits))


def refused(fragment, **limits):
    with pytest.raises(PolicyError) as caught:
        run(fragment, **limits)
    return caught.value


@pytest.mark.parametrize("name", REFUSED_WITH_ARGUMENTS + REFUSED_ANYWHERE)
def test_a_way_out_is_an_error_when_it_is_called(name):
    error = refused(f"one\ntwo {name}(`id')\n")
    assert error.code == "m4-unsupported-builtin"
    assert name in error.message
    assert (error.origin.file, error.origin.line, error.origin.column) == ("policy/x.te", 2, 5)
    assert error.diagnostics[0].excerpt == f"two {name}(`id')"


@pytest.mark.parametrize("name", REFUSED_ANYWHERE)
def test_names_that_need_no_arguments_are_refused_without(name):
    assert refused(f"{name}\n").code == "m4-unsupported-builtin"


@pytest.mark.parametrize("name", REFUSED_WITH_ARGUMENTS)
def test_names_that_need_arguments_are_text_without(name):
    assert run(f"{name} x\n").text == f"{name} x\n"


def test_quoted_ways_out_are_text_until_they_are_read_again():
    assert run("`syscmd(id)' # include(`x')\n").text == "syscmd(id) # include(`x')\n"
    assert refused("define(`f',`$1')f(`syscmd(id)')\n").code == "m4-unsupported-builtin"


@pytest.mark.parametrize("text", ["define(`sh',defn(`syscmd'))sh(id)\n", "pushdef(`len',defn(`include'))len(`x')\n"])
def test_another_name_for_a_way_out_is_refused_too(text):
    assert refused(text).code == "m4-unsupported-builtin"


def test_a_package_may_define_the_name_as_something_else():
    assert run("define(`include',`mine')include\n").text == "mine\n"


ENDLESS = {
    "itself": "define(`x',`x')x\n",
    "each other": "define(`x',`y')define(`y',`x')x\n",
    "with arguments": "define(`x',`x($1)')x(a)\n",
    "growing": "define(`x',`x(`$1$1')')x(ab)\n",
    "doubling": "define(`x',`x x')x\n",
    "by way of ifelse": "define(`x',`ifelse(a,a,`x')')x\n",
    "two at a time": "define(`x',`x`'x`'')x\n",
    "in its argument": "define(`x',`x(x')x\n",
    "pushing itself": "define(`x',`pushdef(`y',1)x')x\n",
    "many arguments": "define(`x',`x($@,$@)')x(a,b,c)\n",
}


@pytest.mark.parametrize("text", ENDLESS.values(), ids=ENDLESS)
def test_what_never_ends_is_an_error(text):
    error = refused(text, volume=4 << 20, text=1 << 20, steps=50_000)
    assert error.code == "m4-limit"
    assert error.origin.file == "policy/x.te"
    assert error.origin.macros


@pytest.mark.parametrize(
    "text",
    [
        "define(`l',`l($@,$@)')l(a)",
        "define(`d',`$@,$@')define(`n',`$#')n(" + "d(" * 22 + "a" + ")" * 22 + ")",
        "define(`n',`$#')n(" + "a," * 300_000 + "a)",
    ],
)
def test_many_arguments_are_stopped_while_they_are_cheap(text):
    started = time.process_time()
    error = refused(text, steps_at_least=400_000)
    assert "arguments of one call" in error.message
    assert time.process_time() - started < 3


@pytest.mark.parametrize(
    "text",
    [
        "define(`f',`f($@,$@)')f(x)",
        "define(`x',`x x')x",
        "define(`f',`ifelse($#,1,,`f(shift($@))')')f(" + "x," * 3000 + "x)",
        "define(`loop',`loop(`$1',$2)')loop(a,b)",
    ],
)
def test_a_short_source_is_allowed_little(text):
    started = time.process_time()
    assert refused(text).code == "m4-limit"
    assert time.process_time() - started < 5


def test_a_long_source_is_allowed_more():
    calls = "define(`x',`y')define(`z',`x`'x`'x`'x')" + "z\n" * 20
    assert refused(calls, steps_at_least=20, steps_per_character=1).message.endswith(
        f"{20 + len(calls)} names, quotations and delimiters"
    )
    assert run(calls, steps_at_least=20, steps_per_character=4).text == "yyyy\n" * 20


def test_an_expansion_bomb_is_stopped_before_it_is_built():
    levels = "".join(f"define(`b{n}',`b{n - 1}`'b{n - 1}`'b{n - 1}`'b{n - 1}')" for n in range(1, 30))
    started = time.process_time()
    assert refused(f"define(`b0',`boom'){levels}b29\n", steps=50_000).code == "m4-limit"
    assert refused("define(`b',`" + "$1" * 50_000 + "')b(" + "x" * 50_000 + ")\n", text=1 << 20).code == "m4-limit"
    assert refused("define(`b',`" + "$@" * 1000 + "')b(" + "x," * 10_000 + ")\n", text=1 << 20).code == "m4-limit"
    assert time.process_time() - started < 10


def test_deep_nesting_is_an_error_and_not_a_crash():
    error = refused("define(`f',`$1')" + "f(" * 5000 + "\n")
    assert error.code == "m4-limit"
    assert error.message.endswith("1024 calls within each other's arguments")
    assert run("`" * 100_000 + "'" * 100_000 + "\n").text == "`" * 99_999 + "'" * 99_999 + "\n"
    assert (
        run("define(`f',`$1')f(" + "(" * 100_000 + ")" * 100_000 + ")\n").text == "(" * 100_000 + ")" * 100_000 + "\n"
    )
    deep = "define(`t',`ifelse($1,0,`done',`t(decr($1))')')t(5000)\n"
    assert run(deep).text == "done\n"


@pytest.mark.parametrize(
    ("text", "bound"),
    [
        ("pushdef(`x',`1')" * 11, "pushdefs"),
        ("define(`x',`1')" * 11, "expansions"),
        ("`'" * 11, "steps"),
        ("len(" + "x" * 11 + ")", "text"),
        ("eval(" + "(" * 11 + "1" + ")" * 11 + ")", "eval_nesting"),
        ("eval(" + "2**" * 11 + "1)", "eval_nesting"),
        ("eval(1,10,11)", "text"),
        ("eval(11,1)", "text"),
        ("format(`%11d',1)", "text"),
        ("format(`%*d',99,1)", "text"),
        ("format(`%.11f',1)", "text"),
        ("format(`%-11s',1)", "text"),
        ("patsubst(`aaaaaa',`a',`xx')", "text"),
        ("regexp(`aaaaaaaaaaaaaaa',`b')", "pattern_steps"),
        ("plain text that is long\n", "output"),
    ],
)
def test_each_bound_is_kept(text, bound):
    assert refused(text + "\n", **{bound: 10}).code == "m4-limit"
    run(text + "\n", **({bound: 10_000} if bound != "eval_nesting" else {}))


@pytest.mark.parametrize(
    "pattern", [r"\(a*\)*b", r"\(a\|a\)*b", r"\(a*\)*\1b", r"\(.*\)\(.*\)\(.*\)\1\2\3x", "a*a*a*a*a*a*b"]
)
def test_no_pattern_takes_exponential_time(pattern):
    started = time.process_time()
    with contextlib.suppress(PolicyError):
        run(f"regexp(`{'a' * 40}',`{pattern}')\n")
    assert time.process_time() - started < 10


CHEAP_TO_WRITE = {
    "ranges of translit": "translit(`abc',`" + "\x01-\U0010ffff" * 100 + "',`x')",
    "many alternatives": "regexp(`x',`" + "a\\|" * 200_000 + "')",
    "many anchors": "patsubst(`x',`" + "^" * 1_000_000 + "')",
    "many groups": "regexp(`" + "x" * 1000 + "',`" + "\\(" * 5_000 + "y" + "\\)" * 5_000 + "')",
    "many patterns": "define(`t',`regexp(`aaaaaaaaaaaaaaaaaaaa',`\\(a*a*\\)*b')t')t",
    "replacements of nothing": "patsubst(`" + "x" * 5000 + "',`\\(\\)x',`" + "\\1" * 50_000 + "')",
    "bodies of nothing": "define(`n',`" + "$9" * 200_000 + "')define(`t',`n()n()n()n()t')t",
    "copies by defn": "define(`n',`" + "x" * 1_000_000 + "')defn(" + "`n'," * 10_000 + ")",
    "expressions": "define(`n',`" + "1+" * 100_000 + "1')define(`t',`eval(n)t')t",
}


@pytest.mark.parametrize("text", CHEAP_TO_WRITE.values(), ids=CHEAP_TO_WRITE)
def test_what_is_cheap_to_write_is_not_dear_to_run(text):
    started = time.process_time()
    assert refused(text + "\n", steps=100_000, pattern_steps=200_000).code == "m4-limit"
    assert time.process_time() - started < 10


@pytest.mark.parametrize(
    ("text", "what", "line", "column"),
    [
        ("one\n define(`x', len(\n", "argument list of `len'", 2, 14),
        ("one\ntwo `three\nfour\n", "quotation", 2, 5),
        ("one # two", "comment", 1, 5),
        ("define(`x',`#')\nx two", "comment", 1, 13),
        ("define(`x',`\n len(')\n x\n", "argument list of `len'", 2, 2),
        ("define(`q',`define(`x',`$1)')\n", "quotation", 1, 12),
    ],
)
def test_an_end_of_file_in_the_middle_says_where_it_began(text, what, line, column):
    error = refused(text)
    assert error.code == "m4-end-of-file"
    assert what in error.message
    macros = error.origin.macros
    assert (macros[-1].line if macros else error.origin.line) == line
    assert macros or error.origin.column == column


def test_tokens_do_not_reach_from_one_source_into_the_next():
    sources = [Source("a", "define(`ab',1)a"), Source("b", "b\n")]
    assert expand(sources, MacroTable.standard()).text == "ab\n"
    with pytest.raises(PolicyError) as caught:
        expand([Source("a", "len("), Source("b", ")\n")], MacroTable.standard())
    assert caught.value.origin.file == "a"
