"""Questions to a policy: views, queries, explanations, link maps."""

from __future__ import annotations

import json

import pytest
from policy_packages import base, linked, package

from polpkg.errors import PolicyError, UsageError
from polpkg.policy.analysis.explain import explain_access, render_rule
from polpkg.policy.analysis.link_map import read_link_map, write_link_map
from polpkg.policy.analysis.query import RuleQuery, find_rules
from polpkg.policy.analysis.view import render_condition, view_of
from polpkg.policy.ir.statements import AvKind

TEXT = """
attribute a;
type t, a;
type u, a;
type v alias old;
bool b true;
bool c false;
allow a v:domain { create pause };
allow t v:domain transition;
allow t u:mmu map_read;
auditallow t v:domain create;
if (b && !c) { allow u v:mmu map_write; } else { allow u u:mmu map_read; }
type_transition t v:domain u;
"""


@pytest.fixture(scope="module")
def view():
    app = package("app", "may_pause(dom0_t)", requires=["lib", "base"])
    lib = package("lib", requires=["base"], interfaces="\ndefine(`may_pause', `\n\tallow $1 xen_t:domain pause;')\n")
    return view_of(linked(base(TEXT), lib, app).policy)


def ask(view, **query):
    answers = find_rules(view, RuleQuery(**query))
    return [
        f"{a.source} {a.target}:{a.security_class} {' '.join(a.permissions)} {a.condition}".strip() for a in answers
    ]


def test_queries(view):
    assert ask(view, source="t", target="v") == ["a v:domain create pause", "t v:domain transition"]
    assert ask(view, source="t", target="old", expand=True) == ["t v:domain create transition pause"]
    assert ask(view, target="v", security_class="domain", permissions=frozenset({"pause"})) == [
        "a v:domain create pause"
    ]
    assert ask(view, source="a", expand=True, security_class="domain") == [
        "t v:domain create transition pause",
        "u v:domain create pause",
    ]
    assert ask(view, kind=AvKind.AUDITALLOW) == ["t v:domain create"]
    assert ask(view, source="u", security_class="mmu") == [
        "u u:mmu map_read !(b && !c)",
        "u v:mmu map_write b && !c",
    ]
    assert ask(view, source="v") == []


@pytest.mark.parametrize(
    ("query", "code", "hint"),
    [
        ({"source": "dom0_"}, "unknown-type", "did you mean `dom0_t`?"),
        ({"target": "zzz"}, "unknown-type", ""),
        ({"security_class": "domian"}, "unknown-class", "did you mean `domain`?"),
        (
            {"security_class": "domain", "permissions": frozenset({"paus"})},
            "unknown-permission",
            "did you mean `pause`?",
        ),
        ({"permissions": frozenset({"pause"})}, "missing-class", ""),
    ],
)
def test_wrong_queries(view, query, code, hint):
    with pytest.raises(UsageError) as caught:
        find_rules(view, RuleQuery(**query))
    assert (caught.value.code, caught.value.hint) == (code, hint)


def test_what_is_allowed_is_explained(view):
    answer = explain_access(view, "dom0_t", "xen_t", "domain", "pause")
    (rule,) = answer.rules
    assert answer.allowed
    assert rule.text == "allow dom0_t xen_t:domain pause;"
    assert (rule.origin.package, rule.origin.file, rule.origin.line) == ("app", "policy/app.te", 1)
    assert [(m.name, m.file, m.line) for m in rule.origin.macros] == [("may_pause", "lib:policy/lib.if", 3)]
    (rule,) = explain_access(view, "u", "v", "mmu", "map_write").rules
    assert rule.condition == "b && !c"


NOBODY = "no type at all is allowed this on that target"


@pytest.mark.parametrize(
    ("access", "missing"),
    [
        ("t v domain destroy", ["on this target it may only: create transition pause (domain)", NOBODY]),
        ("t v mmu map_write", ["on this target it has permissions of other classes only: domain", "allowed for: u"]),
        ("v t domain pause", ["no rule allows it anything on this target", NOBODY]),
    ],
)
def test_what_is_not_allowed_is_explained(view, access, missing):
    answer = explain_access(view, *access.split())
    assert not answer.allowed
    assert list(answer.missing) == missing


def test_render_condition():
    text = "bool x true; bool y true; bool z true; if (!(x || y) && x ^ y != z) { allow dom0_t xen_t:domain pause; }"
    policy = linked(base(text)).policy
    assert render_condition(policy, policy.conditionals[0].expression) == "((!(x || y)) && x) ^ (y != z)"


def test_a_link_map_is_read_back(view):
    data = write_link_map(view)
    assert json.loads(data)["format"] == 1
    assert read_link_map(data, view.policy) == view
    assert write_link_map(read_link_map(data, view.policy)) == data


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda d: d.update(format=2), "link-map-format"),
        (lambda d: d.pop("rules"), "damaged-link-map"),
        (lambda d: d["rules"][0].pop(), "damaged-link-map"),
        (lambda d: d["rules"][0].__setitem__(0, "grant"), "damaged-link-map"),
        (lambda d: d["rules"][0].__setitem__(1, "nobody_t"), "damaged-link-map"),
        (lambda d: d["rules"][0].__setitem__(3, "nothing"), "damaged-link-map"),
        (lambda d: d["rules"][0].__setitem__(4, "fly"), "damaged-link-map"),
        (lambda d: d["rules"][0].__setitem__(6, 10_000), "damaged-link-map"),
        (lambda d: d["rules"][0].__setitem__(6, "x"), "damaged-link-map"),
        (lambda d: d["rules"][0].__setitem__(4, 7), "damaged-link-map"),
        (lambda d: d["origins"].__setitem__(0, 7), "damaged-link-map"),
        (lambda d: d["type_rules"][0].__setitem__(4, "nobody_t"), "damaged-link-map"),
        (lambda d: d.update(rules=7), "damaged-link-map"),
    ],
)
def test_a_damaged_link_map(view, change, code):
    document = json.loads(write_link_map(view))
    change(document)
    with pytest.raises(PolicyError) as caught:
        read_link_map(json.dumps(document).encode(), view.policy)
    assert caught.value.code == code


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"7", b"null", b'"x"', b"\xff", b"[" * 200_000])
def test_what_is_no_link_map(view, data):
    with pytest.raises(PolicyError) as caught:
        read_link_map(data, view.policy)
    assert caught.value.code == "damaged-link-map"


def test_bounds_in_explanations():
    text = "type t; type u; type v; typebounds t u; allow u v:domain pause; allow t v:domain pause;"
    view = view_of(linked(base(text)).policy)
    assert explain_access(view, "u", "v", "domain", "pause").allowed
    without = type(view)(view.policy, tuple(r for r in view.rules if "t v" not in render_rule(view.policy, r)), ())
    answer = explain_access(without, "u", "v", "domain", "pause")
    assert (answer.allowed, answer.bounded_by) == (False, "t")
