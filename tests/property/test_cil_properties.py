"""Whatever the text, the CIL front end answers with statements and findings."""

from __future__ import annotations

from contextlib import suppress

from hypothesis import given, settings
from hypothesis import strategies as st

from polpkg.diagnostics import Diagnostic, Source
from polpkg.errors import PolpkgError
from polpkg.policy.abi import Abi, SecurityClass
from polpkg.policy.modules import Environment, PackageSource, build_modules
from polpkg.policy.syntax.cil import CilContext, read_cil
from polpkg.policy.syntax.cil.signatures import LATER, NOT_FOR_XEN, SIGNATURES, STRUCTURES, UNSUPPORTED

KEYWORDS = sorted({*SIGNATURES, *STRUCTURES, *LATER, *NOT_FOR_XEN, *UNSUPPORTED, "true", "false"})
NAMES = ("a", "b", "c", "d", "domain", "create", "pause", "self", "s0", "object_r", "u1", "t1", "r2", "l1", "h2")
WORDS = ("and", "or", "xor", "not", "all", "range", "eq", "neq", "dom", "unordered", "5", "0x10", '"x"', "a.b", "deny")
CONTEXT = CilContext({"domain": ("create", "pause")}, ("xen",))

words = st.sampled_from((*NAMES, *NAMES, *WORDS, *KEYWORDS))
trees = st.recursive(words, lambda inner: st.lists(inner, max_size=5), max_leaves=30)
statements = st.builds(lambda keyword, rest: [keyword, *rest], st.sampled_from(KEYWORDS), st.lists(trees, max_size=4))


def written(tree):
    return tree if isinstance(tree, str) else f"({' '.join(map(written, tree))})"


def check(text):
    found, problems = read_cil((Source("a.cil", text, "a", "1"),), CONTEXT)
    assert all(isinstance(problem, Diagnostic) and problem.origin is not None for problem in problems)
    for statement in found:
        assert 1 <= statement.place.line <= text.count("\n") + 1


@given(st.text(alphabet='()"; \nabc\\\x00\x80é.*', max_size=80))
def test_any_text(text):
    check(text)


@given(st.lists(statements, max_size=12), st.booleans())
@settings(max_examples=100)
def test_any_statements(found, mls):
    text = "\n".join(map(written, found))
    check(text)
    source = PackageSource("a", "1", (Source("a.cil", text, "a", "1"),), own_tables=True)
    with suppress(PolpkgError):
        build_modules((source,), Environment(Abi((SecurityClass("domain", ("create",)),), ("xen",)), mls=mls))


@given(st.integers(1, 300), st.sampled_from(("not", "(", "optional o", "macro m ()", "booleanif b (true", "(all")))
def test_any_depth(depth, word):
    check(f"(typeattributeset a {f'({word} ' * depth}b{')' * depth})")
    check(f"({word} " * depth + ")" * depth)
