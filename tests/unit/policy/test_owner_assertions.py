"""Assertions of functions: what nobody but the owners may hold, by the table, for every function."""

from __future__ import annotations

import re

import pytest
from bundled_policies import link_bundled, supported_versions

from polpkg.errors import PolicyError
from polpkg.packages.functions import FUNCTIONS, Holding
from polpkg.policy.abi import load_abi
from polpkg.policy.owner_assertions import OBSERVING, exclusive_powers, sharing_functions
from polpkg.policy.powers import Access

PER_CLIENT = [name for name, function in FUNCTIONS.items() if function.holding is not Holding.HOST_WIDE]
FIRST, LAST = supported_versions()[0], supported_versions()[-1]
DECLARED = "declare_client_domain(intruder_c_t)\nordinary_client(intruder_c_t)\ndeclare_client_domain(intruder_t)\n"
ALLOWED = f"""{DECLARED}
for_each_owner(`debug', intruder_c_t, `debug_client')
for_each_owner(`introspection', intruder_c_t, `introspection_client')
xen_build_domain(intruder_c_t)
domain_self_comms(intruder_c_t)
domain_comms(intruder_c_t, intruder_c_t)
domain_comms(intruder_c_t, intruder_t)
observe_domain(intruder_t, intruder_c_t)
"""


def asserted(function: str) -> str:
    return f"assert_owners(`{function.replace('-', '_')}', intruder_c_t)\n"


def broken(version, rules, names=()):
    with pytest.raises(PolicyError) as caught:
        link_bundled(version, *names, rules=rules)
    return [found for found in caught.value.diagnostics if found.code == "assertion-violated"]


class TestEveryFunction:
    @pytest.mark.parametrize("version", [FIRST, LAST])
    def test_owners_peers_and_observers_are_let_through(self, version):
        link_bundled(version, rules=ALLOWED + "".join(map(asserted, PER_CLIENT)))

    @pytest.mark.parametrize("version", [FIRST, LAST])
    @pytest.mark.parametrize("function", PER_CLIENT)
    def test_a_third_domain_holds_nothing_that_is_for_owners(self, version, function):
        powers = exclusive_powers(function, load_abi(version))
        assert powers, "a function that consists of nothing cannot be taken over"
        wanted: dict[str, set[str]] = {}
        for power in powers:
            wanted.setdefault(power.security_class, set()).add(power.permission)
        refused: dict[str, set[str]] = {}
        for name, permissions in wanted.items():
            rule = f"allow intruder_t intruder_c_t:{name} {{ {' '.join(permissions)} }};\n"
            for found in broken(version, f"{DECLARED}{asserted(function)}{rule}"):
                refused.setdefault(name, set()).update(re.findall(r"\{ ([^}]*) \}", found.message)[0].split())
        assert refused == wanted

    @pytest.mark.parametrize("function", PER_CLIENT)
    def test_both_places_are_named(self, function):
        power = exclusive_powers(function, load_abi(LAST))[0]
        text = (
            f"{DECLARED}{asserted(function)}allow intruder_t intruder_c_t:{power.security_class} {power.permission};\n"
        )
        (found,) = broken(LAST, text)
        assert found.origin is not None
        assert (found.origin.package, found.origin.file, found.origin.line) == ("intruder", "policy/intruder.te", 5)
        (note,) = [note for note in found.notes if "neverallow ~" in note.text]
        assert note.origin is not None
        assert (note.origin.package, note.origin.file, note.origin.line) == ("intruder", "policy/intruder.te", 4)

    @pytest.mark.parametrize("rule", ["mmu map_read", "domain pause", "hvm dm", "grant setup"])
    def test_a_guest_rules_over_no_other_of_its_kind(self, rule):
        text = "".join(map(asserted, PER_CLIENT))
        assert broken(LAST, f"{DECLARED}{text}allow intruder_c_t intruder_c_t:{rule};\n")

    def test_a_conditional_rule_counts(self):
        rule = "bool intruder_b false; if (intruder_b) { allow intruder_t intruder_c_t:domain setdebugging; }\n"
        assert broken(LAST, f"{DECLARED}{asserted('debug')}{rule}")

    def test_types_that_are_no_domains_count(self):
        assert broken(LAST, f"{DECLARED}{asserted('domain-builder')}allow xen_t intruder_c_t:domain create;\n")

    def test_dom0_counts_once_it_has_lost_all_that_needs_it(self):
        text = f"declare_client_domain(intruder_c_t)\n{asserted('net-backend')}allow dom0_t intruder_c_t:grant copy;\n"
        link_bundled(LAST, rules=text)
        link_bundled(LAST, "netdom", rules=text)
        assert broken(LAST, text, ("netdom", "stordom"))


def test_what_is_shared_is_for_the_owners_of_each():
    assert sharing_functions(Access("owner", "client", "grant", "copy")) == ("block-backend", "net-backend")
    assert sharing_functions(Access("owner", "client", "mmu", "map_write")) == (
        "console",
        "device-model",
        "domain-builder",
        "xenstore",
    )
    assert not any((p.security_class, p.permission) in OBSERVING for p in exclusive_powers("console", load_abi(LAST)))


SERVED = "only who serves the clients uses the pages that they grant"


@pytest.mark.parametrize("package", ["netdom", "stordom", "xenstoredom"])
@pytest.mark.parametrize("permission", ["map_read", "map_write", "unmap"])
def test_a_third_domain_uses_no_page_of_a_client_that_is_served(package, permission):
    rules = f"declare_client_domain(intruder_t)\nallow intruder_t dm_dom_t:grant {permission};\n"
    found = broken("4.17.7", rules, (package,))
    assert any(f"assertion {SERVED!r}" in d.message for d in found)
    assert all(d.origin is not None and d.origin.package == "intruder" for d in found)
    assert any(note.origin and note.origin.package == package for d in found for note in d.notes)


@pytest.mark.parametrize("package", ["netdom", "stordom"])
def test_a_third_domain_copies_no_page_of_a_client_that_is_served_unless_as_its_peer(package):
    rules = "declare_client_domain(intruder_t)\nallow intruder_t domU_t:grant copy;\n"
    assert broken("4.17.7", rules, (package,))
    link_bundled("4.17.7", package, rules="declare_client_domain(intruder_t)\ndomain_comms(intruder_t, domU_t)\n")


@pytest.mark.parametrize(
    ("rule", "named"),
    [
        ("domU_t:mmu map_read", "only owners reach, watch or take away a guest"),
        ("domU_t:hvm dm", "only owners reach, watch or take away a guest"),
        ("domU_t:shadow logdirty", "only owners reach, watch or take away a guest"),
        ("domU_t:domain2 vm_event", "only owners reach, watch or take away a guest"),
        ("domU_t:domain setdebugging", "only owners reach, watch or take away a guest"),
        ("dm_dom_t:mmu map_write", "only owners reach, watch or take away a device model"),
        ("domU_t_target:mmu map_read", "only its device model reaches a guest under its label for it"),
        ("domU_t:domain set_target", "only its device model reaches a guest under its label for it"),
        ("security_t:security load_policy", "only the owner of policy-admin changes the rules"),
    ],
)
def test_what_the_bundled_packages_assert(rule, named):
    found = broken("4.17.7", f"declare_client_domain(intruder_t)\nallow intruder_t {rule};\n")
    assert any(f"assertion {named!r}" in d.message for d in found)
    assert all(d.origin is not None and d.origin.package == "intruder" and d.origin.line == 2 for d in found)
    assert all(any(note.origin and note.origin.file == "polpkg.toml" for note in d.notes) for d in found)
