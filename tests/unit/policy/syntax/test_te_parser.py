"""The parser of the policy language: places, marks, limits and hints.  Statements and errors are goldens."""

from __future__ import annotations

import pytest
from policy_packages import ABI, package

from polpkg.diagnostics import Source
from polpkg.policy.ir.text import render_statement
from polpkg.policy.modules import Environment, build_modules
from polpkg.policy.syntax.te import PlainText, parse_te
from polpkg.policy.syntax.te.words import RESERVED


def parse(text):
    return parse_te(PlainText(Source("a.te", text)))


def problem(text):
    statements, (found,) = parse(text)
    assert not statements
    return found


def test_places():
    statements, _ = parse("type a_t; type b_t;\n\n\t# comment\n\ttype c_t\n;")
    assert [(s.place.line, s.place.column) for s in statements] == [(1, 1), (1, 11), (4, 2)]


def test_line_marks():
    text = 'type a_t;\n#line 10\ntype b_t;\ntype c_t;\n#line 1 "two.te"\ntype d_t;\n\n#line 7 "three.te"\n type e_t;'
    statements, _ = parse(text)
    places = [(s.place.source.file, s.place.line, s.place.column) for s in statements]
    assert places == [("a.te", 1, 1), ("a.te", 10, 1), ("a.te", 11, 1), ("two.te", 1, 1), ("three.te", 7, 2)]


@pytest.mark.parametrize(
    "unfinished", ["allow a_t b_t:domain { create", "type a_t, ", "if (x) { allow a_t b_t:domain create;"]
)
def test_a_statement_that_runs_into_the_next_fragment_is_wrong_where_it_began(unfinished):
    statements, (found,) = parse(f'type a_t;\n{unfinished}\n#line 1 "next.te"\ntype b_t;\ntype c_t;')
    assert "the fragment ends before this" in found.message
    assert (found.origin.file, found.origin.line, found.origin.column) == ("a.te", 2, 1)
    assert [statement.name for statement in statements] == ["a_t", "b_t", "c_t"]


@pytest.mark.parametrize("text", ["{}", "{}(b)", "type a_t {} b;", "type a_t\n{};"])
def test_a_word_of_many_megabytes_is_not_quoted_in_full(text):
    _, problems = parse(text.format("a" * 1_000_000))
    assert problems
    assert max(len(found.message) for found in problems) < 300


def test_a_mark_with_a_number_of_many_digits_is_a_comment():
    statements, _ = parse(f"#line {'9' * 5000}\ntype a_t;")
    assert statements[0].place.line == 2


def test_a_mark_must_be_at_the_beginning_of_a_line():
    statements, _ = parse("type a_t; #line 10\ntype b_t;")
    assert statements[1].place.line == 2


@pytest.mark.parametrize("word", sorted(RESERVED))
def test_no_reserved_word_is_a_name(word):
    statements, problems = parse(f"type {word};")
    assert not statements
    assert "expected a type" in problems[0].message


@pytest.mark.parametrize("name", ["Allow", "tYPE", "dom0_t", "a", "a-b", "a--", "c0.c255", "x_", "neveraudit", "s0"])
def test_names(name):
    statements, problems = parse(f"type {name};")
    assert (statements[0].name, problems) == (name, ())


