"""The CIL front end: findings with their places, macros, optionals, and what each statement becomes."""

from __future__ import annotations

import pytest
from policy_packages import ABI, BASE, base, findings, linked, package, rules

from polpkg.diagnostics import Source
from polpkg.policy.ir.statements import AttributeSet, AvRule, NameSet, SetOperator, UserDeclaration
from polpkg.policy.modules import PackageSource
from polpkg.policy.syntax.cil import CilContext, read_cil

CLASSES = {c.name: c.permissions for c in ABI.classes}


def read(text, **context):
    """The statements of a text that has nothing wrong."""
    statements, problems = read_cil((Source("policy/a.cil", text, "a", "1"),), CilContext(CLASSES, **context))
    assert problems == ()
    return statements


def wrong(text, **context):
    """What is wrong with a text: line, column, code and message."""
    _, problems = read_cil((Source("policy/a.cil", text, "a", "1"),), CilContext(CLASSES, **context))
    assert problems
    return [(p.origin.line, p.origin.column, p.code, p.message) for p in problems]


def mixed(name, te="", cil="", **more):
    """A package with one fragment in each language."""
    plain = package(name, te, **more)
    fragments = (*plain.fragments, Source(f"policy/{name}.cil", cil, name, "1.0"))
    return PackageSource(name, "1.0", fragments, plain.owns, plain.requires)


# Reading


@pytest.mark.parametrize(
    ("text", "line", "column", "message"),
    [
        ("(type a)\n(type", 2, 1, "this `(` is never closed"),
        ("(type a))", 1, 9, "this `)` closes nothing"),
        ("type a", 1, 1, "expected `(` but found `type`"),
        ('(type "a)\n', 1, 7, "this string does not end on its line"),
        ("(type \x01)", 1, 7, "unexpected character '\\x01'"),
        ("(" * 5000, 1, 4097, "parentheses are nested more than 4,096 deep"),
    ],
)
def test_words_and_parentheses(text, line, column, message):
    assert (line, column, "syntax-error", message) in wrong(text)


@pytest.mark.parametrize(
    ("text", "column", "code", "message"),
    [
        ("(block b)", 2, "unsupported-statement", "`block` is not supported yet: blocks come later"),
        ("(blockinherit b)", 2, "unsupported-statement", "inheritance of blocks come later"),
        ("(in b (type t))", 2, "unsupported-statement", "additions to blocks come later"),
        ("(type b.t)", 7, "unsupported-statement", "`b.t` is a path into a block"),
        ('(filecon "/x" any ())', 2, "not-for-xen", "`filecon` is not part of a policy for Xen"),
        ("(userattribute u)", 2, "unsupported-statement", "`userattribute` statements are not supported"),
        ("(handleunknown allow)", 16, "not-for-xen", "polpkg always writes `deny`"),
        ("(alow a b (domain (create)))", 2, "syntax-error", "`alow` is not a statement of CIL"),
        ("(type a b)", 1, "syntax-error", "`type` takes 1 arguments, and has 2"),
        ("(type and)", 7, "syntax-error", "`and` has a meaning of its own"),
        ("(type 1a)", 7, "syntax-error", "`1a` cannot be a name"),
        ("(allow a b (domain ()))", 20, "syntax-error", "a set must not be empty"),
        ("(allow a b domain)", 12, "unknown-classpermission", "classpermission `domain` is not declared"),
        ("(allow a b (domain (not (create) x)))", 20, "syntax-error", "`not` takes one operand, and has 2"),
        ('(typetransition a b domain "n" c)', 28, "not-for-xen", "a type transition by name"),
        ("(userrole u r)", 11, "unknown-user", "user `u` is not declared"),
        ("(level l k)", 10, "syntax-error", "expected a level"),
        ("(context c (u r t nothing))", 12, "unknown-levelrange", "levelrange `nothing` is not declared"),
        ("(boolean b maybe)", 12, "syntax-error", "expected `true` or `false`"),
        ("(constrain (domain (create)) (eq u2 u1))", 37, "syntax-error", "`u2` cannot be compared to `u1`"),
        ("(constrain (domain (create)) (dom t1 a))", 38, "syntax-error", "`t1` cannot be compared to names with `dom`"),
        ("(booleanif b (true (type t)))", 21, "syntax-error", "`type` may not stand under a condition"),
        ("(booleanif b (maybe))", 14, "syntax-error", "expected `(true ...)` or `(false ...)`"),
        ("(tunableif t (true))", 12, "unknown-tunable", "tunable `t` is not declared"),
        ("(sid a)(sid b)(sidorder (a))", 13, "syntax-error", "`b` is not in the `sidorder`"),
        (
            "(sid a)(sid b)(sidorder (a)) (sidorder (b))",
            16,
            "syntax-error",
            "does not say whether `a` or `b` comes first",
        ),
        ("(sidorder (a b)) (sidorder (b a))", 2, "syntax-error", "comes before itself in the `sidorder`"),
        ("(pirqcon 0x5 c)", 10, "syntax-error", "expected a number but found `0x5`"),
        ("(ioportcon (9 5) c)", 12, "syntax-error", "this range ends before it begins"),
        ("(pcidevicecon 0x100000000 c)", 15, "syntax-error", "is more than 0xffffffff"),
        ("(typeattributeset a (range b c))", 22, "syntax-error", "`range` has a meaning of its own"),
    ],
)
def test_what_a_statement_may_not_be(text, column, code, message):
    found = wrong("(sensitivity s0)\n" + text)
    assert [(line, at, what) for line, at, what, said in found if message in said] == [(2, column, code)]


