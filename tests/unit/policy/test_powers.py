"""The table of what functions are made of, against every known hypervisor and against the macros of xen-base."""

from __future__ import annotations

from functools import cache

import pytest
from bundled_policies import link_bundled, supported_versions

from polpkg.packages.functions import FUNCTIONS
from polpkg.policy.abi import known_tables, load_abi
from polpkg.policy.functions import function_of
from polpkg.policy.ir.linked import LinkedAvRule, bits
from polpkg.policy.ir.statements import AvKind
from polpkg.policy.powers import (
    LABELS,
    ORDINARY,
    WHEN,
    Access,
    accesses,
    functions_with,
    parse_powers,
    powers_of,
    read_powers,
)

VERSIONS = supported_versions()


class TestTable:
    @pytest.mark.parametrize("abi", known_tables(), ids=lambda abi: abi.version)
    def test_every_permission_of_every_hypervisor_belongs_somewhere(self, abi):
        there = {(row.security_class, permission) for row in read_powers() for permission in row.permissions}
        every = {(c.name, permission) for c in abi.all_classes for permission in c.permissions}
        assert every - there == set()

    def test_it_names_no_permission_that_no_hypervisor_has(self):
        every = {(c.name, p) for abi in known_tables() for c in abi.all_classes for p in c.permissions}
        there = {(row.security_class, permission) for row in read_powers() for permission in row.permissions}
        assert there - every == set()

    def test_functions_are_those_there_are(self):
        assert {function for row in read_powers() for function in row.functions} == {*FUNCTIONS, ORDINARY}

    def test_every_word_is_explained_and_used(self):
        assert {row.when for row in read_powers()} == set(WHEN)
        assert {label for row in read_powers() for label in (row.subject, row.target)} == set(LABELS)

    def test_nothing_is_said_twice(self):
        said = [
            (function, row.when, row.subject, row.target, row.security_class, permission)
            for row in read_powers()
            for function in row.functions
            for permission in row.permissions
        ]
        assert len(said) == len(set(said))

    def test_every_row_names_a_hook_and_its_file(self):
        assert [row for row in read_powers() if not (".c" in row.hooks or "mm/)" in row.hooks) or not row.reason] == []

    @pytest.mark.parametrize(
        "line",
        [
            "console | always | owner -> client | grant | map_read | hook",
            "console | sometimes | owner -> client | grant | map_read | hook | why",
            "console | always | owner -> nobody | grant | map_read | hook | why",
            "console | always | client | grant | map_read | hook | why",
        ],
    )
    def test_a_line_of_another_form_is_refused(self, line):
        with pytest.raises(ValueError, match=r"unpack|is not known"):
            parse_powers(line)

    def test_a_permission_may_be_needed_by_several_functions(self):
        shared = functions_with(Access("owner", "client", "grant", "map_read"))
        assert shared == ("block-backend", "console", "net-backend", "xenstore")
        assert functions_with(Access("owner", "client", "grant", "copy")) == ("block-backend", "net-backend")
        assert functions_with(Access("owner", "client-building", "domain", "trigger")) == ()


CASES = [
    ("net_client", "net-backend", "OWNER", ("always",)),
    ("net_client", "net-backend", "dom0_t", ("always",)),
    ("block_client", "block-backend", "OWNER", ("always",)),
    ("block_client", "block-backend", "dom0_t", ("always", "qemu")),
    ("xenstore_client", "xenstore", "OWNER", ("always",)),
    ("console_client", "console", "OWNER", ("always",)),
    ("sealed_xenstore_client", "xenstore", "OWNER", ("always", "sealed")),
    ("sealed_console_client", "console", "OWNER", ("always", "sealed")),
    ("device_model_client", "device-model", "OWNER", ("always", "in-owner")),
    ("device_model", "device-model", "OWNER", ("always", "stub")),
    ("builder_client", "domain-builder", "OWNER", ("always",)),
    ("build_label_client", "domain-builder", "OWNER", ("always", "sealed")),
    ("manager_client", "domain-manager", "OWNER", ("always",)),
    ("migration_client", "migration", "OWNER", ("always",)),
    ("hardware_client", "hardware", "OWNER", ("always",)),
    ("introspection_client", "introspection", "OWNER", ("always",)),
    ("debug_client", "debug", "OWNER", ("always",)),
    ("platform_owner", "platform", "OWNER", ("host",)),
    ("policy_admin_owner", "policy-admin", "dom0_t", ("host",)),
    ("hardware_owner", "hardware", "OWNER", ("host",)),
]
"""Macro, function, type of the owner, and which rows of the function it stands for."""


def _call(number: int, macro: str, owner: str) -> str:
    client = f"intruder_c{number}_t"
    owner = owner.replace("OWNER", f"intruder_o{number}_t")
    build_label = f"declare_build_label({client})" if macro.startswith(("sealed", "build_label")) else ""
    other = "" if owner == "dom0_t" else f"declare_client_domain({owner})"
    return f"{other} declare_client_domain({client}) {build_label} {macro}({owner}, {client})\n"


