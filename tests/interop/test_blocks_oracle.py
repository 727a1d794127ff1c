"""Optional blocks, role attributes, tunables and other rare statements: the verdict and the policy of checkpolicy."""

from __future__ import annotations

import shutil
import subprocess

import pytest
from policy_meaning import differences

from polpkg.diagnostics import Source
from polpkg.errors import PolpkgError
from polpkg.policy.abi import Abi, SecurityClass
from polpkg.policy.backends.backend import CompileOptions
from polpkg.policy.backends.builtin import BuiltinBackend
from polpkg.policy.backends.checkpolicy import CheckpolicyBackend
from polpkg.policy.backends.equivalence import explain_differences
from polpkg.policy.backends.secilc import SecilcBackend
from polpkg.policy.ir.module import PolicyModule
from polpkg.policy.link import link
from polpkg.policy.policydb import canonical, read_policydb
from polpkg.policy.syntax.te import PlainText, parse_te

pytestmark = [
    pytest.mark.interop,
    pytest.mark.skipif(shutil.which("checkpolicy") is None, reason="needs checkpolicy"),
]

ABI = Abi((SecurityClass("domain", ("create", "pause", "stop")), SecurityClass("mmu", ("stat",))), ("xen",))
TABLES = "class domain\nclass mmu\nsid xen\nclass domain { create pause stop }\nclass mmu { stat }\n"
NAMES = "attribute a;\ntype t, a;\ntype u, a;\nrole r;\nrole r types { t u };\nallow t u:domain create;\n"
LABELS = "user us roles r;\n{constraints}\nsid xen us:r:t\n"

BLOCKS = [
    "optional { require { type q; } allow q t:domain pause; } else { allow u u:domain stop; }",
    "optional { require { type u; } allow t u:domain pause; } else { allow u u:domain stop; }",
    (
        "optional { require { type q; } allow q t:domain pause; "
        "optional { require { type u; } allow u t:domain pause; } else { allow u u:domain stop; } }"
    ),
    "optional { require { type q; } allow q t:domain pause; optional { allow u t:domain pause; } }",
    (
        "optional { require { type u; } allow u t:domain pause; } "
        "else { optional { require { type t; } allow u u:domain stop; } }"
    ),
    (
        "optional { require { type q; } allow q t:domain pause; } "
        "else { optional { require { type p; } allow u p:domain stop; } else { allow u u:domain stop; } }"
    ),
    "optional { allow u t:domain pause; }",
    "optional { allow nobody t:domain pause; }",
    "optional { require { type q; } allow nobody q:domain pause; }",
    "optional { type z; allow z t:domain pause; }",
    "optional { type z; allow z t:domain pause; } allow z t:domain stop;",
    "optional { type z; allow z t:domain pause; } optional { require { type z; } allow z t:domain stop; }",
    "optional { type z; allow z t:domain pause; } optional { allow z t:domain stop; }",
    (
        "optional { require { type q; } type z; allow z q:domain pause; } "
        "optional { require { type z; } allow z t:domain stop; }"
    ),
    (
        "optional { require { type z2; } type z; allow z z2:domain pause; } "
        "optional { require { type z; } type z2; allow z t:domain stop; }"
    ),
    "optional { require { type q; } type z; allow z q:domain pause; } else { type z; allow z t:domain stop; }",
    "optional { type z; allow z u:domain pause; } else { type z; allow z t:domain stop; }",
    "optional { require { type q; } type t; allow t q:domain pause; }",
    "optional { require { type q; } allow q t:domain pause; } else { require { type p; } allow p t:domain stop; }",
    "optional { require { class nothing { a }; } allow u t:domain pause; }",
    "optional { require { class domain { nothing }; } allow u t:domain pause; }",
    "optional { require { class domain { pause }; } allow u t:domain pause; }",
    "optional { require { class domain { pause stop }; type t, u; role r; user us; } allow u t:domain pause; }",
    "optional { require { user nobody; } allow u t:domain pause; }",
    "optional { require { role nobody; } allow u t:domain pause; } else { allow t t:domain pause; }",
    "optional { require { attribute b; } allow b t:domain pause; } else { allow t t:domain pause; }",
    "optional { require { attribute a; } allow a t:domain pause; } else { allow t t:domain pause; }",
    "optional { require { bool b; } if b { allow a t:domain pause; } } else { allow t t:domain pause; }",
    "optional { policycap open_perms; allow u t:domain pause; }",
    "optional { constrain domain pause (u1 == u2); }",
    "optional { allow u t:domain pause; user another roles r; }",
    "optional { }",
    "optional { require { type u; } }",
    "optional { allow u t:domain pause; } else { }",
    "optional { require { type t; attribute a3; } typeattribute t a3; } else { typeattribute t a; type w, a; }",
    (
        "attribute b; allow b t:domain pause; "
        "optional { require { type q; } typeattribute q b; } else { typeattribute u b; }"
    ),
    "attribute b; allow b t:domain pause; optional { require { type u; } typeattribute u b; }",
    "optional { role r9; role r9 types t; allow r r9; }",
    "optional { require { type q; } role r9; role r9 types t; }",
    "optional { bool x true; if x { allow t t:domain pause; } }",
    "bool x true; optional { if x { require { type q; } allow q t:domain pause; } }",
    "bool x true; optional { if x { require { type t; } allow t t:domain pause; } }",
    "bool x true; if x { require { type t; } allow t t:domain pause; }",
    (
        "bool x true; optional { require { type q; bool y; } if y { allow t q:domain pause; } } "
        "else { if x { allow t t:domain stop; } }"
    ),
    "optional { neverallow u t:domain stop; } allow u t:domain stop;",
    "optional { require { type q; } neverallow u t:domain stop; } allow u t:domain stop;",
    "optional { type_transition t u:domain u; permissive u; }",
    "optional { typealias t alias old; allow old u:domain pause; }",
    "optional { typealias t alias old; allow old u:domain pause; } allow old u:domain pause;",
    "optional { type z; typebounds t z; }",
    "optional { ; allow u t:domain pause;; }",
    "optional { require { type u; } allow t u:domain pause; } else { require { type t; } allow t t:domain stop; }",
    "bool x true; optional { allow t u:mmu stat; } else { if x { require { type t; } allow t t:domain stop; } }",
    "optional { require { type q; } allow t u:nothing pause; }",
    "optional { require { type q; } allow t u:domain nothing; }",
    "optional { require { type q; } allow t *:domain pause; }",
    "optional { require { type q; } allow t ~u:domain pause; }",
    "optional { require { type q; } type_transition t u:nothing u; }",
    "optional { require { type u; } allow t u:domain pause; } else { allow t u:domain nothing; }",
    "bool x true; optional { require { type q; } if x { allow t u:domain nothing; } }",
]

