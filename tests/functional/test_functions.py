"""`polpkg functions`: what it says is what the compiled policy holds, and what it foretells happens."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections import defaultdict
from functools import cache
from pathlib import Path

import pytest
from bundled_policies import TENANTS, Grants, link_bundled
from hypervisors import build_hypervisor

from polpkg.packages.functions import FUNCTIONS
from polpkg.policy.analysis.holdings import find_holdings
from polpkg.policy.analysis.view import view_of

SETS = [
    (),
    ("netdom",),
    ("stordom",),
    ("netdom", "stordom"),
    ("netdom", "stordom", "xenstoredom"),
    ("vmv",),
    ("xen-compat", "stubdom", "domu-isolated", "domu-nomigrate"),
    ("sealed-policy",),
]
VERSIONS = ["4.14", "4.17.7", "4.19.2", "4.22.0"]
SERVING = ("console", "net-backend", "block-backend", "xenstore")


@pytest.fixture
def install(call, tmp_path):
    """`install("netdom", xen="4.17")`: a target that has these packages besides dom0."""

    def make(*packages, xen="4.17.7", name="target"):
        root = tmp_path / name
        done = call("install", *(packages or ("domu",)), "--root", root, "--xen", xen, "--yes", "--json")
        assert done.code == 0, done.out
        return root

    return make


def held(document, place="clients"):
    """What is held on clients, or on the host, as (source, target, class) to permissions."""
    found = defaultdict(set)
    holders = [document["host"]] if place == "host" else document["clients"]
    for each in (each for holder in holders for each in holder["holds"]):
        found[each["source"], each["target"], each["class"]].add(each["permission"])
    return dict(found)


def single(rows):
    return {(row["source"], row["target"], row["class"], row["permission"]) for row in rows}


class TestIsWhatTheCompiledPolicyHolds:
    @pytest.mark.parametrize("xen", VERSIONS)
    @pytest.mark.parametrize("packages", SETS, ids=" ".join)
    def test_by_our_own_reading_of_the_linked_policy(self, call, install, packages, xen):
        document = call("functions", "--root", install(*packages, xen=xen), "--json").document
        grants = Grants(link_bundled(xen, *packages))
        clients = [each["type"] for each in document["clients"]]
        labels = {label for client in clients for label in labels_of(client)}
        wanted = {
            (source, target, name): permissions
            for source in ("dom0_t", "dom0_t_channel")
            for target in labels
            for name in (known.name for known in grants.policy.abi.all_classes)
            if (permissions := grants.ever(source, target, name))
        }
        assert held(document) == wanted
        assert {"domU_t", "dm_dom_t"} <= set(clients)

    @pytest.mark.interop
    @pytest.mark.skipif(not shutil.which("sesearch"), reason="needs sesearch")
    @pytest.mark.parametrize("packages", SETS, ids=" ".join)
    def test_by_sesearch(self, call, install, packages):
        root = install(*packages)
        document = call("functions", "--root", root, "--json").document
        every = {label for each in document["clients"] for label in labels_of(each["type"])}
        file = root / "boot/xenpolicy-4.17.7"
        labels = every | {"xen_t", "domxen_t", "domio_t", "security_t"} | attributes(file)["resource_type"]
        wanted = {key: permissions for key, permissions in sesearch(file).items() if key[1] in labels}
        assert held(document) | held(document, "host") == wanted

    def test_with_other_holders_too(self, call, install):
        root = install("netdom", "stordom")
        document = call("functions", "--root", root, "--of", "netdom", "--json").document
        grants = Grants(link_bundled("4.17.7", "netdom", "stordom"))
        assert held(document)["netdom_t", "domU_t", "grant"] == grants.ever("netdom_t", "domU_t", "grant")
        assert (
            call("functions", "--root", root, "--of", "netdom_t", "--json").document["clients"] == document["clients"]
        )
        served = [each for each in document["clients"] if each["type"] == "stordom_t"]
        assert {tuple(h["as_client"]) for h in served[0]["holds"] if not h["ordinary"]} == {("block-backend",)}
        assert "block-backend" not in document["moves"]


def labels_of(client):
    return [f"{client}{suffix}" for suffix in ("", "_channel", "_target", "_building")]


def attributes(policy: Path):
    """The types of every attribute, as setools reads the policy."""
    said = subprocess.run(["seinfo", "-a", "-x", policy], capture_output=True, text=True, check=True).stdout
    members = defaultdict(set)
    for name, block in re.findall(r"attribute (\w+);\n((?:\t\w+\n)+)", said):
        members[name] = set(block.split())
    return members


def sesearch(policy: Path):
    """What dom0_t and its channels are allowed, as setools reads the policy."""
    found = defaultdict(set)
    types = {"dom0_t", "dom0_t_channel"}
    members = attributes(policy)
    said = subprocess.run(["sesearch", "-A", policy], capture_output=True, text=True, check=True).stdout
    rule = re.compile(r"allow (\w+) (\w+):(\w+) (?:\{ ([^}]*)\}|(\w+));")
    for source, target, name, several, one in rule.findall(said):
        for holder in ({source} | members[source]) & types:
            for label in {target} | members[target]:
                found[holder, label, name] |= set((several or one).split())
    return dict(found)


class TestWhy:
    def test_nothing_is_held_without_a_reason(self, call, install):
        for packages in SETS:
            document = call(
                "functions", "--root", install(*packages, name="-".join(("t", *packages))), "--json"
            ).document
            rows = [row for each in (*document["clients"], document["host"]) for row in each["holds"]]
            assert [row for row in rows if not (row["functions"] or row["as_client"] or row["ordinary"])] == []
            assert all(row["functions"] or row["as_client"] or row["rules"] for row in rows)

    def test_dom0_holds_no_copy_with_netdom_and_stordom(self, call, install):
        document = call("functions", "--root", install("netdom", "stordom"), "--json").document
        grants = [row for each in document["clients"] for row in each["holds"] if row["class"] == "grant"]
        assert {row["permission"] for row in grants} == {"map_read", "map_write", "unmap", "setup"}
        mapping = [row for row in grants if row["permission"] != "setup"]
        assert {tuple(row["functions"]) for row in mapping} == {("console", "xenstore")}
        assert {tuple(r["functions"]) for r in grants if r["permission"] == "setup"} == {("domain-builder",)}

    def test_what_the_console_and_the_builder_need_is_left_once_the_store_is_gone_too(self, call, install):
        document = call("functions", "--root", install("netdom", "stordom", "xenstoredom"), "--json").document
        for client in ("domU_t", "dm_dom_t", "netdom_t", "stordom_t"):
            (served,) = [each for each in document["clients"] if each["type"] == client]
            grants = {row["permission"]: row["functions"] for row in served["holds"] if row["class"] == "grant"}
            assert grants == {
                "map_read": ["console"],
                "map_write": ["console"],
                "unmap": ["console"],
                "setup": ["domain-builder"],
            }
        gone = single(document["moves"]["console"])
        assert ("dom0_t", "domU_t", "grant", "map_read") in gone

    def test_copy_is_for_the_network_until_then(self, call, install):
        document = call("functions", "--root", install("stordom"), "--json").document
        (copy,) = [
            row
            for each in document["clients"]
            for row in each["holds"]
            if (row["target"], row["permission"]) == ("domU_t", "copy")
        ]
        assert copy["functions"] == ["net-backend"]

    def test_a_rule_for_no_function_is_shown_with_its_place(self, call, install, tmp_path):
        package = tmp_path / "meddler"
        (package / "policy").mkdir(parents=True)
        (package / "polpkg.toml").write_text(
            '[package]\nname = "meddler"\nversion = "1.0"\nsummary = "Meddles"\nlicense = "MIT"\n'
            '[requires]\nxen-base = "*"\ndom0 = "*"\ndomu = "*"\n'
        )
        (package / "policy/meddler.te").write_text("\nallow dom0_t dm_dom_t:domain2 vm_event;\n")
        root = install(package)
        document = call("functions", "--root", root, "--json").document
        (row,) = [r for each in document["clients"] for r in each["holds"] if not r["functions"] and not r["ordinary"]]
        assert (row["target"], row["permission"]) == ("dm_dom_t", "vm_event")
        assert row["rules"] == [{"package": "meddler", "version": "1.0", "file": "policy/meddler.te", "line": 2}]
        assert "  for no function, by meddler policy/meddler.te:2\n" in call("functions", "--root", root).out

    def test_guests_of_a_vmv_are_out_of_reach(self, call, install):
        document = call("functions", "--root", install("vmv"), "--json").document
        (guest,) = [each for each in document["clients"] if each["type"] == "vmv_guest_t"]
        assert {row["permission"] for row in guest["holds"] if not row["ordinary"]} == set()
        assert guest["owners"]["domain-builder"] == [{"name": "vmv", "type": "vmv_t"}]
        assert guest["owners"]["console"] == [{"name": "dom0", "type": "dom0_t"}]

    def test_residuals_are_told(self, call, install):
        told = " ".join(call("functions", "--root", install("netdom"), "--json").document["residuals"])
        assert "dom0 reaches all memory of domU_t, dm_dom_t, netdom_t" in told
        assert "may load another policy" in told
        assert "memory and ports of all devices" in told

    def test_a_permissive_type_is_told_of(self, call, install):
        root = install()
        assert call("permissive", "add", "domU_t", "--root", root, "--yes").code == 0
        told = call("functions", "--root", root, "--json").document["residuals"]
        assert told[0] == "domU_t may do anything, whatever rules say: the policy is permissive for it."


class TestForetells:
    @pytest.mark.parametrize(
        ("before", "package", "function"),
        [
            ((), "netdom", "net-backend"),
            ((), "stordom", "block-backend"),
            (("stordom",), "netdom", "net-backend"),
            (("netdom",), "stordom", "block-backend"),
            (("netdom", "stordom"), "xenstoredom", "xenstore"),
        ],
        ids=str,
    )
    def test_what_installing_a_package_takes(self, call, install, before, package, function):
        root = install(*before)
        first = call("functions", "--root", root, "--json").document
        assert call("install", package, "--root", root, "--yes", "--json").code == 0
        second = call("functions", "--root", root, "--json").document
        there = {each["type"] for each in first["clients"]}
        rows = [row for each in first["clients"] for row in each["holds"]]
        left = [row for each in second["clients"] if each["type"] in there for row in each["holds"]]
        assert single(rows) - single(left) == single(first["moves"][function])
        assert single(left) <= single(rows)
        assert second["functions"][function] == package

    @pytest.mark.parametrize("function", FUNCTIONS)
    @pytest.mark.parametrize("packages", [(), ("netdom", "stordom", "xenstoredom"), ("vmv", "stubdom")], ids=" ".join)
    def test_what_any_other_owner_would_take(self, packages, function):
        before = dom0_holds(packages)
        foretold = {key for key, holding in before.items() if holding.is_lost_without((function,))}
        assert set(before) - set(dom0_holds(packages, function)) == foretold

    def test_the_text_names_what_else_has_to_go(self, call, install):
        out = call("functions", "--root", install("netdom", "stordom")).out
        assert "\n  console: nothing before xenstore goes too\n" in out
        assert re.search(r"\n  domain-builder: \d+ on domU_t, \d+ on dm_dom_t", out)
        whole = call("functions", "--root", install("netdom", "stordom", name="again"), "--verbose").out
        assert re.search(r"\n  migration: \d+ on domU_t\n    on domU_t\n", whole)


@cache
def dom0_holds(packages, moved=""):
    rules = "declare_client_domain(intruder_t)" if moved else ""
    instances = TENANTS if "vmv" in packages else {}
    policy = link_bundled("4.17.7", *packages, rules=rules, moved=moved, instances=instances)
    labels = [
        symbol.name for symbol in policy.types if not symbol.is_attribute and not symbol.name.startswith("intruder")
    ]
    labels = [label for label in labels if not label.startswith("dom0_t")]
    found = find_holdings(view_of(policy), ("dom0_t", "dom0_t_channel"), labels)
    return {each[:4]: each for holdings in found.values() for each in holdings}


class TestByteIdentity:
    @pytest.mark.parametrize("backend", ["builtin", "secilc", "checkpolicy"])
    def test_removing_the_packages_brings_the_policy_back(self, call, install, backend):
        if backend != "builtin" and not shutil.which(backend):
            pytest.skip(f"needs {backend}")
        root = install()
        project = root / "etc/polpkg/policy.toml"
        project.write_text(project.read_text().replace("[target]\n", f'[target]\nbackend = "{backend}"\n'))
        assert call("sync", "--root", root, "--yes").code == 0
        file = root / "boot/xenpolicy-4.17.7"
        before, functions = file.read_bytes(), call("functions", "--root", root, "--json").document
        assert call("install", "netdom", "stordom", "xenstoredom", "--root", root, "--yes").code == 0
        assert file.read_bytes() != before
        done = call("remove", "netdom", "stordom", "xenstoredom", "--root", root, "--yes", "--json")
        assert done.code == 0
        assert file.read_bytes() == before
        assert set(done.document["functions"].values()) == {"dom0"}
        after = call("functions", "--root", root, "--json").document
        assert {**after, "policy": None} == {**functions, "policy": None}


class TestClaimsOnSomeClients:
    def test_each_client_has_its_owner(self, call, install):
        root = install()
        words = ("--root", root, "--yes", "--json")
        done = call("install", "netdom", "--set", "clients=domU_t", *words)
        assert done.document["functions"]["net-backend"] == "dom0, netdom"
        document = call("functions", "--root", root, "--json").document
        assert document["functions"] == done.document["functions"]
        owners = {each["type"]: [o["name"] for o in each["owners"]["net-backend"]] for each in document["clients"]}
        assert owners == {"domU_t": ["netdom"], "dm_dom_t": ["dom0"], "netdom_t": ["dom0", "netdom"]}
        text = call("functions", "--root", root).out
        assert "  dom0, netdom: net-backend\n" in text
        assert "  for domU_t: netdom: net-backend\n" in text

    def test_dom0_holds_copy_only_where_it_still_serves(self, call, install):
        root = install("stordom")
        assert call("install", "netdom", "--set", "clients=domU_t", "--root", root, "--yes").code == 0
        document = call("functions", "--root", root, "--json").document
        copied = {row["target"] for each in document["clients"] for row in each["holds"] if row["permission"] == "copy"}
        assert copied == {"dm_dom_t"}

    def test_several_instances_share_the_clients(self, call, install):
        root = install()
        first = call("install", "netdom", "--set", "clients=domU_t", "--root", root, "--yes")
        assert first.out.count("functions moved out of dom0: net-backend to netdom (for some guests)\n") == 1
        done = call(
            "install", "netdom", "--instance", "b", "--set", "clients=dm_dom_t", "--root", root, "--yes", "--json"
        )
        assert done.document["functions"]["net-backend"] == "netdom/b, netdom"


class TestWhichPolicy:
    def test_two_hypervisors(self, call, tmp_path):
        root = tmp_path / "two"
        (root / "boot").mkdir(parents=True)
        for version in ("4.17", "4.22"):
            (root / f"boot/xen-{version}.gz").write_bytes(build_hypervisor(version))
        assert call("install", "netdom", "--root", root, "--yes").code == 0
        shown = call("functions", "--root", root)
        assert re.match(
            r"the policy of generation 1 for Xen 4\.\d+\.\d+; --xen chooses another: 4\.\d+\.\d+\n", shown.out
        )
        document = call("functions", "--root", root, "--xen", "4.22", "--json").document
        assert document["policy"]["xen"] == "4.22.0"
        assert document["policy"]["others"] == ["4.17.7"]
        assert "get_domain_state" in held(document)["dom0_t", "domU_t", "domain2"]
        assert call("functions", "--root", root, "--xen", "4.18").code == 6

    def test_a_file_stands_for_the_generation_that_has_it(self, call, install, tmp_path):
        root = install()
        shutil.copy(root / "boot/xenpolicy-4.17.7", tmp_path / "kept")
        assert call("install", "netdom", "--root", root, "--yes").code == 0
        named = [root / "boot/xenpolicy-4.17.7", tmp_path / "kept"]
        found = [call("functions", "--root", root, "--policy", file, "--json").document for file in named]
        assert [each["policy"]["generation"] for each in found] == [2, 1]
        assert [each["functions"]["net-backend"] for each in found] == ["netdom", "dom0"]

    def test_an_earlier_generation(self, call, install):
        root = install()
        assert call("install", "netdom", "--root", root, "--yes").code == 0
        assert (
            call("functions", "--root", root, "--policy", "1", "--json").document["functions"]["net-backend"] == "dom0"
        )
        assert call("functions", "--root", root, "--json").document["functions"]["net-backend"] == "netdom"

    def test_what_cannot_be_answered(self, call, install, empty):
        root = install()
        assert call("functions", "--root", empty).code == 6
        (root / "other").write_bytes(b"another policy")
        done = call("functions", "--root", root, "--policy", root / "other")
        assert (done.code, done.err.split(":")[0]) == (2, "error[not-of-this-target]")
        assert call("functions", "--root", root, "--policy", root / "nowhere").code == 2
        done = call("functions", "--root", root, "--of", "dom1")
        assert (done.code, "did you mean `dom0`?" in done.err) == (2, True)


@pytest.mark.parametrize("packages", SETS, ids=" ".join)
def test_the_text_fits_80_columns(call, install, packages):
    done = call("functions", "--root", install(*packages), "--verbose")
    assert (done.code, done.err) == (0, "")
    assert max(map(len, done.out.splitlines())) <= 80


def test_the_table_needs_no_target(call):
    done = call("functions", "--table")
    assert max(map(len, done.out.splitlines())) <= 80
    assert [line for line in done.out.splitlines() if line and not line.startswith(" ")] == sorted(
        [*FUNCTIONS, "ordinary"]
    )
    rows = call("functions", "--table", "--json").document["table"]
    assert {function for row in rows for function in row["functions"]} == {*FUNCTIONS, "ordinary"}
