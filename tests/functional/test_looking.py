"""Verbs that look at a target: status, list, history, tree, why, probe."""

import shutil
from pathlib import Path

import pytest
from hypervisors import build_hypervisor

LOOKING = [("status",), ("list",), ("history",), ("tree",), ("tree", "--reverse"), ("why", "xen-base"), ("probe",)]
BOOT_FILE = "/boot/xenpolicy-4.17-amd64"


def receipt_of(root, number=2):
    return root / f"var/lib/polpkg/generations/{number}/receipt.json"


def snapshot(root):
    return {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}


@pytest.mark.parametrize("words", LOOKING)
def test_looking_changes_nothing_and_fits_80_columns(call, installed, words):
    before = snapshot(installed)
    done = call(*words, "--root", installed)
    assert (done.code, done.err) == (0, "")
    assert max(map(len, done.out.splitlines())) <= max(80, len(str(installed)) + 20)
    assert call(*words, "--root", installed, "--json").code == 0
    assert snapshot(installed) == before


@pytest.mark.parametrize("words", LOOKING)
def test_looking_needs_no_lock(call, installed, words):
    shutil.rmtree(installed / "var/lib/polpkg/lock", ignore_errors=True)
    (installed / "var/lib/polpkg/lock").unlink(missing_ok=True)
    assert call(*words, "--root", installed).code == 0
    assert not (installed / "var/lib/polpkg/lock").exists()


@pytest.mark.parametrize("words", [w for w in LOOKING if w[0] != "history"])
def test_a_corrupt_receipt_is_an_error(call, installed, words):
    receipt_of(installed).write_text("{")
    done = call(*words, "--root", installed)
    assert done.code == 6
    assert done.err.startswith("error[damaged-receipt]")


@pytest.mark.parametrize("words", [*LOOKING, ("verify",), ("rollback",)])
def test_targets_that_are_none(call, tmp_path, words):
    assert call(*words, "--root", tmp_path / "nowhere").code == 6
    assert call(*words).code == 6
    assert call(*words, "--root", tmp_path, "--host", "local").code == 2
    assert call(*words, "--no-such-flag").code == 2


def test_status(call, installed):
    done = call("status", "--root", installed)
    assert f"generation 2 of {installed}\n" in done.out
    assert "packages asked for\n  netdom\n  vmv\n  dom0 (on every target)\n" in done.out
    assert f"policy {BOOT_FILE}\n  for Xen 4.17.7, /boot/xen-4.17-amd64.gz\n" in done.out
    assert "  netdom: net-backend\n" in done.out
    assert "  vmv, for its own guests: device-model, domain-builder, domain-manager,\n    migration\n" in done.out
    assert "!" not in done.out


def test_status_as_json(call, installed):
    document = call("status", "--root", installed, "--json").document
    assert document["generation"] == 2
    assert document["action"] == "install netdom"
    asked = {each["name"]: each for each in document["requested"]}
    assert asked["dom0"]["base"]
    assert not asked["vmv"]["base"]
    assert document["functions"]["net-backend"] == "netdom"
    assert document["functions"]["domain-builder"] == "dom0"
    assert document["claims"] == [
        {"package": "vmv", "functions": ["device-model", "domain-builder", "domain-manager", "migration"]}
    ]
    policy = document["policy"]
    assert policy["path"] == BOOT_FILE
    assert Path(policy["file"]).stat().st_size == policy["size"]
    assert {"sha256", "policydb_version", "backend", "abi", "types", "attributes", "allow_rules"} <= set(policy)
    assert (document["interrupted"], document["drift"]) == (False, [])


def test_status_names_instances(call, installed):
    call("install", "vmv", "--instance", "tenant-a", "--set", "guests=web,db", "--root", installed)
    assert "  vmv as vmv, tenant-a\n" in call("status", "--root", installed).out.replace(
        "tenant-a, vmv", "vmv, tenant-a"
    )
    requested = call("status", "--root", installed, "--json").document["requested"]
    instances = next(each for each in requested if each["name"] == "vmv")["instances"]
    assert {"name": "tenant-a", "parameters": {"guests": ["db", "web"]}} in [
        {**each, "parameters": {k: sorted(v) for k, v in each["parameters"].items()}} for each in instances
    ]


