"""How rules are bound: sets, self, attributes, conditions, computed labels."""

from __future__ import annotations

import pytest
from policy_packages import base, findings, linked, rules

DECLARATIONS = "attribute a; attribute empty; type t, a; type u, a; type v alias old; bool b true; bool c false;"
FIRST = ["allow dom0_t dom0_t:domain create"]


def bound(text):
    return [rule.removeprefix("allow ") for rule in rules(linked(base(DECLARATIONS + text)).policy)[1:]]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("allow t u:domain create;", ["t u:domain create"]),
        ("allow a v:domain create;", ["a v:domain create"]),
        ("allow old v:domain create;", ["v v:domain create"]),
        ("allow { t t } v:domain create;", ["t v:domain create"]),
        ("allow a -t v:domain create;", ["u v:domain create"]),
        ("allow { a v -t } v:domain create;", ["u v:domain create", "v v:domain create"]),
        ("allow { -t } v:domain create;", []),
        ("allow { a -a } v:domain create;", []),
        ("allow empty v:domain create;", ["empty v:domain create"]),
        ("allow empty self:domain create;", []),
        ("allow a self:domain create;", ["t t:domain create", "u u:domain create"]),
        (
            "allow a { self v }:domain create;",
            ["t t:domain create", "t v:domain create", "u u:domain create", "u v:domain create"],
        ),
        ("allow t { self t }:domain create;", ["t t:domain create"]),
        ("allow t v:{ domain mmu } *;", ["t v:domain create transition pause destroy", "t v:mmu map_read map_write"]),
        ("allow t v:domain ~{ create pause };", ["t v:domain transition destroy"]),
        ("allow t v:mmu ~{ map_read map_write };", []),
    ],
)
def test_sets(text, expected):
    assert bound(text) == expected


@pytest.mark.parametrize(
    ("text", "code", "message"),
    [
        ("allow t *:domain create;", "syntax-error", "`*` is allowed in neverallow rules only"),
        ("allow ~t u:domain create;", "syntax-error", "`~` is allowed in neverallow rules only"),
        ("allow self u:domain create;", "syntax-error", "`self` is allowed as the target of a rule only"),
        ("allow t { a -self }:domain create;", "syntax-error", "`-self` is allowed in neverallow rules only"),
        ("role system_r types self;", "syntax-error", "`self` is allowed as the target of a rule only"),
        ("role system_r types *;", "syntax-error", "`*` and `~` are not allowed in the types of a role"),
        ("allow t u:domain { create -pause };", "syntax-error", "permissions are listed by name; `-` is not"),
        ("allow system_r *;", "syntax-error", "roles are listed by name here"),
        ("user x_u roles *;", "syntax-error", "the roles of a user are listed by name"),
        ("user x_u roles system_r level s0 range s0;", "mls-disabled", "this user has a level"),
        ("type self;", "reserved-name", "`self` stands for the source of a rule"),
        ("attribute x.y;", "dotted-name", "attribute `x.y` may not have a dot in its name"),
        ("role x.y;", "dotted-name", "role `x.y` may not have a dot"),
        ("type x.y;", "unknown-type", "type `x` is not declared by any package here"),
        ("typealias a alias other;", "not-a-type", "`a` is an attribute; a type is needed here"),
        ("typealias none alias other;", "unknown-type", "type `none` is not declared"),
        ("typeattribute t u;", "not-an-attribute", "`u` is a type; an attribute is needed here"),
        ("typeattribute a a;", "not-a-type", "`a` is an attribute; a type is needed here"),
        ("permissive a;", "not-a-type", "`a` is an attribute"),
        ("type_transition t u:domain a;", "not-a-type", "`a` is an attribute"),
        ("allow t u:nothing create;", "unknown-class", "class `nothing` exists in no known version of Xen"),
        ("allow t u:argo send;", "unknown-class", "it exists since Xen 4.12.0"),
        ("allow t u:domain paus;", "unknown-permission", "permission `paus` of class `domain` exists in no known"),
        ("allow t uu:domain pause;", "unknown-type", "type `uu` is not declared by any package here"),
        ("if (d) { }", "unknown-boolean", "boolean `d` is not declared"),
        ("role_transition system_r t:mmu system_r;", "not-for-xen", "would be applied to `domain` by Xen"),
        ("sid nobody system_u:system_r:xen_t", "unknown-sid", "initial SID `nobody` does not exist"),
        ("sid xen system_u:system_r:xen_t", "duplicate-symbol", "initial SID `xen` has a context already"),
        ("pirqcon 1 system_u:system_r:t", "invalid-context", "role `system_r` may not have type `t`"),
        ("role x_r; pirqcon 1 system_u:x_r:t", "invalid-context", "user `system_u` may not have role `x_r`"),
        ("constrain domain create (t3 == t);", "syntax-error", "`t3` is for `validatetrans` only"),
        ("mlsconstrain domain create (u1 == u2);", "mls-disabled", "`mlsconstrain` needs a policy with MLS"),
        ("sensitivity s0;", "mls-disabled", "this declares levels"),
        ("range_transition t u:domain s0;", "mls-disabled", "`range_transition` needs a policy with MLS"),
        ("class domain", "tables-in-package", "package `base` declares classes, permissions or initial SIDs"),
        ("typebounds t u; typebounds v u;", "bounded-twice", "type `u` is already bounded by `t`"),
        ("typebounds t t;", "bounds-too-deep", "has more than 3 types above it"),
        (
            "type w; type x; typebounds t u; typebounds u v; typebounds v w; typebounds w x;",
            "bounds-too-deep",
            "type `x`",
        ),
        ("typebounds t u; allow u v:domain create;", "bounds-exceeded", "gets { create } on v:domain"),
        ("require { type missing_t; }", "unknown-type", "type `missing_t` is not declared"),
        ("require { class missing; }", "syntax-error", "expected a name or `{` but found `;`"),
    ],
)
def test_what_is_refused(text, code, message):
    found = findings(base(DECLARATIONS + text))
    assert [d.code for d in found] == [code]
    assert message in found[0].message
    assert found[0].origin.file == "policy/base.te"