ROLES = [
    "attribute_role ra; role r8; role r9, ra; roleattribute r8 ra; role ra types u; allow ra r;",
    "attribute_role ra; role r9, ra; role r9 types { t u }; role ra types { a -u };",
    "attribute_role ra; role r9, ra; role r9 types { a -u }; role ra types { t u };",
    "attribute_role ra; attribute_role rb; roleattribute ra rb; role r9, ra; role rb types u; allow rb r;",
    "attribute_role ra; attribute_role rb; role r9, ra, rb; role rb types u; role ra types t; allow r { ra rb };",
    "attribute_role ra; role r9, ra; role r9 types u; role_transition ra t:domain r;",
    "attribute_role ra; role r9, ra; role r9 types u; role_transition r t:domain ra;",
    "attribute_role ra; attribute_role ra;",
    "attribute_role ra; role ra;",
    "role ra; attribute_role ra;",
    "role r8; role r9, r8;",
    "role r9, nobody;",
    "attribute_role ra; roleattribute nobody ra;",
    "attribute_role ra; role ra types t;",
    "attribute_role ra; allow ra r;",
    "role r9; role r9 types u; dominance { role r { role r9; } }",
    "role r8; role r9; role r9 types u; role r8 types t; dominance { role up { role r9; role r8; } }",
    "role r8; role r9; role r9 types u; dominance { role r { role r8 { role r9; } } }",
]