def test_status_tells_drift_in_one_line(call, installed):
    (installed / BOOT_FILE[1:]).write_bytes(b"other")
    assert f"\n! {BOOT_FILE} was changed\n" in call("status", "--root", installed).out
    (installed / "etc/polpkg/policy.toml").unlink()
    assert "! " in (out := call("status", "--root", installed).out)
    assert out.count("!") == 1
    assert "and 1 more: see `polpkg verify`" in out


def test_status_with_a_damaged_generation_still_tells_the_rest(call, installed):
    (installed / "var/lib/polpkg/generations/2/policy.toml").write_text("[packages]\nother = '*'\n")
    done = call("status", "--root", installed)
    assert done.code == 0
    assert "packages asked for" not in done.out
    assert "! /var/lib/polpkg/generations/2/policy.toml was changed" in done.out
    assert call("status", "--root", installed, "--json").document["requested"] is None


def test_status_tells_of_an_interrupted_change(call, installed):
    (installed / "var/lib/polpkg/journal.json").write_text("{}")
    assert "! a change was interrupted" in call("status", "--root", installed).out
    assert call("status", "--root", installed, "--json").document["interrupted"]


def test_an_empty_target(call, empty):
    assert call("status", "--root", empty).out == f"nothing is installed in {empty}\n"
    assert call("status", "--root", empty, "--json").document["generation"] is None
    assert call("list", "--root", empty).out == "nothing is installed\n"
    assert call("history", "--root", empty, "--json").document["generations"] == []
    for words in (["tree"], ["why", "vmv"], ["verify"], ["rollback"], ["probe"]):
        assert call(*words, "--root", empty).code == 6


def test_list(call, installed):
    rows = call("list", "--root", installed).out.splitlines()
    assert rows[0].split() == ["package", "version", "index", "why"]
    assert "vmv       1.0.0    bundled  asked for" in rows
    assert "dom0      1.0.0    bundled  on every target; required by netdom, score" in rows
    packages = {each["name"]: each for each in call("list", "--root", installed, "--json").document["packages"]}
    assert packages["vmv"]["requested"]
    assert packages["dom0"]["base"]
    assert packages["score"]["required_by"] == ["vmv"]
    assert not packages["score"]["requested"]


def test_history(call, installed):
    document = call("history", "--root", installed, "--json").document
    assert document["current"] == 2
    assert [each["action"] for each in document["generations"]] == ["install vmv", "install netdom"]
    assert [each["name"] for each in document["generations"][1]["changes"]["added"]] == ["netdom"]
    assert [each["current"] for each in document["generations"]] == [False, True]
    text = call("history", "--root", installed).out
    assert "  install netdom (current)\n     + netdom 1.0.0\n" in text


def test_one_damaged_generation_does_not_hide_the_others(call, installed):
    receipt_of(installed, 1).write_text("{")
    done = call("history", "--root", installed, "--json")
    first, second = done.document["generations"]
    assert "damaged" in first["damaged"]
    assert second["changes"] is None
    assert "(the one before is not kept)" in call("history", "--root", installed).out


def test_tree(call, installed):
    lines = call("tree", "--root", installed).out.splitlines()
    assert lines[:4] == [
        "dom0 1.0.0",
        "|-- domu 1.0.0 (>=1,<2)",
        "|   `-- xen-base 1.0.0 (>=1,<2)",
        "`-- xen-base 1.0.0 (>=1,<2) (*)",
    ]
    document = call("tree", "--root", installed, "--json").document
    assert [root["name"] for root in document["roots"]] == ["dom0", "netdom", "vmv"]
    vmv = next(each for each in document["packages"] if each["name"] == "vmv")
    assert {"name": "score", "version": "1.0.0", "specifier": ">=1,<2"} in vmv["requires"]


def test_tree_reversed(call, installed):
    assert call("tree", "--reverse", "--root", installed).out.splitlines()[0] == "xen-base 1.0.0"
    document = call("tree", "--reverse", "--root", installed, "--json").document
    assert [root["name"] for root in document["roots"]] == ["xen-base"]


def test_tree_of_requirements_needs_no_target(call):
    assert call("tree", "vmv").out.splitlines()[0] == "vmv 1.0.0"
    assert call("tree", "nosuch").code == 3
    assert call("tree", "a b").code == 2