def test_each_error_is_reported_once_and_in_order():
    text = (
        "allow uu t:domain create;\nallow t nope:domain create;\nallow uu uu:domain creat;\nallow t uu:domain creat;\n"
    )
    found = findings(base(f"type t;\n{text}"))
    assert [(d.code, d.origin.line) for d in found] == [
        ("unknown-type", 12),
        ("unknown-type", 13),
        ("unknown-permission", 14),
    ]
    assert found[2].hint == "did you mean `create`?"


# Computed labels


def computed(text):
    policy = linked(base(DECLARATIONS + text)).policy
    names = policy.types
    return [f"{names[r.source].name} {names[r.target].name} {names[r.result].name}" for r in policy.type_rules]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("type_transition a v:domain t;", ["t v t", "u v t"]),
        ("type_transition t v:domain t; type_transition t v:domain t;", ["t v t"]),
        ("type_transition t v:domain t; type_change t v:domain u;", ["t v t", "t v u"]),
        ("type_transition t v:domain t; type_transition t v:mmu u;", ["t v t", "t v u"]),
        ("type_transition empty v:domain t;", []),
    ],
)
def test_type_rules(text, expected):
    assert computed(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "type_transition t v:domain t; type_transition t v:domain u;",
        "type_transition a v:domain t; type_transition t v:domain u;",
        "if (b) { type_transition t v:domain t; } type_transition t v:domain u;",
        "if (b) { type_transition t v:domain t; } type_transition t v:domain t;",
        "if (b) { type_transition t v:domain t; type_transition t v:domain u; }",
        "if (b) { type_transition t v:domain t; } if (c) { type_transition t v:domain u; }",
        "if (b) { type_transition t v:domain t; } if (!(!b)) { type_transition t v:domain u; }",
    ],
)
def test_type_rules_that_contradict(text):
    (found,) = findings(base(DECLARATIONS + text))
    assert found.code == "conflicting-type-rule"
    assert found.notes[0].origin is not None


@pytest.mark.parametrize(
    "text",
    [
        "if (b) { type_transition t v:domain t; } else { type_transition t v:domain u; }",
        "if (b) { type_transition t v:domain t; } if (!b) { type_transition t v:domain u; }",
        "if (b) { type_transition t v:domain t; } if (b || b) { type_transition t v:domain t; }",
    ],
)
def test_type_rules_of_opposite_conditions_do_not_contradict(text):
    assert linked(base(DECLARATIONS + text)).policy.conditionals