def _label(number: int, name: str, macro: str) -> str:
    """What a type is to the `number`th pair."""
    fixed = {"xen_t": "xen", "domxen_t": "domxen", "domio_t": "domio", "security_t": "security"}
    if name in fixed:
        return fixed[name]
    if name in ("device_t", "iomem_t", "ioport_t", "irq_t"):
        return "device"
    sealed = macro == "build_label_client"
    for stem, kind in ((f"intruder_o{number}_t", "owner"), (f"intruder_c{number}_t", "client"), ("dom0_t", "owner")):
        if name == stem or name.startswith(f"{stem}_"):
            suffix = name.removeprefix(stem).replace("_", "-")
            return "client-building" if sealed and suffix == "-building" else kind + suffix
    raise AssertionError(name)


@cache
def granted(version: str) -> list[set[Access]]:
    """What the macro of each case grants."""
    rules = "".join(_call(number, macro, owner) for number, (macro, _, owner, _) in enumerate(CASES))
    policy = link_bundled(version, rules=rules)
    found: list[set[Access]] = [set() for _ in CASES]
    for rule in policy.rules:
        origin = rule.place.origin()
        if origin.package != "intruder" or rule.kind is not AvKind.ALLOW:
            continue
        number = origin.line - 1
        macro = CASES[number][0]
        if origin.macros[0].name == macro:
            names = (policy.types[n].name for n in (rule.source, rule.target))
            subject, target = (_label(number, name, macro) for name in names)
            known = policy.abi.all_classes[rule.security_class]
            found[number] |= {
                Access(subject, target, known.name, known.permissions[bit]) for bit in bits(rule.permissions)
            }
    return found


def _build_label(access: Access) -> Access:
    return access._replace(target="client-building") if access.target == "new-client" else access


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("number", range(len(CASES)), ids=[f"{case[0]}-{case[2]}" for case in CASES])
def test_a_macro_grants_what_the_table_says_and_nothing_else(version, number):
    macro, function, _, when = CASES[number]
    wanted = set(accesses(powers_of(function, *when), load_abi(version)))
    if macro == "build_label_client":
        wanted = {_build_label(access) for access in wanted}
    else:
        wanted = {a._replace(target="client") if a.target == "new-client" else a for a in wanted}
    assert granted(version)[number] == wanted


def test_every_function_has_a_macro():
    assert {function for _, function, _, _ in CASES} == set(FUNCTIONS)


SERVERS = ("netdom", "stordom", "xenstoredom", "vmv")
GUESTS = ("xen-compat", "stubdom", "domu-isolated", "domu-nomigrate")
ROLES = [("owner", "client"), ("client", "owner"), ("owner", "new-client"), ("owner", "model"), ("client", "client")]
HOST = {"xen_t": "xen", "domxen_t": "domxen", "domio_t": "domio", "security_t": "security"}


def _readings(policy, source: str, target: str):
    """What a pair of types may be to each other: all pairs of kinds of labels."""
    devices = policy.expand(policy.number_of_type("resource_type"))
    if devices >> policy.number_of_type(target) & 1:
        yield HOST.get(source, "owner"), "device"
    elif target in HOST:
        yield "owner", HOST[target]
    suffixes = ("_channel", "_target", "_building")
    ends = [next((e.replace("_", "-") for e in suffixes if name.endswith(e)), "") for name in (source, target)]
    for subject, role in ROLES:
        yield subject + ends[0], role + ends[1]
    if ends[1] == "-building":
        yield "owner" + ends[0], "new-client"
    yield "client-building", "client"


NIC_OF_THE_EXAMPLE_POLICY = {
    ("hardware", "dom0_t", target, name, permission)
    for target, name, permissions in [
        ("nic_dev_t", "resource", "use_iommu_nointremap use_noiommu"),
        ("domio_t", "mmu", "map_read map_write"),
        ("dom0_t", "mmu", "exchange"),
    ]
    for permission in permissions.split()
}


@pytest.mark.parametrize("version", [VERSIONS[0], VERSIONS[-1]])
@pytest.mark.parametrize("packages", [(), SERVERS, GUESTS, (*SERVERS, *GUESTS)], ids=" ".join)
def test_what_packages_grant_for_a_function_is_in_the_table(version, packages):
    policy = link_bundled(version, *packages)
    strange: set[tuple[str, ...]] = set()
    rules = [*policy.rules, *(rule for found in policy.conditionals for rule in (*found.then, *found.otherwise))]
    checked = 0
    for rule in rules:
        function = function_of([macro.name for macro in rule.place.origin().macros])
        if not function or not isinstance(rule, LinkedAvRule) or rule.kind is not AvKind.ALLOW:
            continue
        source, target = (policy.types[number].name for number in (rule.source, rule.target))
        name, known = policy.abi.all_classes[rule.security_class]
        for permission in (known[bit] for bit in bits(rule.permissions)):
            checked += 1
            if not any(
                function in functions_with(Access(*r, name, permission)) for r in _readings(policy, source, target)
            ):
                strange.add((function, source, target, name, permission))
    # As in Xen's example policy, whoever administers the card of xen-compat may also use it.
    assert strange <= NIC_OF_THE_EXAMPLE_POLICY
    assert checked > 200
