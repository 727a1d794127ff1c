"""The text of every error that a fragment can have, as a person sees it: one mistake each."""

from __future__ import annotations

import pytest
from policy_packages import base, findings

from polpkg.cli.render import PLAIN, render_error
from polpkg.errors import PolicyError

CASES = {
    "syntax": [
        "type a_t\ntype b_t;",
        "allow dom0_t xen_t:domain;",
        "allow dom0_t xen_t domain create;",
        "alow dom0_t xen_t:domain create;",
        "allow dom0_t\n\txen_t:domain\n\t{ create pause\n;",
        "if (b) { type a_t; }",
        "user a_u;",
        "pirqcon x system_u:system_r:xen_t",
        "some_macro(dom0_t)",
        "type a_t; }",
        "constrain domain create t1 ==;",
    ],
    "names": [
        "allow dom_t xen_t:domain create;",
        "allow dom0_t xen_t:domian create;",
        "allow dom0_t xen_t:domain creat;",
        "allow dom0_t xen_t:domain map_read;",
        "allow dom0_t xen_t:argo send;",
        "role system_rr types dom0_t; role_transition system_r dom0_t other_r;",
        "user a_u roles nobody_r;",
        "if (nothing) { allow dom0_t xen_t:domain pause; }",
        "type a_t, dom0_t;",
        "typealias domain_type alias a_t;",
        "type dom0_t;",
        "attribute xen_t;",
        "type self;",
        "sid nothing system_u:system_r:xen_t",
    ],
    "rules": [
        "allow dom0_t *:domain pause;",
        "allow self xen_t:domain pause;",
        "neverallow dom0_t dom0_t:domain create;",
        "type_transition dom0_t xen_t:domain xen_t; type_transition dom0_t xen_t:domain dom0_t;",
        "type p_t; type p_t.child; allow p_t.child xen_t:domain pause;",
        "permissive nobody_t;",
        "type a_t; typebounds xen_t a_t; typebounds dom0_t a_t;",
        "pirqcon 3 system_u:system_r:xen_t\npirqcon 3 system_u:system_r:dom0_t",
        "type a_t; pirqcon 3 system_u:system_r:a_t",
        "iomemcon 9-3 system_u:system_r:xen_t",
        "mlsconstrain domain create (l1 dom l2);",
        "user a_u roles system_r level s0 range s0;",
    ],
    "macros": [
        "define(`loop', `loop(`x')loop(`x')')loop",
        "syscmd(`reboot')",
        "define(`rule', `allow $1 xen_t:domain creat;')\nrule(dom0_t)",
        "define(`a', `b($1)')define(`b', `c($1)')define(`c', `allow $1 xen_t:domain;')\na(dom0_t)",
        "define(`open', `allow",
        "define(`rule', `allow $1 $2:domain create;\nallow $1 $2:mmu stat;')\nrule(dom0_t)\nrule(, xen_t)",
        "define(`open', `x')\nopen(dom0_t",
        "xen_at_least(four, 20)",
        "for_each_owner(`kitchen', dom0_t, `x')",
    ],
}


@pytest.mark.parametrize("group", CASES)
def test_texts(golden, group):
    blocks = []
    for text in CASES[group]:
        error = PolicyError.of(findings(base("\n" + text + "\n")))
        blocks.append(f"{'-' * 80}\n{text}\n\n{render_error(error, PLAIN, 100)}\n")
    golden(f"diagnostics/{group}.txt", "\n".join(blocks))