def test_all_findings_of_a_text_are_reported():
    found = wrong("(type)\n(role a)\n(user)\n(what)\n")
    assert [line for line, *_ in found] == [1, 3, 4]


def test_a_text_that_is_no_policy_gives_a_bounded_number_of_findings():
    assert len(wrong("(x)" * 5000)) == 100


# Statements


def test_a_set_is_kept_as_an_expression():
    (statement,) = read("(typeattributeset a (and (b c) (not (all))))")
    assert isinstance(statement, AttributeSet)
    assert statement.expression == (NameSet(("b", "c")), NameSet(star=True), SetOperator.NOT, SetOperator.AND)


def test_permissions_become_names():
    (rule,) = read("(allow a b (domain (and (not (create)) (xor (pause) (destroy pause)))))")
    assert isinstance(rule, AvRule)
    assert rule.permissions == NameSet(("destroy",))


def test_a_user_is_put_together():
    (user,) = read("(userrole u r) (user u) (userrole u object_r) (userlevel u (s0)) (userrange u ((s0) (s0)))")
    assert isinstance(user, UserDeclaration)
    assert user[1:] == ("u", NameSet(("r",)), None, None)


def test_a_policy_with_levels_wants_them():
    assert wrong("(mls true)") == [(1, 6, "mls-disabled", "this policy is one with MLS, and is linked without")]


def test_deep_expressions_are_read_without_recursion():
    text = "(not " * 4000 + "b" + ")" * 4000
    assert len(read(f"(typeattributeset a {text})")[0].expression) == 4001


# Macros


def test_the_place_of_a_rule_in_a_macro_has_the_call():
    (rule,) = read("(macro m ((type t))\n  (allow t b (domain (create))))\n(call m (a))")
    assert rule.source == NameSet(("a",))
    origin = rule.place.origin()
    assert (origin.line, origin.column) == (3, 1)
    assert [(use.name, use.line) for use in origin.macros] == [("m", 2)]


def test_a_parameter_stands_only_for_its_own_kind():
    (rule,) = read("(macro m ((type create)) (allow create b (domain (create)))) (call m (a))")
    assert (rule.source, rule.permissions) == (NameSet(("a",)), NameSet(("create",)))


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("(macro m () (call m ())) (call m ())", "recursive-macro"),
        ("(macro m () (call n ())) (macro n () (call m ())) (call n ())", "recursive-macro"),
        ("(call m ())", "unknown-macro"),
        ("(role r) (role r)", "duplicate-symbol"),
        ("(user u) (user u)", "duplicate-symbol"),
        ("(macro m ()) (macro m ())", "duplicate-symbol"),
        ("(macro m ((type a) (role a)))", "duplicate-symbol"),
        ("(macro m ((type a))) (call m ())", "syntax-error"),
        ("(macro m ((block a)))", "syntax-error"),
        ("(macro m () (macro n ())) (call m ())", "syntax-error"),
    ],
)
def test_what_macros_may_not_do(text, code):
    assert [found[2] for found in wrong(text)] == [code]


def test_macros_that_multiply_are_stopped(monkeypatch):
    monkeypatch.setattr("polpkg.policy.syntax.cil.flatten.MOST_WORDS", 10_000)
    bombs = "".join(f"(macro m{n + 1} () {f'(call m{n} ())' * 20})" for n in range(20))
    found = wrong(f"(macro m0 () (type t)){bombs}(call m20 ())")
    assert [f[2] for f in found] == ["too-much-expansion"]


