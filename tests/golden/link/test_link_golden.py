"""Whole runs of the linker with several errors, as a person sees them."""

from __future__ import annotations

from policy_packages import base, findings, package

from polpkg.cli.render import PLAIN, render_error
from polpkg.errors import PolicyError

INTERFACES = """define(`app_domain', `type $1, domain_type;
	app_rules($1, $2)
')
define(`app_rules', `
	app_pause($1, $2)
	allow $1 $2:mmu { map_read map_writ };
')
define(`app_pause', `allow $1 $2:domain { create pause };')
"""


def test_link_errors(golden):
    one = package(
        "one",
        "one_domain(one_guest_t, two_t)\ntype one_t;\nallow one_t base_missing_t:domain create;\n"
        "allow one_t base_missing_t:domain pause;\nallow dom0_t one_t:domain get_domain_state;\n"
        "pirqcon 33 system_u:system_r:one_t\nallow one_t one_t:argo send;\n",
        requires=["base"],
        owns=["one_*"],
        interfaces=INTERFACES.replace("app_", "one_"),
    )
    two = package("two", "type two_t;\ntype one_other_t;\nattribute xen_t;\n", requires=["base"], owns=["two_*"])
    found = findings(base(), two, one)
    golden("link/errors.txt", render_error(PolicyError.of(found), PLAIN, 100) + "\n")


def test_syntax_error_in_macros(golden):
    interfaces = INTERFACES.replace("{ create pause };", "create pause;")
    one = package("one", "type one_t;\n\n  app_domain(one_guest_t, one_t)\n", requires=["base"], interfaces=interfaces)
    two = package("two", "type two_t\nallow two_t two_t:domain create;\nsyscmd(`reboot')\n", requires=["base"])
    golden("link/syntax.txt", render_error(PolicyError.of(findings(base(), one, two)), PLAIN, 100) + "\n")


def test_assertions(golden):
    rules = "".join(f"allow type{n}_t one_t:domain pause;\n" for n in range(8))
    types = "".join(f"type type{n}_t, domain_type;\n" for n in range(8))
    one = package(
        "one",
        f"type one_t;\n{types}{rules}allow domain_type domain_type:mmu map_read;\n",
        requires=["base"],
        assertions={"only dom0 pauses": "neverallow ~dom0_t one_t:domain pause;", "no maps": "one_maps(type1_t)"},
        interfaces="define(`one_maps', `\n\tneverallow $1 ~$1:mmu *;\n')\n",
    )
    golden("link/assertions.txt", render_error(PolicyError.of(findings(base(), one)), PLAIN, 100) + "\n")