RARE = [
    "tunable x true; bool b false; if x { allow t t:domain pause; } else { allow t t:domain stop; }",
    "tunable x false; if x { allow t t:domain pause; } else { allow t t:domain stop; type_transition t t:mmu u; }",
    "tunable x true; tunable y false; if (x && !y) { allow t t:domain pause; }",
    "tunable x true; tunable y false; if (x == y || x ^ y) { allow t t:domain pause; }",
    "tunable x true; tunable y false; if (x != y) { } else { allow t t:domain pause; }",
    "tunable x true;",
    "tunable x false; if x { allow t nobody:domain pause; }",
    "tunable x false; if x { allow t u:domain nothing; }",
    "tunable x false; if x { allow t u:nothing pause; }",
    "tunable x false; if x { type_transition t u:domain nobody; }",
    "tunable x true; if x { allow t u:domain stop; } else { allow nobody u:domain pause; }",
    "tunable x false; if x { type_transition t u:domain u; type_transition t u:domain t; }",
    "tunable x false; type_transition t u:domain u; if x { type_transition t u:domain t; }",
    "tunable x true; bool x false;",
    "tunable x true; optional { require { tunable x; } if x { allow t t:domain pause; } }",
    "expandattribute a true; allow a t:domain pause; allow t a:domain stop;",
    "expandattribute a true; allow a self:domain pause; type_transition a t:domain u;",
    "expandattribute a true; bool b true; if b { allow a u:domain stop; }",
    "expandattribute a false; allow a t:domain pause;",
    "expandattribute a true; expandattribute a false; allow a t:domain pause;",
    "attribute b; expandattribute { a b } true; allow { a b } t:domain pause;",
    "expandattribute t true;",
    "expandattribute nobody true;",
    "auditdeny t u:domain pause;",
    "auditdeny t nobody:domain pause;",
    "neverallow a ~self:domain stop; allow t u:mmu stat;",
    "neverallow a ~self:domain stop; allow t t:domain stop;",
    "neverallow a ~{ self u }:domain stop; allow t t:domain stop;",
    "neverallow a ~{ self u }:domain stop; allow t u:mmu stat;",
]

BOOLEANS = "bool x true; bool y false; bool z true; bool b4 true; bool b5 true; bool b6 true; "

CONDITIONS = [
    "if (y || x) { allow t u:domain pause; }",
    "if ((z && (y ^ x)) != !x) { allow t u:domain pause; } else { type_transition t u:domain u; }",
    "if (!!x) { allow t u:domain pause; }",
    "if !z { allow t u:domain pause; }",
    "if (!!!x) { allow t u:domain pause; } else { allow t t:domain stop; }",
    "if (!(y || x)) { allow t u:domain pause; } if (x || y) { allow t t:domain stop; }",
    "if (x || x) { allow t u:domain pause; } if x { allow t t:domain stop; }",
    "if (x && !y) { allow t u:domain pause; } if (!y && x) { allow t t:domain stop; }",
    "if (x && !y) { type_transition t u:domain u; } if (!y && x) { type_transition t u:domain u; }",
    (
        "if (x && y && z && b4 && b5 && b6) { allow t u:domain stop; } "
        "if (y && x && z && b4 && b5 && b6) { allow t t:domain stop; }"
    ),
    "optional { if (y || x) { allow t u:domain stop; } } if (x || y) { allow t t:domain stop; }",
]

CONSTRAINTS = [
    "constrain domain pause (t1 == a);",
    "constrain domain pause (r1 == r and not u1 == us);",
    "constrain domain pause (r1 dom r2 or r1 domby r2);",
]

DEFAULTS = [
    "default_user { domain mmu } source;",
    "default_user domain source; default_user mmu target; default_role { domain } target;",
    "default_type { mmu } target; default_range { domain } target low-high; default_range mmu source high;",
    "default_user domain source; default_user domain source;",
    "default_user domain source; default_user domain target;",
    "default_type nothing source;",
    "default_type domain somewhere;",
]


def whole(rules="", *, constraints="", defaults=""):
    return TABLES + defaults + "\n" + NAMES + rules + "\n" + LABELS.replace("{constraints}", constraints)


def ours(text):
    statements, problems = parse_te(PlainText(Source("policy.conf", text)))
    if problems:
        return None, problems
    try:
        policy = link((PolicyModule("p", "1", statements),), ABI).policy
        return BuiltinBackend().compile(policy, CompileOptions()), ()
    except PolpkgError as error:
        return None, error.diagnostics