def test_tree_of_a_project_folder(call, tmp_path):
    (tmp_path / "policy.toml").write_text('[packages]\nvmv = "*"\n')
    assert call("tree").code == 2
    call("lock")
    assert "vmv 1.0.0\n" in call("tree").out
    (tmp_path / "policy.toml").write_text('[packages]\nvmv = "*"\nnetdom = "*"\n')
    assert "netdom is not locked\n" in call("tree").out


def test_why(call, installed):
    text = call("why", "score", "--root", installed).out
    assert text == ("score 1.0.0 is there because\n  asked for: vmv 1.0.0\n    which requires score 1.0.0 (>=1,<2)\n")
    document = call("why", "dom0", "--root", installed, "--json").document
    assert document["base"]
    assert not document["requested"]
    assert document["paths"][0] == [{"name": "dom0", "version": "1.0.0", "specifier": "*"}]
    assert [[step["name"] for step in path] for path in document["paths"]] == [
        ["dom0"],
        ["netdom", "dom0"],
        ["vmv", "score", "dom0"],
    ]


def test_why_of_an_unknown_package(call, installed):
    done = call("why", "vm", "--root", installed)
    assert done.code == 2
    assert "did you mean `vmv`?" in done.err
    assert call("why", "vm", "--root", installed, "--json").document["error"]["code"] == "not-installed"


def test_probe_of_a_file(call, installed, tmp_path):
    file = installed / "boot/xen-4.17-amd64.gz"
    assert "FLASK: yes\n" in call("probe", file).out
    assert call("probe", file, "--json").document["version"] == "4.17.7"
    (tmp_path / "junk").write_bytes(b"junk" * 100)
    (tmp_path / "noflask").write_bytes(build_hypervisor("4.18", flask=False))
    for name, code in (("junk", "not-a-hypervisor"), ("noflask", "hypervisor-without-flask")):
        done = call("probe", tmp_path / name, "--json")
        assert (done.code, done.document["error"]["code"]) == (6, code)
    assert call("probe", tmp_path / "nowhere").code == 6


def test_probe_of_a_target(call, installed):
    for words in (["--root", installed], [installed]):
        (found,) = call("probe", *words, "--json").document["hypervisors"]
        assert (found["file"], found["version"], found["flask"]) == ("/boot/xen-4.17-amd64.gz", "4.17.7", True)
        assert "4.18.2" in found["abi"]["versions"]
        assert found["policy"] == {"path": BOOT_FILE, "present": True, "ours": True, "fits": True, "reason": None}
    assert "ours, and it fits\n" in call("probe", installed).out
    assert call("probe", installed, "--root", installed).code == 2


def test_probe_sees_a_policy_that_does_not_fit(call, installed):
    (installed / "boot/xen-4.22.gz").write_bytes(build_hypervisor("4.22"))
    _, missing = call("probe", installed, "--json").document["hypervisors"]
    assert (missing["policy"]["present"], missing["policy"]["fits"]) == (False, None)
    shutil.copy(installed / BOOT_FILE[1:], installed / "boot/xenpolicy-4.22")
    _, wrong = call("probe", installed, "--json").document["hypervisors"]
    assert (wrong["policy"]["ours"], wrong["policy"]["fits"]) == (False, False)
    (installed / "boot/xenpolicy-4.22").write_bytes(b"no policy")
    text = call("probe", installed).out
    assert "which polpkg did not write: it would be refused" in " ".join(text.split())


def test_probe_of_a_target_without_flask(call, empty):
    (empty / "boot").mkdir()
    (empty / "boot/xen.gz").write_bytes(build_hypervisor("4.18", flask=False))
    done = call("probe", empty)
    assert done.code == 6
    assert "no policy can be made for it: /boot/xen.gz was built without FLASK" in done.out


def test_probe_of_a_target_whose_hypervisor_was_named(call, empty):
    call("install", "vmv", "--root", empty, "--xen", "4.17", "--quiet")
    done = call("probe", "--root", empty)
    assert done.code == 0
    assert done.out.startswith("/boot/xenpolicy-4.17.7: for Xen 4.17.7, which was named")
