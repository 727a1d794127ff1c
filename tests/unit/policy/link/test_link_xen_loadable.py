"""What checkpolicy accepts and Xen refuses or ignores: an error or a warning that says so, one test for each row."""

from __future__ import annotations

import pytest

from polpkg.diagnostics import Source
from polpkg.errors import PolicyError
from polpkg.policy.abi import Abi, SecurityClass
from polpkg.policy.backends.backend import CompileOptions
from polpkg.policy.backends.builtin import BuiltinBackend
from polpkg.policy.ir.module import PolicyModule
from polpkg.policy.link import LinkOptions, link
from polpkg.policy.policydb import read_policydb
from polpkg.policy.syntax.te import PlainText, parse_te

ABI = Abi((SecurityClass("domain", ("create", "pause")), SecurityClass("mmu", ("stat",))), ("xen",))
TABLES = "class domain\nclass mmu\nsid xen\nclass domain { create pause }\nclass mmu { stat }\n"
POLICY = """
attribute a;
type t, a;
type u, a;
role r;
role r types a;
allow t u:domain create;
user us roles r;
sid xen us:r:t
"""


def compiled(rules="", *, tables="", policy=POLICY, version=30):
    """The compiled policy and the warnings."""
    statements, problems = parse_te(PlainText(Source("policy.conf", tables + policy + rules)))
    if problems:
        raise PolicyError.of(problems)
    result = link((PolicyModule("p", "1", statements),), ABI, LinkOptions())
    data = BuiltinBackend().compile(result.policy, CompileOptions(version=version))
    return read_policydb(data), [f"{d.code}: {d.message}" for d in result.warnings]


def refusal(rules, **more):
    with pytest.raises(PolicyError) as caught:
        compiled(rules, **more)
    (found,) = caught.value.diagnostics
    return f"{found.code}: {found.message}"


def test_commons_are_flattened():
    tables = (
        "class domain\nclass mmu\nsid xen\ncommon shared { create }\n"
        "class domain inherits shared { pause }\nclass mmu { stat }\n"
    )
    policy, warnings = compiled(tables=tables)
    assert policy == compiled(tables=TABLES)[0]
    assert policy.commons.entries == ()
    assert not warnings


@pytest.mark.parametrize(
    ("rules", "reason"),
    [
        ('type_transition t u:domain t "name";', "not-for-xen: a type transition by name is not part of a policy"),
        ("allowxperm t u:domain ioctl 1;", "not-for-xen: `allowxperm` is not part of a policy for Xen"),
        ("role_transition r t:mmu r;", "not-for-xen: a role transition for class `mmu` would be applied to `domain`"),
        ("allow * u:domain pause;", "syntax-error: `*` is allowed in neverallow rules only"),
        ("allow t ~u:domain pause;", "syntax-error: `~` is allowed in neverallow rules only"),
        ("default_range domain glblub;", "policydb-30: default_range glblub is newer than the policies that Xen reads"),
        ("genfscon proc / us:r:t", "not-for-xen: `genfscon` is not part of a policy for Xen"),
    ],
)
def test_what_xen_refuses_is_an_error(rules, reason):
    assert refusal(rules).startswith(reason)


@pytest.mark.parametrize(
    ("rules", "reason"),
    [
        ("default_user domain source;", "`default_user` is read by Xen and never used"),
        ("default_role domain target;", "`default_role` is read by Xen and never used"),
        ("default_type domain source;", "`default_type` is read by Xen and never used"),
        ("default_range domain target low-high;", "`default_range` is read by Xen and never used"),
        ("validatetrans domain (u1 == u2);", "`validatetrans` is read by Xen and never used"),
        ("policycap open_perms;", "policy capability `open_perms` is read by Xen and never used"),
    ],
)
def test_what_xen_ignores_is_a_warning_and_kept(rules, reason):
    policy, warnings = compiled(rules)
    assert warnings == [f"ignored-by-xen: {reason}"]
    assert policy != compiled()[0]


@pytest.mark.parametrize(
    "rules",
    ["typebounds t u; allow t t:domain create;", "type_member t u:domain t;", "type_change t u:domain u;"],
)
def test_what_xen_honours_is_kept_without_a_word(rules):
    policy, warnings = compiled(rules)
    assert not warnings
    assert policy != compiled()[0]


def test_a_permissive_type_is_honoured_and_a_warning():
    policy, (warning,) = compiled("permissive t;")
    assert warning.startswith("permissive-type: ")
    assert policy != compiled()[0]


@pytest.mark.parametrize(
    ("rules", "same"),
    [
        ("attribute_role ra; roleattribute r ra; role ra types t; allow ra r;", "allow r r;"),
        ("optional { require { type t; } allow t t:domain pause; }", "allow t t:domain pause;"),
        ("optional { require { type nobody; } allow t nobody:domain pause; }", ""),
        ("tunable b true; if b { allow t t:domain pause; }", "allow t t:domain pause;"),
        ("typealias t alias old; allow old t:mmu stat;", "typealias t alias old; allow t t:mmu stat;"),
        ("expandattribute a false; allow a t:mmu stat;", "allow a t:mmu stat;"),
    ],
)
def test_what_is_gone_in_the_file_means_what_is_left(rules, same):
    assert compiled(rules) == compiled(same)


@pytest.mark.parametrize(
    ("rules", "reason"),
    [
        ("iomemcon 0x100000000 us:r:t", "version 24 cannot label memory frame 0x100000000"),
        ('devicetreecon "/soc" us:r:t', "version 24 cannot label device tree nodes (/soc)"),
        ("default_user domain source;", "version 24 has no default_user"),
    ],
)
def test_what_version_24_cannot_carry_is_refused(rules, reason):
    assert refusal(rules, version=24) == f"policydb-24: {reason}"
    assert compiled(rules)


def test_a_path_that_no_policydb_holds_is_an_error():
    message = "not-ascii: the path of a device tree node is written in ASCII, and '/s\u00e9' is not"
    assert refusal('devicetreecon "/s\u00e9" us:r:t') == message


def test_an_initial_sid_without_a_context_is_an_error():
    assert refusal("", policy=POLICY.replace("sid xen us:r:t", "")).startswith("missing-sid: ")
