"""Packages beside one another: strict dependencies, ownership, macros, owners, instances and assertions."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from policy_packages import ABI, base, findings, linked, package, rules

from polpkg.policy.abi import Abi

LIB = package("lib", "type lib_t; type lib_private_t;", owns=["lib_*"], interfaces=(
    "define(`lib_use', `allow $1 lib_t:domain pause;')\n"
    "define(`lib_make', `type $1, domain_type; allow $1 lib_private_t:domain create;')\n"
), requires=["base"])  # fmt: skip


def codes(*packages, **settings):
    return [d.code for d in findings(*packages, **settings)]


# Strict dependencies


def test_what_a_package_requires_it_may_use():
    app = package("app", "type app_t;\nallow app_t lib_t:domain pause;\nlib_use(app_t)\n", requires=["lib"])
    assert linked(base(), LIB, app).policy


def test_a_name_of_a_package_that_is_not_required():
    app = package("app", "type app_t;\nallow app_t lib_t:domain pause;\n", requires=["base"])
    (found,) = findings(base(), LIB, app)
    assert found.code == "undeclared-dependency"
    assert found.message == "package `app` uses type `lib_t` of package `lib`, which it does not require"
    assert (found.origin.package, found.origin.line) == ("app", 2)
    assert found.notes[0].origin.package == "lib"
    assert found.hint == 'add `lib = "*"` to [requires] in its polpkg.toml'


@pytest.mark.parametrize(
    "text",
    [
        "typeattribute app_t other_type;",
        "type more_t, other_type;",
        "role app_r; role app_r types other_t;",
        "role other_r types app_t;",
        "allow app_t { app_t -other_t }:domain create;",
        "neverallow app_t ~other_t:mmu map_read;",
        "type_transition app_t app_t:domain other_t;",
        "if (other_bool) { }",
        "constrain domain create (t1 == other_t);",
        "constrain domain create (u1 == other_u);",
        "constrain domain create (r1 == other_r);",
        "user app_u roles other_r;",
        "allow other_r other_r;",
        "pirqcon 1 other_u:object_r:app_t",
        "pirqcon 1 other_u:object_r:other_t",
        "typealias other_t alias app_alias_t;",
        "typebounds other_t app_t;",
        "permissive other_t;",
        "require { type other_t; }",
    ],
)
def test_every_use_of_a_name_needs_the_requirement(text):
    other = package(
        "other", "attribute other_type; type other_t; role other_r; user other_u roles other_r; bool other_bool true;"
    )
    app = package("app", f"type app_t; {text}", requires=["base"])
    assert "undeclared-dependency" in set(codes(base(), other, app)) <= {"undeclared-dependency", "foreign-permissive"}
    allowed = package("app", f"type app_t; {text}", requires=["base", "other"])
    if "permissive" not in text:
        assert linked(base(), other, allowed).policy


def test_only_the_owner_of_a_type_makes_it_permissive():
    """Assertions do not see permissive types, so a package could switch off what others state."""
    app = package("app", "permissive dom0_t;", requires=["base"])
    assert codes(base(), app) == ["foreign-permissive"]
    own = package("app", "type app_t; permissive app_t;", requires=["base"])
    assert [w.code for w in linked(base(), own).warnings] == ["permissive-type"]


def test_a_required_package_does_not_hand_on_its_requirements():
    app = package("app", "type app_t; allow app_t dom0_t:domain pause;", requires=["lib"])
    assert codes(base(), LIB, app) == ["undeclared-dependency"]


def test_a_macro_may_use_what_its_own_package_may_use():
    """`lib_make` uses `domain_type` of `base`, which `app` does not require."""
    app = package("app", "lib_make(app_t)", requires=["lib"])
    assert linked(base(), LIB, app).policy


def test_a_macro_of_a_package_that_is_not_required():
    top = package("top", "type top_t;\nlib_use(top_t)\n", requires=["app"])
    app = package("app", "type app_t;", requires=["lib"])
    (found,) = findings(base(), LIB, app, top)
    assert found.message == "package `top` calls macro `lib_use` of package `lib`, which it does not require"
    assert (found.origin.package, found.origin.line) == ("top", 2)


def test_a_macro_of_a_stranger_is_not_visible():
    top = package("top", "type top_t;\nlib_use(top_t)\n", requires=["base"])
    (found,) = findings(base(), LIB, top)
    assert found.code == "unknown-macro"


# Ownership


def test_what_a_package_does_not_own_it_may_not_declare():
    text = "type lib_ok_t; type other_t; attribute x; role r; user u roles r; bool b true; typealias lib_ok_t alias y;"
    found = findings(base(), package("lib", text, owns=["lib_*", "x_only"], requires=["base"]))
    assert {d.code for d in found} == {"not-owned"}
    names = [word.split("`")[0] for d in found for word in d.message.split(" `")[2:3]]
    assert names == ["other_t", "x", "r", "u", "b", "y"]
    assert linked(base(), package("lib", "type x_only; type lib_t;", owns=["lib_*", "x_only"])).policy


def test_two_packages_may_not_own_one_prefix():
    one, two = package("one", "type a_t;", owns=["a_*"]), package("two", "type a_b_t;", owns=["a_b_*"])
    assert "owned-twice" in codes(base(), one, two)


@pytest.mark.parametrize(
    "declaration",
    ["type t;", "attribute t;", "typealias x_t alias t;", "type y_t alias t;"],
    ids=lambda d: d.split()[0],
)
def test_a_duplicate_in_two_packages_names_both_places(declaration):
    one, two = package("one", "\ntype t;"), package("two", f"type x_t;\n\n{declaration}")
    (found,) = findings(base(), one, two)
    assert found.code == "duplicate-symbol"
    assert "is already declared by package `one` as a type" in found.message
    assert (found.origin.package, found.origin.line) == ("two", 3)
    assert (found.notes[0].origin.package, found.notes[0].origin.line) == ("one", 2)


@pytest.mark.parametrize("declaration", ["role r;", "user u roles system_r;", "bool b true;"])
def test_duplicate_roles_users_and_booleans(declaration):
    one = package("one", declaration, requires=["base"])
    two = package("two", declaration, requires=["base"])
    assert codes(base(), one, two) == ["duplicate-symbol"]
    again = package("one", f"{declaration} {declaration}", requires=["base"])
    if declaration.startswith("bool"):
        assert codes(base(), again) == ["duplicate-symbol"]
    else:
        assert linked(base(), again).policy


def test_a_macro_has_one_defining_package():
    two = package("two", requires=["lib"], interfaces="\ndefine(`lib_use', `')\n")
    (found,) = findings(base(), LIB, two)
    assert (found.code, found.message) == ("duplicate-macro", "macro `lib_use` is already defined by package `lib`")
    assert (found.origin.package, found.origin.line) == ("two", 2)
    assert found.notes[0].text == "defined in lib: policy/lib.if:1"


def test_strangers_may_have_macros_of_one_name():
    one = package("one", "type one_t; m(one_t)", interfaces="define(`m', `allow $1 $1:domain create;')")
    two = package("two", "type two_t; m(two_t)", interfaces="define(`m', `allow $1 $1:domain pause;')")
    assert rules(linked(base(), one, two).policy)[1:] == [
        "allow one_t one_t:domain create",
        "allow two_t two_t:domain pause",
    ]


# Owners, parameters, versions


@dataclass(frozen=True)
class Owners:
    table: dict

    def owners(self, function, client):
        return self.table.get((function, client), ())

    def clients(self, function, owner):
        return tuple(c for (f, c), owners in self.table.items() if f == function and owner in owners)

    def functions(self):
        return ("net-backend", "console")


OWNERS = Owners({("net-backend", "guest_t"): ("net_t",), ("console", "guest_t"): ("dom0_t", "net_t")})
NET = package("net", "type net_t;", owns=["net_*"])
GUEST = "type guest_t;\ndefine(`client', `allow $2 $1:resource use;')\n"


def guest(text):
    return package("guest", GUEST + text, requires=["base"])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("for_each_owner(net_backend, guest_t, `client')", ["allow guest_t net_t:resource use"]),
        (
            "for_each_owner(console, guest_t, `client')",
            ["allow guest_t dom0_t:resource use", "allow guest_t net_t:resource use"],
        ),
        ("for_each_owner(console, other_t, `client')", []),
        ("for_each_client(console, net_t, `client')", ["allow guest_t net_t:resource use"]),
        ("ifowner(console, dom0_t, guest_t, `client(xen_t, guest_t)')", ["allow guest_t xen_t:resource use"]),
        (
            "ifowner(net_backend, dom0_t, guest_t, `x', `client(xen_t, guest_t)')",
            ["allow guest_t xen_t:resource use"],
        ),
        ("ifowner(net_backend, dom0_t, guest_t, `x')", []),
    ],
)
def test_owners_need_no_requirement(text, expected):
    policy = linked(base(), NET, guest(text), owners=OWNERS, handed=["net_t", "dom0_t", "guest_t"]).policy
    assert rules(policy)[1:] == expected


def test_an_owner_named_by_hand_needs_a_requirement():
    text = "allow guest_t net_t:resource use;"
    assert codes(base(), NET, guest(text), owners=OWNERS, handed=["net_t"]) == ["undeclared-dependency"]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("for_each_owner(net_backen, guest_t, `client')", "unknown-function"),
        ("for_each_owner(net_backend)", "too-few-arguments"),
        ("ifowner(net_backend, dom0_t)", "too-few-arguments"),
        ("parameter(vmv, memory)", "unknown-parameter"),
        ("xen_at_least(four)", "not-a-version"),
        (f"xen_at_least(4, {'9' * 5000})", "not-a-version"),
    ],
)
def test_wrong_calls(text, code):
    (found,) = findings(base(), guest(text), owners=OWNERS)
    assert found.code == code
    assert (found.origin.package, found.origin.line) == ("guest", 3)


def test_parameters():
    text = "ifelse(parameter(vmv, strict), `true', `allow guest_t guest_t:domain pause;')"
    assert rules(linked(base(), guest(text), parameters={("vmv", "strict"): "true"}).policy)[1:]
    assert not rules(linked(base(), guest(text), parameters={("vmv", "strict"): ""}).policy)[1:]


@pytest.mark.parametrize(
    ("call", "holds"),
    [("4", True), ("4, 17", True), ("4, 17, 7", True), ("4, 17, 8", False), ("4, 18", False), ("5", False)],
)
def test_xen_at_least(call, holds):
    text = f"ifelse(xen_at_least({call}), `1', `allow guest_t guest_t:domain pause;')"
    assert bool(rules(linked(base(), guest(text)).policy)[1:]) is holds


def test_xen_at_least_asks_for_a_version():
    abi = Abi(ABI.classes, ABI.initial_sids)
    assert codes(base(), guest("xen_at_least(4, 17)"), abi=abi) == ["unknown-version"]


@pytest.mark.parametrize(
    ("name", "defined"),
    [
        ("xen_class_mmu", True),
        ("xen_class_argo", False),
        ("xen_perm_domain_pause", True),
        ("xen_perm_domain_vuart", False),
        ("xen_sid_dom0", True),
        ("xen_sid_xenboot", False),
        ("enable_mls", False),
        ("self_contained_policy", True),
    ],
)
def test_guards(name, defined):
    text = f"ifdef(`{name}', `allow guest_t guest_t:domain pause;')"
    assert bool(rules(linked(base(), guest(text)).policy)[1:]) is defined


# Assertions


def test_a_violated_assertion_names_the_rule_and_itself():
    watch = package(
        "watch",
        requires=["base", "app"],
        interfaces="define(`assert_only', `neverallow ~$1 $2:domain pause;')\n",
        assertions={"only dom0 pauses apps": "assert_only(dom0_t, app_t)"},
    )
    app = package(
        "app",
        "type app_t;\ntype bad_t;\nmay_pause(bad_t, app_t)\n",
        requires=["base"],
        interfaces="define(`may_pause', `\n\tallow $1 $2:domain { create pause };')\n",
    )
    (found,) = findings(base(), app, watch)
    assert found.code == "assertion-violated"
    assert found.message == "allow bad_t app_t:domain { pause } breaks assertion 'only dom0 pauses apps'"
    assert (found.origin.package, found.origin.file, found.origin.line) == ("app", "policy/app.te", 3)
    assert [(m.name, m.line) for m in found.origin.macros] == [("may_pause", 2)]
    note = found.notes[0]
    assert note.text == "the assertion: neverallow ~dom0_t app_t:domain pause;"
    assert (note.origin.package, note.origin.file) == ("watch", "policy/watch.if")
    assert [m.name for m in note.origin.macros] == ["assert_only"]


@pytest.mark.parametrize(
    ("assertion", "rule", "broken"),
    [
        ("neverallow t u:domain create;", "allow t u:domain create;", True),
        ("neverallow t u:domain create;", "allow t u:domain pause;", False),
        ("neverallow a u:domain create;", "allow t u:domain create;", True),
        ("neverallow t u:domain create;", "allow a a:domain create;", True),
        ("neverallow a self:domain create;", "allow t u:domain create;", False),
        ("neverallow a self:domain create;", "allow t t:domain create;", True),
        ("neverallow a self:domain create;", "allow a a:domain create;", True),
        ("neverallow a { self v }:domain create;", "allow t v:domain create;", True),
        ("neverallow a { self v }:domain create;", "allow t u:domain create;", False),
        ("neverallow ~t v:domain *;", "allow t v:domain create;", False),
        ("neverallow ~t v:domain *;", "allow u v:domain create;", True),
        ("neverallow * v:domain ~pause;", "allow u v:domain pause;", False),
        ("neverallow * ~{ t u v }:resource *;", "allow t u:resource add;", False),
        ("neverallow a -t u:domain create;", "allow t u:domain create;", False),
        ("neverallow t u:{ domain mmu } *;", "allow t u:mmu map_read;", True),
        ("neverallow t u:domain create;", "if (b) { allow t u:domain create; }", True),
        ("neverallow t u:domain create;", "if (b) { } else { allow t u:domain create; }", True),
        ("neverallow t u:domain create;", "auditallow t u:domain create;", False),
        ("neverallow empty *:domain create;", "allow t u:domain create;", False),
    ],
)
def test_assertions(assertion, rule, broken):
    text = f"attribute a; attribute empty; type t, a; type u, a; type v; bool b true;\n{assertion}\n{rule}\n"
    if broken:
        assert codes(base(text)) == ["assertion-violated"]
    else:
        assert linked(base(text)).policy.neverallows


def test_a_rule_on_attributes_gets_an_example():
    (found,) = findings(base("attribute a; type t, a; type u, a;\nneverallow t u:mmu *;\nallow a a:mmu map_read;\n"))
    assert found.notes[-1].text == "for example, t gets it on u"


def test_an_alias_may_have_aliases():
    policy = linked(base("typealias b_t alias c_t; typealias a_t alias b_t; type a_t;")).policy
    assert policy.types[policy.number_of_type("c_t")].name == "a_t"
    assert codes(base("typealias b_t alias c_t; typealias c_t alias b_t;")) == ["unknown-type"] * 2
