"""What is said about optional blocks, role attributes and tunables that do not fit."""

from __future__ import annotations

import pytest

from polpkg.diagnostics import Source
from polpkg.errors import PolicyError
from polpkg.policy.abi import Abi, SecurityClass
from polpkg.policy.ir.linked import bits
from polpkg.policy.ir.module import PolicyModule
from polpkg.policy.link import LinkOptions, link
from polpkg.policy.syntax.te import PlainText, parse_te

ABI = Abi((SecurityClass("domain", ("create", "pause")),), ("xen",))
NAMES = "attribute a; type t, a; type u, a; role r; bool b true; tunable x true;\n"


def module(text, package="p", **more):
    statements, problems = parse_te(PlainText(Source("policy/p.te", text, package, "1")))
    assert not problems
    return PolicyModule(package, "1", statements, **more)


def linked(*modules):
    return link(modules, ABI, LinkOptions(complete=False))


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (
            "optional { type z; } allow z t:domain create;",
            "unknown-type: type `z` is declared in an optional block, and not required here",
        ),
        (
            "optional { require { type q; } allow q nobody:domain create; }",
            "unknown-type: type `nobody` is neither declared nor required",
        ),
        (
            "optional { require { type q; } } else { type z; }",
            "declared-in-else: an `else` block cannot declare anything",
        ),
        ("optional { require { type q; } type t; }", "duplicate-symbol: type `t` is declared in two blocks"),
        (
            "if (b && x) { allow t t:domain create; }",
            "mixed-condition: a condition is about tunables or about booleans",
        ),
        ("attribute_role ra; allow r ra; role r, r;", "not-an-attribute: `r` is a role; a role attribute is needed"),
        ("attribute_role ra; role_transition r t ra;", "not-a-role: `ra` is a role attribute; a role is needed here"),
        ("expandattribute t true;", "not-an-attribute: `t` is a type; an attribute is needed here"),
        (
            "default_user domain source; default_user domain target;",
            "conflicting-default: class `domain` has another `default_user` already: source",
        ),
    ],
)
def test_errors(text, found):
    with pytest.raises(PolicyError) as caught:
        linked(module(NAMES + text))
    (said,) = caught.value.diagnostics
    assert f"{said.code}: {said.message}".startswith(found)


def test_a_block_asks_for_what_another_package_declares():
    """Whether it holds depends on what is linked, not on the order."""
    optional = "optional { require { type far_t; } allow t far_t:domain pause; } else { allow t t:domain create; }"
    near, far = module(NAMES + optional), module("type far_t;", "q")
    alone = linked(near).policy
    assert [(r.source, r.target) for r in alone.rules] == [(alone.number_of_type("t"),) * 2]
    together = linked(near, far).policy
    assert linked(far, near).policy == together
    assert [r.target for r in together.rules] == [together.number_of_type("far_t")]


def test_without_self_means_every_other_type():
    policy = linked(module(NAMES + "neverallow a { a -self }:domain create;")).policy
    pairs = {(s, t) for n in policy.neverallows for s in bits(n.sources) for t in bits(n.targets)}
    t, u = policy.number_of_type("t"), policy.number_of_type("u")
    assert pairs == {(t, u), (u, t)}
    assert linked(module(NAMES + "neverallow a { a -self }:domain create; allow t self:domain create;"))
    with pytest.raises(PolicyError, match="breaks a neverallow rule"):
        linked(module(NAMES + "neverallow a { a -self }:domain create; allow t u:domain create;"))


def test_a_complement_with_self_is_ambiguous():
    (warning,) = linked(module(NAMES + "neverallow a ~self:domain create;")).warnings
    assert warning.code == "ambiguous-assertion"


def test_role_attributes_inside_one_another():
    text = "attribute_role ra; attribute_role rb; roleattribute ra rb; role rx, ra; role rb types t; allow rb r;"
    policy = linked(module(NAMES + text)).policy
    number = [role.name for role in policy.roles].index("rx")
    assert policy.roles[number].types == 1 << policy.number_of_type("t")
    assert policy.role_allows == ((number, [role.name for role in policy.roles].index("r")),)
