"""What must hold for every text: order does not matter, what is written can be read, nothing crashes."""

from __future__ import annotations

from contextlib import suppress
from random import Random

from hypothesis import example, given, settings
from hypothesis import strategies as st
from policy_breaks import SECTIONS
from policy_texts import policy_text

from polpkg.diagnostics import Source
from polpkg.errors import PolpkgError
from polpkg.policy.backends.backend import CompileOptions
from polpkg.policy.backends.builtin import BuiltinBackend
from polpkg.policy.backends.conf import emit_conf
from polpkg.policy.backends.equivalence import explain_differences
from polpkg.policy.ir.module import PolicyModule
from polpkg.policy.ir.text import render_modules
from polpkg.policy.link import link
from polpkg.policy.policydb import read_policydb
from polpkg.policy.syntax.te import PlainText, parse_te

SEEDS = st.integers(0, 1 << 32)


def module(text, name="p"):
    statements, problems = parse_te(PlainText(Source("policy.conf", text)))
    assert not problems, problems[0].message
    return PolicyModule(name, "1", statements)


def compiled(modules, abi):
    """The policydb, or the codes of what is wrong."""
    try:
        return BuiltinBackend().compile(link(modules, abi).policy, CompileOptions())
    except PolpkgError as error:
        return sorted({d.code for d in error.diagnostics})


def valid(seed):
    """A text that links, near `seed`."""
    while isinstance(compiled((module(policy_text(seed)[0].text),), policy_text(seed)[0].abi), list):
        seed += 1
    return policy_text(seed)[0]


@settings(max_examples=40, deadline=None)
@given(SEEDS, SEEDS)
def test_the_order_of_statements_and_modules_does_not_matter(seed, order):
    text, random = valid(seed), Random(order)
    tables = [line for name in SECTIONS[:3] for line in text.sections[name]]
    others = [line for name in SECTIONS[3:] for line in text.sections[name]]
    expected = compiled((module(text.text),), text.abi)
    random.shuffle(others)
    cut = random.randint(0, len(others))
    parts = [module("\n".join(tables), "a"), module("\n".join(others[:cut]), "b"), module("\n".join(others[cut:]), "c")]
    random.shuffle(parts)
    found = compiled(_with_roles_of_one_package(parts), text.abi)
    differences = explain_differences(read_policydb(found), read_policydb(expected))
    assert {d.rule for d in differences} <= {"condition-spelling"}, "of two spellings the first is taken"


def _with_roles_of_one_package(parts):
    """The same parts of one package, which alone may declare a role twice."""
    return tuple(PolicyModule("p", "1", part.statements) for part in parts)


@settings(max_examples=40, deadline=None)
@given(SEEDS, SEEDS)
def test_the_order_of_statements_does_not_matter_for_what_is_wrong(seed, order):
    text, _ = policy_text(seed, broken=True)
    lines = [line for name in SECTIONS[3:] for line in text.sections[name]]
    statements, problems = parse_te(PlainText(Source("policy.conf", text.text)))
    if problems or any(line.startswith("class") for line in lines):
        return
    expected = compiled((PolicyModule("p", "1", statements),), text.abi)
    tables = [s for s in statements if type(s).__name__ in _TABLES]
    rest = [s for s in statements if type(s).__name__ not in _TABLES]
    Random(order).shuffle(rest)
    found = compiled((PolicyModule("p", "1", (*tables, *rest)),), text.abi)
    assert type(found) is type(expected)
    if isinstance(expected, bytes) or "duplicate-symbol" not in expected:
        assert found == expected  # otherwise the declaration that comes first decides what else is wrong


_TABLES = frozenset(("ClassDeclaration", "CommonDeclaration", "AccessVector", "InitialSidDeclaration"))


@settings(max_examples=40, deadline=None)
@example(203411)  # a negation to the left of `==`
@given(SEEDS)
def test_a_linked_policy_written_as_policy_conf_links_to_the_same(seed):
    text = valid(seed)
    policy = link((module(text.text),), text.abi).policy
    again = link((module(emit_conf(policy)),), text.abi).policy
    options = CompileOptions()
    assert BuiltinBackend().compile(again, options) == BuiltinBackend().compile(policy, options)


PIECES = st.sampled_from(
    "allow type attribute role user if else { } ( ) ; : , - ~ * ! && || ^ == != dom eq self true 0x10 7 c0.c3 s0 "
    'a_t b_t domain create sid xen class common inherits constrain u1 t2 require optional #x \n \t / "x" . @ é \0 '
    "#line #line\x205 iomemcon pirqcon devicetreecon /soc level range alias types neverallow type_transition".split(" ")
)


def parse_anything(text):
    statements, problems = parse_te(PlainText(Source("x.te", text)))
    render_modules([PolicyModule("p", "1", statements)])
    for problem in problems:
        assert problem.message
        assert problem.origin is not None
        assert problem.origin.line >= 1
    return statements, problems


@settings(max_examples=300, deadline=None)
@given(st.lists(PIECES, max_size=60).map(" ".join) | st.text(max_size=80))
def test_any_text_gives_statements_or_findings(text):
    statements, problems = parse_anything(text)
    with suppress(PolpkgError):
        link((PolicyModule("p", "1", statements),), valid(0).abi)
    assert len(problems) <= len(text) + 1


@settings(max_examples=150, deadline=None)
@given(SEEDS, st.data())
def test_damage_to_one_place_is_reported_and_the_rest_is_read(seed, data):
    """One character changed: no exception, and hardly a statement lost or an error too many, except in blocks."""
    text, _ = policy_text(seed)
    at = data.draw(st.integers(0, len(text.text) - 1))
    new = data.draw(st.sampled_from([*'{}();:,-~*!@#" \n', ""]))
    damaged = text.text[:at] + new + text.text[at + 1 :]
    before, _ = parse_anything(text.text)
    after, problems = parse_anything(damaged)
    line = text.text[text.text.rfind("\n", 0, at) + 1 : text.text.find("\n", at)]
    if not line.lower().startswith(("if", "optional")):
        assert len(before) - len(after) <= 6
        assert len(problems) <= 4