def theirs(text, folder):
    (folder / "policy.conf").write_text(text)
    command = ["checkpolicy", "-t", "Xen", "-c", "30", "-o", "policy", "policy.conf"]
    run = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=30)
    return (None, run.stderr) if run.returncode else ((folder / "policy").read_bytes(), "")


def compare(text, folder):
    mine, findings = ours(text)
    other, complaint = theirs(text, folder)
    assert (mine is None) == (other is None), [f"{d.code}: {d.message}" for d in findings] or complaint
    if mine is not None:
        assert canonical(read_policydb(mine)) == canonical(read_policydb(other))


@pytest.mark.parametrize("conditions", CONDITIONS)
def test_conditions_are_spelt_as_libsepol_does(tmp_path, conditions):
    compare(whole(BOOLEANS + conditions), tmp_path)


@pytest.mark.parametrize("backend", [CheckpolicyBackend, SecilcBackend])
@pytest.mark.parametrize(
    ("rules", "constraints"),
    [
        ("if (x && !y) { allow t u:domain pause; } if (y && !x) { allow t t:domain stop; }", ""),
        ("attribute_role ra;", "constrain domain pause (r1 == ra or u1 == u2);"),
        ("expandattribute a true;", "constrain domain pause (t1 == a);"),
        ("expandattribute a true; allow a t:domain stop;", "constrain domain pause (t1 == { a t } or t2 != a);"),
        ("attribute_role ra;", "constrain domain pause (not r2 == ra and (r1 != ra or t1 == t));"),
    ],
)
def test_what_libsepol_must_be_told_otherwise(backend, rules, constraints):
    """Conditions that it takes for one, and sets that are empty."""
    statements, _ = parse_te(PlainText(Source("policy.conf", whole(BOOLEANS + rules, constraints=constraints))))
    policy = link((PolicyModule("p", "1", statements),), ABI).policy
    if reason := backend().is_available():
        pytest.skip(reason)
    found = read_policydb(backend().compile(policy, CompileOptions()))
    assert not differences(found, read_policydb(BuiltinBackend().compile(policy, CompileOptions())))


def test_attributes_that_were_written_out_keep_their_names_in_constraints():
    text = whole("expandattribute a true;", constraints="constrain domain pause (t1 == a);")
    statements, _ = parse_te(PlainText(Source("policy.conf", text)))
    policy = link((PolicyModule("p", "1", statements),), ABI).policy
    one, other = (read_policydb(b.compile(policy, CompileOptions())) for b in (BuiltinBackend(), CheckpolicyBackend()))
    assert canonical(one) == canonical(other)


@pytest.mark.skipif(shutil.which("secilc") is None, reason="needs secilc")
@pytest.mark.parametrize(
    ("conditional", "reasons"),
    [
        ("if x { allow t u:domain pause; allow t t:domain stop; }", set()),
        ("if x { allow t u:domain pause; allow t u:domain create; }", set()),
        ("attribute e; if x { allow t u:domain pause; allow e t:domain stop; }", {"redundant-conditional"}),
        ("attribute e; if x { allow e t:domain stop; }", {"redundant-conditional"}),
    ],
)
def test_what_secilc_leaves_out_of_conditionals(conditional, reasons):
    statements, _ = parse_te(PlainText(Source("policy.conf", whole(BOOLEANS + conditional))))
    policy = link((PolicyModule("p", "1", statements),), ABI).policy
    one, other = (read_policydb(b.compile(policy, CompileOptions())) for b in (BuiltinBackend(), SecilcBackend()))
    assert {difference.rule for difference in explain_differences(one, other)} == reasons


@pytest.mark.parametrize("rules", [*BLOCKS, *ROLES, *RARE])
def test_rules(tmp_path, rules):
    compare(whole(rules), tmp_path)


@pytest.mark.parametrize("constraints", CONSTRAINTS)
@pytest.mark.parametrize("rules", ["", "expandattribute a true;"], ids=["plain", "written out"])
def test_constraints(tmp_path, rules, constraints):
    compare(whole(rules, constraints=constraints), tmp_path)


@pytest.mark.parametrize("defaults", DEFAULTS)
def test_defaults(tmp_path, defaults):
    compare(whole(defaults=defaults), tmp_path)


def test_nested_sets_of_names_in_a_require_block(tmp_path):
    compare(whole("optional { require { class domain { pause { stop } }; } allow u t:domain pause; }"), tmp_path)
