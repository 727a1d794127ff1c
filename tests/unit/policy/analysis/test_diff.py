"""What one policy says that another does not."""

from __future__ import annotations

from dataclasses import replace

from policy_packages import ABI, base, linked

from polpkg.policy.abi import Abi, SecurityClass
from polpkg.policy.analysis.diff import Changed, RuleChange, diff_policies
from polpkg.policy.analysis.sections import SECTIONS

DECLARATIONS = "attribute a; type t, a; type u, a; bool b true; bool c false; role system_r types { t u };"


def policy(text="", **settings):
    return linked(base(DECLARATIONS + text), **settings).policy


def difference(old, new):
    return diff_policies(policy(old), policy(new))


def added(old, new):
    return [(r.source, r.target, r.security_class, " ".join(r.permissions)) for r in difference(old, new).allow.added]


def test_a_policy_says_the_same_as_itself():
    text = "allow a a:domain pause; if (b) { allow t u:mmu map_read; }"
    assert difference(text, text).is_empty


def test_attributes_are_expanded():
    assert difference("allow a t:domain pause;", "allow { t u } t:domain pause;").is_empty
    assert added("allow t t:domain pause;", "allow a t:domain pause;") == [("u", "t", "domain", "pause")]


def test_permissions_of_several_rules_are_one_answer():
    new = "allow t u:domain { pause create }; allow t a:domain destroy;"
    assert added("allow t u:domain pause;", new) == [
        ("t", "t", "domain", "destroy"),
        ("t", "u", "domain", "create destroy"),
    ]


def test_what_is_removed_is_what_the_other_way_round_is_added():
    old, new = "allow a a:domain pause;", "allow t u:domain { pause create }; auditallow t t:mmu map_read;"
    there, back = difference(old, new), difference(new, old)
    assert there.allow.added == back.allow.removed
    assert there.allow.removed == back.allow.added
    assert there.audit.added == back.audit.removed
    assert [rule.kind for rule in there.audit.added] == ["auditallow"]


def test_conditions_are_compared_by_what_they_mean():
    rule = "{ allow t u:domain pause; }"
    assert difference(f"if (!(b && c)) {rule}", f"if (!c || !b) {rule}").is_empty
    assert difference(f"if (b) {{ }} else {rule}", f"if (!b) {rule}").is_empty
    (found,) = difference(f"if (b) {rule}", f"if (b || c) {rule}").allow.added
    assert found == RuleChange("allow", "t", "u", "domain", ("pause",), "b || c")


def test_a_condition_says_nothing_where_the_same_holds_always():
    always, under = "allow a u:domain pause;", "if (b) { allow t u:domain pause; }"
    assert difference(always, always + under).is_empty
    assert [r.condition for r in difference(under, always).allow.added] == ["", ""]
    assert difference(always, under).allow.added == ()
    assert [r.source for r in difference(always, under).allow.removed] == ["t", "u"]


def test_type_rules_are_compared():
    found = difference("", "type_transition t a:domain u;").type_rules
    assert [(r.source, r.target, r.result) for r in found.added] == [("t", "t", "u"), ("t", "u", "u")]
    assert found.removed == ()


def test_every_section_is_compared():
    old = policy(
        "role other_r; user v_u roles system_r; constrain domain create (t1 == a); pirqcon 3 system_u:system_r:t"
    )
    new = policy(
        "type w alias x; permissive t; attribute z; typeattribute w a; role other_r; role other_r types w;"
        "user v_u roles other_r;"
        "constrain domain create (t1 == { t u }); allow other_r system_r; pirqcon 3 system_u:system_r:u"
    )
    found = diff_policies(old, replace(new, booleans=(new.booleans[0]._replace(default=False), *new.booleans[1:])))
    assert set(found.sections) == set(SECTIONS)
    assert found.sections["types"] == (("w",), (), (Changed("t", ("permissive",), ()),))
    assert found.sections["attributes"] == (("z",), (), (Changed("a", ("w",), ()),))
    assert found.sections["roles"].changed == (Changed("other_r", ("w",), ()),)
    assert found.sections["users"].changed == (Changed("v_u", ("other_r",), ("system_r",)),)
    assert found.sections["booleans"].changed == (Changed("b", ("false",), ("true",)),)
    assert found.sections["role_rules"].added == ("allow other_r system_r;",)
    assert found.sections["contexts"].removed == ("pirqcon 3 system_u:system_r:t",)
    assert found.sections["contexts"].added == ("pirqcon 3 system_u:system_r:u",)
    assert found.sections["constraints"] == ((), (), ())


def test_constraints_are_compared_by_types():
    one, other = (f"constrain domain create (t1 == {names});" for names in ("a", "t"))
    found = difference(one, other).sections["constraints"]
    assert found.added == ("constrain domain create (t1 == t);",)
    assert found.removed == ("constrain domain create (t1 == { t u });",)


def test_policies_for_different_hypervisors_are_compared_by_name():
    mmu, domain, resource = ABI.classes[1], ABI.classes[0], ABI.classes[2]
    other = Abi(
        (mmu, SecurityClass("domain", (*domain.permissions[::-1], "new")), resource), ABI.initial_sids, "4.18.0"
    )
    text = "allow t u:domain { create pause };"
    found = diff_policies(policy(text), policy(text, abi=other))
    assert found.allow == ((), ())
    assert found.abi.permissions_added == ("domain.new",)
    assert not found.is_empty
