"""What lint finds, and what it leaves alone."""

from __future__ import annotations

import pytest
from policy_packages import ABI, base, package

from polpkg.diagnostics import MANIFEST, Frame, Place, Severity, Source
from polpkg.policy.abi import Abi, SecurityClass
from polpkg.policy.link import LinkOptions, link
from polpkg.policy.lint import LINTS, Release, Subject, lint
from polpkg.policy.modules import Environment, build_modules

OLDER = Abi(
    (SecurityClass("domain", ("create", "transition")), SecurityClass("mmu", ("map_read",))), ("xen", "dom0"), "4.6.0"
)
BROAD = "attribute base_shared; typeattribute dom0_t base_shared; allow base_shared self:mmu map_read;"


def found(text="", *, interfaces="", requires=("base",), others=(), releases=(), more=()):
    """The findings about a package `app` with this text."""
    app = package("app", text, requires=requires, interfaces=interfaces)
    packages = [base(BROAD), *others, app]
    modules = build_modules(packages, Environment(ABI))
    places = {name: Place(Frame(Source(MANIFEST, "", "app", "1.0")), n) for n, name in enumerate(requires, 1)}
    older = [build_modules(packages, Environment(abi))[-1] for abi in releases]
    subject = Subject(
        modules[-1],
        modules,
        link(modules, ABI, LinkOptions()).policy,
        app.fragments,
        places,
        tuple(Release((abi.version,), abi, module) for abi, module in zip(releases, older, strict=True)),
    )
    return lint([subject], app.fragments, more)


def codes(text="", **settings):
    return [each.code for each in found(text, **settings)]


USED = "allow dom0_t xen_t:domain create;\n"


def test_a_good_package_has_no_findings():
    macro = "# app_rules(domain)\n#   What the domain may do.\ndefine(`app_rules', `allow $1 $1:mmu map_read;')\n"
    assert codes(f"{USED}type app_t;\napp_rules(app_t)\n", interfaces=macro) == []


def test_a_requirement_that_nothing_needs():
    (only,) = found("type app_t; allow app_t app_t:domain pause;")
    assert (only.code, only.origin.file) == ("unused-requirement", MANIFEST)
    assert only.message == "package `base` is required, and nothing of it is used"


def test_a_macro_is_a_use_of_its_package():
    other = package("other", interfaces="define(`other_rules', `allow $1 self:domain pause;')\n")
    assert codes(f"{USED}other_rules(dom0_t)\n", requires=("base", "other"), others=[other]) == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("type app_t;", ["unused-type"]),
        ("type app_t; role system_r types app_t;", ["unused-type"]),
        ("type app_t, base_shared;", []),
        ("type app_t, domain_type;", ["unused-type"]),
        ("type app_t alias app_old; allow app_old xen_t:mmu map_read;", []),
        ("type app_t; pirqcon 4 system_u:system_r:app_t\nrole system_r types app_t;", []),
        ("type app_t; neverallow app_t *:mmu *;", []),
        ("bool app_b true; type app_t; if (app_b) { allow app_t app_t:mmu map_read; }", []),
        ("attribute app_a;", ["unused-attribute"]),
        ("attribute app_a; typeattribute dom0_t app_a;", ["unused-attribute"]),
        ("attribute app_a; constrain domain create (t1 == app_a);", []),
        ("attribute app_a; role system_r types app_a;", []),
    ],
)
def test_what_nothing_is_about(text, expected):
    assert codes(USED + text) == expected


def test_macros_without_documentation():
    interfaces = (
        "# one(x)\ndefine(`one', `')\ndefine(`same', `')\n\ndefine(`two', `')\n# x\n\n"
        "interface(`three',`')\ndefine(`_own', `')\n"
    )
    messages = [(f.message, f.origin.line) for f in found(USED, interfaces=interfaces)]
    assert messages == [
        ("macro `two` has no comment that says what it is for", 5),
        ("macro `three` has no comment that says what it is for", 8),
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("type app_t; allow app_t xen_t:domain { create pause };\nallow app_t xen_t:domain pause;", 1),
        ("type app_t; allow app_t xen_t:domain pause;\nallow app_t xen_t:domain pause;", 1),
        ("type app_t; allow app_t { xen_t dom0_t }:domain pause;\nallow app_t xen_t:domain pause;", 1),
        ("type app_t; allow app_t domain_type:domain pause;\nallow app_t { xen_t dom0_t }:domain pause;", 1),
        ("type app_t; allow app_t xen_t:domain pause;\nallow app_t xen_t:{ domain resource } { pause };", 0),
        ("type app_t; allow app_t xen_t:domain pause;\nallow app_t xen_t:domain { create pause };", 1),
        ("type app_t; allow app_t xen_t:domain pause;\nauditallow app_t xen_t:domain pause;", 0),
        (
            "bool app_b true; allow dom0_t xen_t:mmu map_read;\nif (app_b) { allow dom0_t xen_t:mmu map_read; }",
            1,
        ),
        (
            "bool app_b true; if (app_b) { allow dom0_t xen_t:mmu map_read; }\nallow dom0_t xen_t:mmu map_read;",
            1,
        ),
        ("define(`app_m', `allow app_t xen_t:mmu map_read;')type app_t;\napp_m\napp_m", 0),
    ],
)
def test_rules_that_another_covers(text, expected):
    text = text.replace("{ domain resource } { pause }", "domain create")
    findings = [each for each in found(USED + text) if each.code == "redundant-rule"]
    assert len(findings) == expected
    assert all(each.notes[0].origin for each in findings)