def test_role_transitions():
    more = "role r; role_transition system_r t:domain r; role_transition system_r t r;"
    assert len(linked(base(DECLARATIONS + more)).policy.role_transitions) == 1
    (found,) = findings(base(DECLARATIONS + more + "role_transition system_r t system_r;"))
    assert found.code == "conflicting-role-transition"


# Depth


def nested(operator, names):
    return f" {operator} ".join(f"({name}" for name in names) + ")" * len(names)


def test_what_xen_can_evaluate():
    """Five values of a constraint at once, ten of a condition."""
    terms = ["t1 == t"] * 5
    assert linked(base(DECLARATIONS + f"constrain domain create {nested('and', terms)};")).policy.constraints
    (found,) = findings(base(DECLARATIONS + f"constrain domain create {nested('and', [*terms, 'u1 == u2'])};"))
    assert found.code == "expression-too-deep"
    names = ["b", "c"] * 5
    assert linked(base(DECLARATIONS + f"if {nested('&&', names)} {{ }}")).policy.conditionals
    (found,) = findings(base(DECLARATIONS + f"if {nested('&&', [*names, 'b'])} {{ }}"))
    assert found.code == "expression-too-deep"


# Bounds


@pytest.mark.parametrize(
    "text",
    [
        "allow u v:domain create; allow t v:domain { create pause };",
        "allow u u:domain create; allow t t:domain create;",
        "allow a v:domain create;",
        "auditallow u v:domain create;",
        "if (b) { allow u v:domain create; allow t v:domain create; }",
        "if (b) { allow t v:domain create; } else { allow t v:domain create; } allow u v:domain create;",
    ],
)
def test_bounds_that_hold(text):
    policy = linked(base(DECLARATIONS + "typebounds t u;" + text)).policy
    assert policy.types[policy.number_of_type("u")].bounds == policy.number_of_type("t")


@pytest.mark.parametrize(
    "text",
    [
        "allow u v:domain { create pause }; allow t v:domain create;",
        "allow u u:domain create;",
        "if (b) { allow t v:domain create; } allow u v:domain create;",
        "if (b) { allow t v:domain create; } else { allow u v:domain create; }",
        "if (b) { auditallow t v:domain create; allow u v:domain create; }",
    ],
)
def test_bounds_that_are_exceeded(text):
    (found,) = findings(base(DECLARATIONS + "typebounds t u;" + text))
    assert found.code == "bounds-exceeded"
    assert "`u` is bounded by `t`" in found.message


def test_a_dot_in_the_name_of_a_type_bounds_it():
    policy = linked(base("type x; type x.y;")).policy
    assert policy.types[policy.number_of_type("x.y")].bounds == policy.number_of_type("x")
    assert [d.code for d in findings(base("type x; type x.y; allow x.y x.y:domain create;"))] == ["bounds-exceeded"]


# Labels


@pytest.mark.parametrize(
    "text",
    [
        "pirqcon 1 {0}\npirqcon 1 {0}",
        "ioportcon 0x10-0x20 {0}\nioportcon 0x20 {0}",
        "iomemcon 0x10-0x20 {0}\niomemcon 0x0-0x10 {0}",
        "devicetreecon /a {0}\ndevicetreecon /a {0}",
        "ioportcon 0x10-0x40 {0}\nioportcon 0x11 {0}\nioportcon 0x30 {0}",
    ],
)
def test_devices_labelled_twice(text):
    found = findings(base("type t;" + text.replace("{0}", "system_u:object_r:t")))
    assert {d.code for d in found} == {"device-labelled-twice"}
    assert len(found) == text.count("\n")


def test_sids_without_a_context():
    from policy_packages import BASE, package

    text = "\n".join(line for line in BASE.splitlines() if not line.startswith("sid dom0"))
    (found,) = findings(package("p", text))
    assert found.code == "missing-sid"
    assert "`dom0`" in found.message
    assert linked(package("p", text), complete=False).policy.initial_sids[1] is None


def test_what_a_role_excludes_it_never_has():
    policy = linked(base("attribute a; type t, a; type u, a; role r types { a -t }; role r types t; role r;")).policy
    role = next(role for role in policy.roles if role.name == "r")
    assert role.types == 1 << policy.number_of_type("u")


def test_warnings():
    result = linked(base("type t; permissive t; policycap open_perms; validatetrans domain (t3 == t);"))
    assert sorted(w.code for w in result.warnings) == ["ignored-by-xen", "ignored-by-xen", "permissive-type"]