def test_a_chain_of_macros_is_bounded():
    chain = "".join(f"(macro m{n + 1} () (call m{n} ()))" for n in range(100))
    assert [f[2] for f in wrong(f"(macro m0 ()){chain}(call m100 ())")] == ["expression-too-deep"]


# Optionals


def test_an_optional_goes_with_what_it_declares():
    text = "(optional a (type t) (allow t missing (domain (create)))) (optional b (allow t t (domain (create))))"
    assert read(text) == ()


def test_a_chain_of_optionals_goes_in_linear_time():
    count = 3000
    links = (f"(optional o{n} (type t{n}) (allow t{n} t{n + 1} (domain (create))))" for n in range(count))
    assert read("".join(links)) == ()


def test_an_optional_may_use_what_others_declare():
    text = "(optional a (allow t t (domain (create))))"
    assert read(text) == ()
    assert len(read(text, declared=frozenset({("type", "t")}))) == 1


def test_an_optional_is_the_guard_for_permissions():
    text = "(type t) (optional a (allow t t (domain (new)))) (optional b (allow t t (argo (send))))"
    assert len(read(text)) == 1


# Packages


def test_a_package_may_mix_languages():
    cil = "(type extra_t) (typeattributeset domain_type extra_t) (allow dom0_t extra_t (domain (pause)))"
    te = "allow extra_t dom0_t:mmu map_read;"
    policy = linked(base(), mixed("extra", te, cil, requires=("base",), owns=("extra_*",))).policy
    assert {"allow dom0_t extra_t:domain pause", "allow extra_t dom0_t:mmu map_read"} <= set(rules(policy))
    attribute = policy.types[policy.number_of_type("domain_type")]
    assert attribute.members >> policy.number_of_type("extra_t") & 1


def test_cil_is_not_expanded():
    policy = linked(base("define(`extra_t', `nothing_t')"), mixed("extra", cil="(type extra_t)")).policy
    assert policy.number_of_type("extra_t") >= 0


def test_a_package_in_cil_keeps_to_its_requirements():
    cil = "(type extra_t)\n(allow extra_t dom0_t (domain (pause)))"
    (found,) = findings(base(), mixed("extra", cil=cil, owns=("extra_*",)))
    assert (found.code, found.origin.file, found.origin.line) == ("undeclared-dependency", "policy/extra.cil", 2)


def test_a_package_in_cil_has_no_tables():
    found = findings(base(), mixed("extra", cil="(class domain (create)) (classorder (domain))"))
    assert [f.code for f in found] == ["tables-in-package"]


def test_an_optional_sees_the_requirements_of_its_package():
    cil = "(type extra_t) (optional o (allow extra_t dom0_t (domain (pause))))"
    policy = linked(base(), mixed("extra", cil=cil, requires=("base",))).policy
    assert "allow extra_t dom0_t:domain pause" in rules(policy)


def test_attributes_that_define_each_other():
    cil = "(typeattribute a) (typeattribute b)\n(typeattributeset a (not b))\n(typeattributeset b a)"
    (found,) = findings(base(), mixed("extra", cil=cil))
    assert found.code == "attribute-cycle"


def test_a_set_of_types_for_what_is_a_type():
    (found,) = findings(base(), mixed("extra", cil="(type a) (typeattributeset a a)"))
    assert (found.code, found.origin.column) == ("not-an-attribute", 28)


def test_base_itself_in_cil_is_the_same_policy():
    cil = """
    (typeattribute domain_type) (type xen_t) (type dom0_t) (typeattributeset domain_type (xen_t dom0_t))
    (role system_r) (roletype system_r xen_t) (roletype system_r dom0_t)
    (user system_u) (userrole system_u system_r)
    (level low (s0)) (levelrange only (low low))
    (sidcontext xen (system_u system_r xen_t only)) (sidcontext dom0 (system_u system_r dom0_t only))
    (allow dom0_t dom0_t (domain (create)))
    """
    one, other = linked(package("base", BASE)).policy, linked(mixed("base", cil=cil)).policy
    assert rules(one) == rules(other)
    assert [t._replace(place=None) for t in one.types] == [t._replace(place=None) for t in other.types]
    assert one.initial_sids == other.initial_sids