@pytest.mark.parametrize(
    ("rule", "is_found"),
    [
        ("allow app_t base_shared:domain destroy;", True),
        ("allow base_shared app_t:mmu map_write;", True),
        ("allow app_t base_shared:domain *;", True),
        ("allow app_t base_shared:domain ~{ create transition destroy };", False),
        ("allow app_t base_shared:domain pause;", False),
        ("allow app_t app_a:domain destroy;", False),
        ("allow app_t xen_t:domain destroy;", False),
        ("dontaudit app_t base_shared:domain destroy;", False),
        ("bool app_b true; if (app_b) { allow app_t base_shared:domain destroy; }", True),
    ],
)
def test_dangerous_permissions_for_whoever_joins(rule, is_found):
    text = f"{USED}attribute app_a; type app_t, app_a; allow app_a self:mmu map_read;\n{rule}"
    assert ("over-broad-rule" in codes(text)) == is_found


def test_permissions_that_a_claimed_release_lacks():
    text = (
        f"{USED}allow dom0_t dom0_t:domain pause;\nallow dom0_t xen_t:resource use;\nallow dom0_t xen_t:domain pause;\n"
    )
    findings = found(text, releases=[OLDER])
    assert [(f.code, f.severity, f.origin.line) for f in findings] == [
        ("unguarded-permission", Severity.ERROR, 2),
        ("unguarded-permission", Severity.ERROR, 3),
    ]
    assert "permission `pause` of class `domain` does not exist in Xen 4.6.0" in findings[0].message
    assert "guard it with ifdef(`xen_class_resource', ...)" in findings[1].hint


def test_guarded_permissions_are_in_order():
    text = f"{USED}ifdef(`xen_perm_domain_pause', `allow dom0_t dom0_t:domain pause;')\n"
    assert codes(text, releases=[OLDER]) == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("# polpkg: allow(unused-type) others label with it\ntype app_t;", []),
        ("type app_t; # polpkg: allow(unused-type) others label with it", []),
        ("type app_t; # polpkg: allow(unused-attribute, unused-type) why", ["unused-suppression"]),
        ("# polpkg: allow(unused-type) too far away\n\ntype app_t;", ["unused-suppression", "unused-type"]),
        ("# polpkg: allow(unused-type)\ntype app_t;", ["suppression-without-reason"]),
        ("# polpkg: allow(unused-typo) others\ntype app_t;", ["unknown-lint", "unused-type"]),
        ("# polpkg: allow(unused-type) nothing is wrong", ["unused-suppression"]),
    ],
)
def test_suppressions(text, expected):
    assert codes(f"{USED}{text}\n") == expected


def test_a_finding_inside_a_macro_may_be_suppressed_at_every_level():
    interfaces = "# m(x)\ndefine(`app_m', `\n\ttype $1;\n')\n"
    assert codes(f"{USED}app_m(app_t)\n", interfaces=interfaces) == ["unused-type"]
    assert codes(f"{USED}# polpkg: allow(unused-type) why\napp_m(app_t)\n", interfaces=interfaces) == []
    inside = interfaces.replace("\ttype $1;", "\ttype $1; # polpkg: allow(unused-type) why")
    assert codes(f"{USED}app_m(app_t)\n", interfaces=inside) == []


def test_what_only_an_option_uses_is_used():
    one, other = (package("app", f"{USED}type app_t;\n", requires=["base"]) for _ in range(2))
    option = Source("policy/option.te", "allow app_t xen_t:mmu map_read;\n", "app", "1.0")
    subjects = []
    for fragments in (one.fragments, (*other.fragments, option)):
        app = package("app", requires=["base"])
        modules = build_modules(
            [base(BROAD), app.__class__("app", "1.0", fragments, requires=app.requires)], Environment(ABI)
        )
        subjects.append(Subject(modules[-1], modules, link(modules, ABI, LinkOptions()).policy, fragments))
    assert [each.code for each in lint(subjects[:1], ())] == ["unused-type"]
    assert lint(subjects, ()) == ()


def test_every_lint_is_explained():
    for code, each in LINTS.items():
        assert each.code == code
        assert each.text.endswith(".")
