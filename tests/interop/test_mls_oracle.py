"""Policies with levels, right and wrong, against checkpolicy: same verdict, same policy."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from polpkg.diagnostics import Source
from polpkg.errors import PolpkgError
from polpkg.policy.abi import Abi, SecurityClass
from polpkg.policy.backends.backend import CompileOptions
from polpkg.policy.backends.builtin import BuiltinBackend
from polpkg.policy.ir.module import PolicyModule
from polpkg.policy.link import LinkOptions, link
from polpkg.policy.policydb import canonical, read_policydb
from polpkg.policy.syntax.te import PlainText, parse_te

pytestmark = [
    pytest.mark.interop,
    pytest.mark.skipif(shutil.which("checkpolicy") is None, reason="needs checkpolicy"),
]

ABI = Abi((SecurityClass("domain", ("create", "pause")), SecurityClass("mmu", ("stat",))), ("xen",))
PARTS = {
    "tables": "class domain\nclass mmu\nsid xen\nclass domain { create pause }\nclass mmu { stat }",
    "sensitivities": "sensitivity s0 alias { public open };\nsensitivity s1;\nsensitivity s2 alias secret;",
    "dominance": "dominance { s0 s1 s2 }",
    "categories": "category c0 alias first;\ncategory c1;\ncategory c2;\ncategory c3;",
    "levels": "level s0:c0;\nlevel s1:c0.c2;\nlevel s2:c0.c3;",
    "constraints": "mlsconstrain domain create (l1 dom l2 and h1 dom h2);",
    "rules": "attribute a; type t, a; type u, a; role r; role r types { t u };\nallow t u:domain create;",
    "users": "user system_u roles r level s0 range s0 - s2:c0.c3;",
    "constrain": "constrain domain pause (u1 == u2);",
    "contexts": "sid xen system_u:r:t:s0 - s2:c0.c3",
    "devices": "pirqcon 1 system_u:object_r:u:s1:c0.c1,c2",
}

CHANGES = [
    {},
    {"dominance": "dominance { s2 s0 s1 }"},
    {"dominance": "dominance { s0 s1 }"},
    {"dominance": "dominance { s0 s1 s2 s3 }"},
    {"dominance": "dominance { s0 s1 s1 s2 }"},
    {"dominance": "dominance { public s1 secret }"},
    {"sensitivities": "sensitivity s0;\nsensitivity s1;\nsensitivity s2;\nsensitivity s2;"},
    {"sensitivities": "sensitivity s0 alias s1;\nsensitivity s1;\nsensitivity s2;"},
    {"sensitivities": "sensitivity s0 alias x;\nsensitivity s1 alias x;\nsensitivity s2;"},
    {"categories": "category c0;\ncategory c0;\ncategory c1;\ncategory c2;\ncategory c3;"},
    {"categories": "category c0 alias c1;\ncategory c1;\ncategory c2;\ncategory c3;"},
    {"levels": "level s0:c0;\nlevel s1:c0.c2;"},
    {"levels": "level s0;\nlevel s1:c0.c2;\nlevel s2:c0.c3;"},
    {"levels": "level s0:c0;\nlevel s0:c1;\nlevel s1:c0.c2;\nlevel s2:c0.c3;"},
    {"levels": "level public:first;\nlevel s1:c0.c2;\nlevel secret:c0.c3;"},
    {"levels": "level s0:c9;\nlevel s1:c0.c2;\nlevel s2:c0.c3;"},
    {"levels": "level s0:c1.c0;\nlevel s1:c0.c2;\nlevel s2:c0.c3;"},
    {"levels": "level s9;\nlevel s0:c0;\nlevel s1:c0.c2;\nlevel s2:c0.c3;"},
    {"constraints": "mlsconstrain domain { create pause } (l1 domby h2 or not (h1 incomp l2) and l1 eq h1);"},
    {"constraints": "mlsconstrain domain create (t1 == t or l2 dom h2);"},
    {"constraints": "mlsvalidatetrans domain (l1 == l2 or t3 == t);\nmlsconstrain domain create (l1 dom l2);"},
    {"constraints": "mlsconstrain domain create (t3 == t);"},
    {"constraints": "mlsconstrain domain create (l1 == s0);"},
    {"constraints": "mlsconstrain domain create (l2 dom l1);"},
    {"constraints": "mlsconstrain nothing create (l1 dom l2);"},
    {"constrain": "constrain domain pause (l1 dom l2);"},
    {"users": "user system_u roles r;"},
    {"users": "user system_u roles r level s0 range s0;"},
    {"users": "user system_u roles r level s1 range s0 - s2:c0.c3;"},
    {"users": "user system_u roles r level s1 range s0 - s2;"},
    {"users": "user system_u roles r level s2 range s0 - s1;"},
    {"users": "user system_u roles r level s0 range s2 - s0;"},
    {"users": "user system_u roles r level s0:c1 range s0 - s2:c0.c3;"},
    {"users": "user system_u roles r level s0 range s0:c0 - s2:c1;"},
    {"users": "user system_u roles r level public range open - secret:first.c3;"},
    {"users": "user system_u roles r level s0 range s0 - s2:c0.c3;\nuser x_u roles r level s1 range s1;"},
    {"contexts": "sid xen system_u:r:t"},
    {"contexts": "sid xen system_u:r:t:s9"},
    {"contexts": "sid xen system_u:r:t:s0:c1"},
    {"contexts": "sid xen system_u:r:t:s0:c0 - s1"},
    {"contexts": "sid xen system_u:object_r:t:s2:c0.c3 - s2:c0.c3"},
    {"contexts": "sid xen system_u:r:t:s0:c0,c0"},
    {"contexts": "sid xen system_u:r:t:s1:c0.c9"},
    {"users": "user system_u roles r level s0 range s0 - s1;"},
    {"devices": ""},
    {"devices": "pirqcon 1 system_u:object_r:u"},
    {"devices": "pirqcon 1 system_u:object_r:u:secret:first"},
    {"rules": PARTS["rules"] + "\nrange_transition t u:domain s0 - s1;"},
    {"rules": PARTS["rules"] + "\nrange_transition a a:{ domain mmu } s1:c0.c2;"},
    {"rules": PARTS["rules"] + "\nrange_transition a -t u:domain s1:c0.c2;"},
    {"rules": PARTS["rules"] + "\nrange_transition t u:domain s1:c3;"},
    {"rules": PARTS["rules"] + "\nrange_transition t u:domain s1 - s0;"},
    {"rules": PARTS["rules"] + "\nrange_transition t u:nothing s1;"},
    {"rules": PARTS["rules"] + "\nrange_transition t u:domain s0;\nrange_transition t u:domain s0;"},
    {"rules": PARTS["rules"] + "\nrange_transition t u:domain s0;\nrange_transition t u:domain s1;"},
    {"rules": PARTS["rules"] + "\nrange_transition * u:domain s0;"},
    {"rules": PARTS["rules"] + "\nrange_transition t self:domain s0;"},
]


def ours(text):
    statements, problems = parse_te(PlainText(Source("policy.conf", text)))
    if problems:
        return None, problems
    try:
        policy = link((PolicyModule("p", "1", statements),), ABI, LinkOptions(mls=True)).policy
        return BuiltinBackend().compile(policy, CompileOptions()), ()
    except PolpkgError as error:
        return None, error.diagnostics


def theirs(text, folder):
    (folder / "policy.conf").write_text(text)
    command = ["checkpolicy", "-M", "-t", "Xen", "-c", "30", "-o", "policy", "policy.conf"]
    run = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=30)
    return (None, run.stderr) if run.returncode else ((folder / "policy").read_bytes(), "")


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: next(iter(change.values()), "whole")[-60:])
def test_policies_with_levels(tmp_path, change):
    text = "\n".join({**PARTS, **change}.values()) + "\n"
    mine, findings = ours(text)
    other, complaint = theirs(text, tmp_path)
    assert (mine is None) == (other is None), [f"{d.code}: {d.message}" for d in findings] or complaint
    if mine is not None:
        assert canonical(read_policydb(mine)) == canonical(read_policydb(other))