@pytest.mark.parametrize("name", ["_a", "9a", "a..b", "a.", "a!b", "é", '"a"', "/a", "a/b", "-a"])
def test_what_is_no_name(name):
    assert parse(f"type {name};")[1]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("pirqcon 4294967296 a:b:c", "4294967296 is more than 0xffffffff, the largest number possible here"),
        ("iomemcon 0x10000000000000000 a:b:c", "is more than 0xffffffffffffffff"),
        ("ioportcon 2-1 a:b:c", "the range 0x2-0x1 ends before it begins"),
        ("pirqcon 08 a:b:c", "expected a number but found `08`"),
        ("pirqcon 0x a:b:c", "expected a number but found `0x`"),
        ("devicetreecon soc a:b:c", "expected a device tree path but found `soc`"),
        ("range_transition a b s0;", "a range transition for Xen names its class"),
        ('type_transition a b:c d "a/b";', "expected a name without slashes in double quotes but found `"),
        ('if a { type_transition a b:c d "n"; }', "type transitions by name are not allowed inside `if`"),
        ("if (a) { allow r1_r r2_r; }", "role rules are not allowed inside `if`"),
        ("if (a) { neverallow a b:c d; }", "`neverallow` is not allowed inside `if`"),
        ("if (" + "(" * 70 + "a", "an expression may not be nested more than 64 deep"),
        ("constrain a b " + "not " * 70 + "u1 == u2;", "an expression may not be nested more than 64 deep"),
        ("constrain a b (l1 == a);", "expected `l2` or `h2` or `h1` but found `a`"),
        ("constrain a b (u1 dom u2);", "`u1` can be compared by `==` and `!=` only"),
        ("constrain a b (t1 == *);", "`*` and `~` are not allowed in a constraint"),
        ("constrain a b (u1 < u2);", "expected a comparison"),
        ("constrain a b (x == u2);", "expected a comparison (`u1`, `r1`, `t1`, `l1`, ...)"),
        ("constrain a b (source user a);", "expected `role` or `type`"),
        ("bool a maybe;", "expected `true` or `false` but found `maybe`"),
        ("user a;", "expected `roles` but found `;`"),
        ("pirqcon 12x a:b:c", "expected a number but found `12x`"),
        ("pirqcon 1_0 a:b:c", "expected a number but found `1_0`"),
        ("typealias a b;", "expected `alias` but found `b`"),
        ("type a alias *;", "aliases are listed by name"),
        ("allow a b:~c d;", "classes are listed by name"),
        ("neveraudit a;", "`neveraudit` is newer than the policies that Xen reads"),
        ("optional { }", "an optional block must not be empty"),
        ("optional { sid xen }", "`sid` is not allowed inside `optional`"),
        ("optional { allow a b:c d;", "expected a statement or `}` but found the end of the text"),
        ("optional {" * 40, "optional blocks may not be nested more than 32 deep"),
        ("dominance { role a {" + "role a {" * 40, "roles may not be nested more than 32 deep"),
        ("default_user c somewhere;", "expected `source` or `target` but found `somewhere`"),
        ("default_range c source;", "expected `low` or `high` or `low-high`"),
        ("expandattribute ~a true;", "attributes are listed by name"),
        ("require { class c ~d; }", "permissions are listed by name"),
        ("portcon tcp 80 a:b:c", "`portcon` is not part of a policy for Xen"),
    ],
)
def test_messages(text, message):
    assert message in problem(text).message


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("type dom;", "`dom` is a word of the policy language and cannot be used as a name"),
        ("allow a use(b):c d;", "`use` is not a macro here: is the package that defines it among the requirements?"),
        ("use_it(a)", "require the package that defines it, or check the spelling"),
        ("allow a ):c d;", "a macro that is not defined, or called with too many arguments, is left in the text"),
    ],
)
def test_hints(text, hint):
    assert hint in problem(text).hint


@pytest.mark.parametrize(
    "text", ["sid", "type", "allow a", "if (a", "if (a) {", "require {", "common a {", "user a roles"]
)
def test_the_end_of_the_text_is_a_finding(text):
    for spaced in (text, text + "\n", text + " # end"):
        assert "the end of the text" in problem(spaced).message


def test_there_is_an_end_to_findings():
    statements, problems = parse("allow @;\n" * 500 + "type a_t;\n")
    assert (len(statements), len(problems)) == (0, 100)


def test_an_empty_text():
    assert parse("") == ((), ())
    assert parse(" ;; # nothing\n") == ((), ())


# Support macros


def expanded(text, **environment):
    (module,) = build_modules([package("p", text)], Environment(ABI, **environment))
    return module.statements


def rendered(statements):
    return [render_statement(s) for s in statements]


@pytest.mark.parametrize(
    ("macro", "text"),
    [
        ("policy_module(name, 1.0) type a_t;", "type a_t;"),
        ("gen_require(`type b_t;') type a_t;", "type a_t;"),
        ("interface(`make', `type $1;') make(a_t)", "type a_t;"),
        ("template(`make', `type $1_t;') make(a)", "type a_t;"),
        ("optional_policy(`type a_t;')", "type a_t;"),
        ("optional_policy(`no', `type a_t;', `type b_t;')", "type b_t;"),
        ("define(`yes') optional_policy(`yes', `type a_t;', `type b_t;')", "type a_t;"),
        ("gen_bool(strict, true)", "bool strict true;"),
        ("define(`strict_conf', `false') gen_bool(strict, true)", "bool strict false;"),
        ("gen_tunable(strict, false)", "bool strict false;"),
        ("tunable_policy(`a && !b', `allow a b:c d;')", "if (a && !b) { allow a b:c d; }"),
        ("tunable_policy(`a', `', `allow a b:c d;')", "if (a) { } else { allow a b:c d; }"),
        ("gen_user(u, p, r1_r r2_r, s0, s0)", "user u roles { r1_r r2_r };"),
        ("pirqcon 1 gen_context(u:r:t, s0)", "pirqcon 1 u:r:t"),
        ("ifndef(`no', `type a_t;', `type b_t;')", "type a_t;"),
        ("ifndef(`shift', `type a_t;', `type b_t;')", "type b_t;"),
        ("type shiftn(2, a_t, b_t, c_t);", "type c_t;"),
        ("type shiftn(`0', a_t);", "type a_t;"),
    ],
)
def test_support_macros(macro, text):
    assert rendered(expanded(macro)) == rendered(parse(text)[0])


def test_support_macros_with_levels():
    text = "gen_user(u, p, r_r, s0, s0 - mls_systemhigh) pirqcon 1 gen_context(u:r:t, mls_systemlow)"
    plain = "user u roles { r_r } level s0 range s0 - s15:c0.c255; pirqcon 1 u:r:t:s0"
    assert rendered(expanded(text, mls=True)) == rendered(parse(plain)[0])
