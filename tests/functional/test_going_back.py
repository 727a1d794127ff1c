"""rollback and verify."""

import json
from dataclasses import replace
from hashlib import sha256

import pytest
from hypervisors import build_hypervisor

from polpkg.policy.abi import load_abi

BOOT_FILE = "boot/xenpolicy-4.17-amd64"


def test_rollback_goes_back_one(call, installed):
    first = (installed / "var/lib/polpkg/generations/1/policy.toml").read_bytes()
    done = call("rollback", "--root", installed, "--json")
    assert done.code == 0
    document = done.document
    assert document["generation"] == 3
    assert [each["name"] for each in document["changes"]["removed"]] == ["netdom"]
    assert document["functions"]["net-backend"] == "dom0"
    assert document["policy"]["path"] == f"/{BOOT_FILE}"
    assert (installed / "etc/polpkg/policy.toml").read_bytes() == first
    assert call("verify", "--root", installed).code == 0


def test_rollback_and_back_again_gives_the_same_policy(call, installed):
    policy = (installed / BOOT_FILE).read_bytes()
    call("rollback", "1", "--root", installed)
    assert (installed / BOOT_FILE).read_bytes() != policy
    call("rollback", "2", "--root", installed)
    assert (installed / BOOT_FILE).read_bytes() == policy


def test_rollback_dry_run(call, installed):
    before = (installed / BOOT_FILE).read_bytes()
    done = call("rollback", "--root", installed, "--dry-run", "--json")
    assert done.code == 10
    assert done.document["plan"]["action"] == "rollback 1"
    assert (installed / BOOT_FILE).read_bytes() == before
    assert call("status", "--root", installed, "--json").document["generation"] == 2


def test_rollback_to_the_current_one_does_nothing(call, installed):
    assert call("rollback", "2", "--root", installed).out.startswith("nothing to do: generation 2")
    assert call("rollback", "2", "--root", installed, "--dry-run").code == 0


@pytest.mark.parametrize(("number", "code"), [("9", 6), ("0", 6), ("x", 2)])
def test_rollback_to_what_is_not_there(call, installed, number, code):
    assert call("rollback", number, "--root", installed).code == code


def test_rollback_writes_the_project_folder(call, installed, tmp_path):
    (tmp_path / "policy.toml").write_text('[packages]\nstordom = "*"\n')
    call("rollback", "--root", installed)
    assert (tmp_path / "policy.toml").read_bytes() == (installed / "etc/polpkg/policy.toml").read_bytes()
    assert (tmp_path / "policy.lock").read_bytes() == (installed / "etc/polpkg/policy.lock").read_bytes()


VETO = """
from polpkg.api import *
@hookimpl
def plan_ready(plan):
    return Veto("not today")
"""


def test_a_plugin_may_veto_a_rollback(call, installed, site):
    site.install("polpkg-careful", VETO)
    done = call("rollback", "--root", installed)
    assert done.code == 6
    assert "not today" in done.told
    assert call("status", "--root", installed, "--json").document["generation"] == 2


def test_verify_builds_the_policy_again(call, installed):
    done = call("verify", "--root", installed)
    assert (done.code, done.err) == (0, "")
    assert done.out == "generation 2 is as it was installed; built again with the same bytes: 1\n"
    document = call("verify", "--root", installed, "--json").document
    assert (document["ok"], document["drift"], document["rebuilt"], document["skipped"]) == (True, [], 1, [])


def test_verify_lists_every_difference(call, installed):
    (installed / BOOT_FILE).write_bytes(b"other")
    (installed / "etc/polpkg/policy.lock").unlink()
    (installed / "boot/xenpolicy-old").write_bytes(b"")
    done = call("verify", "--root", installed, "--json")
    assert done.code == 1
    kinds = {(each["kind"], each["path"]) for each in done.document["drift"]}
    assert kinds == {
        ("changed", f"/{BOOT_FILE}"),
        ("missing", "/etc/polpkg/policy.lock"),
        ("foreign", "/boot/xenpolicy-old"),
    }
    text = call("verify", "--root", installed).out
    assert text.endswith("generation 2: 3 differences\n")
    assert max(map(len, text.splitlines())) <= 80


def test_a_damaged_receipt_is_drift(call, installed):
    (installed / "var/lib/polpkg/generations/2/receipt.json").write_text("[]")
    done = call("verify", "--root", installed, "--json")
    assert done.code == 1
    assert done.document["drift"][0]["kind"] == "damaged"


def forge(root, **changes):
    """Change the receipt, as somebody would who can write there."""
    path = root / "var/lib/polpkg/generations/2/receipt.json"
    receipt = json.loads(path.read_text())
    receipt["policies"][0] |= changes
    path.write_text(json.dumps(receipt))


def forge_record(root, change):
    path = root / "var/lib/polpkg/generations/2/receipt.json"
    receipt = json.loads(path.read_text())
    change(receipt)
    path.write_text(json.dumps(receipt))


@pytest.mark.parametrize(
    "change",
    [
        lambda receipt: receipt["packages"][0].update(version="9.9"),
        lambda receipt: receipt["packages"][0].update(sha256="0" * 64),
        lambda receipt: receipt["packages"].pop(),
        lambda receipt: receipt["functions"].update({"net-backend": "dom0"}),
        lambda receipt: receipt["policies"][0].update(allow_rules=1),
        lambda receipt: receipt["policies"][0].update(size=1),
    ],
    ids=["version", "digest", "package", "owner", "rules", "size"],
)
def test_a_receipt_that_tells_a_tale_is_drift(call, installed, change):
    forge_record(installed, change)
    done = call("verify", "--root", installed, "--json")
    assert done.code == 1
    assert {each["kind"] for each in done.document["drift"]} == {"receipt-differs"}


def test_a_policy_that_its_packages_do_not_give_is_drift(call, installed):
    forged = b"a policy that nobody built"
    (installed / BOOT_FILE).write_bytes(forged)
    forge(installed, sha256=sha256(forged).hexdigest())
    done = call("verify", "--root", installed, "--json")
    assert done.code == 1
    assert [each["kind"] for each in done.document["drift"]] == ["policy-differs"]


def test_a_backend_that_is_not_there_is_said_and_is_no_drift(call, installed):
    forge(installed, backend="gone")
    done = call("verify", "--root", installed)
    assert done.code == 0
    assert "was not built again: there is no backend `gone`" in done.out


def test_a_hypervisor_file_outside_the_target(call, empty, tmp_path):
    odd = replace(load_abi("4.22"), version="4.17.7")
    (tmp_path / "odd.gz").write_bytes(build_hypervisor(odd))
    call("install", "vmv", "--root", empty, "--xen", tmp_path / "odd.gz")
    assert call("verify", "--root", empty, "--json").document["rebuilt"] == 1
    (tmp_path / "odd.gz").unlink()
    done = call("verify", "--root", empty)
    assert done.code == 0
    assert "the tables of its" in done.out


def test_packages_that_are_not_at_hand_are_said_and_are_no_drift(call, empty, tmp_path):
    call("init", tmp_path / "mine")
    call("install", tmp_path / "mine", "--root", empty, "--xen", "4.17")
    assert call("verify", "--root", empty, "--json").document["rebuilt"] == 1
    (tmp_path / "mine").rename(tmp_path / "away")
    done = call("verify", "--root", empty)
    assert done.code == 0
    assert "note: the policy was not built again" in done.out


def test_a_package_that_was_edited_since_does_not_count(call, empty, tmp_path):
    call("init", tmp_path / "mine")
    call("install", tmp_path / "mine", "--root", empty, "--xen", "4.17")
    (tmp_path / "mine/README.md").write_text("other")
    assert call("verify", "--root", empty).code == 0
    assert call("labels", "--root", empty).code == 0
    assert "nothing to do" in call("sync", "--root", empty).out
    assert "generation 2" in call("install", tmp_path / "mine", "--root", empty).out


def test_a_package_whose_locked_bytes_are_nowhere_is_drift(call, empty, tmp_path, monkeypatch):
    call("init", tmp_path / "mine")
    call("install", tmp_path / "mine", "--root", empty, "--xen", "4.17")
    (tmp_path / "mine/README.md").write_text("other")
    monkeypatch.setenv("POLPKG_CACHE", str(tmp_path / "another-cache"))
    done = call("verify", "--root", empty, "--json")
    assert done.code == 1
    assert [each["kind"] for each in done.document["drift"]] == ["packages-changed"]


def test_rollback_to_a_damaged_generation(call, installed):
    (installed / "var/lib/polpkg/generations/1/policy.lock").write_text("other")
    before = (installed / BOOT_FILE).read_bytes()
    assert call("rollback", "--root", installed).code == 6
    assert (installed / BOOT_FILE).read_bytes() == before


def test_rollback_to_a_generation_that_the_hypervisor_would_refuse(call, installed):
    (installed / "boot/xen-4.17-amd64.gz").write_bytes(build_hypervisor("4.22"))
    done = call("rollback", "--root", installed)
    assert done.code == 6
    assert "generation-does-not-fit" in done.told
    verified = call("verify", "--root", installed, "--json")
    assert "hypervisor-abi" in [each["kind"] for each in verified.document["drift"]]


def forge_file(root, name, text):
    """Put `text` in place of a file of the generation, in the receipt as well."""
    (root / "var/lib/polpkg/generations/2" / name).write_text(text)
    (root / "etc/polpkg" / name).write_text(text)
    path = root / "var/lib/polpkg/generations/2/receipt.json"
    receipt = json.loads(path.read_text())
    receipt["files"][name] = sha256(text.encode()).hexdigest()
    path.write_text(json.dumps(receipt))


def test_a_lock_that_does_not_answer_policy_toml_is_drift(call, installed):
    forge_file(installed, "policy.toml", '[packages]\nvmv = ">=2"\nnetdom = "*"\n')
    done = call("verify", "--root", installed, "--json")
    assert done.code == 1
    assert [each["kind"] for each in done.document["drift"]] == ["stale-lock"]
    assert "policy.toml requires vmv>=2, and 1.0.0 is locked" in done.document["drift"][0]["message"]


def test_a_generation_that_does_not_parse_is_drift(call, installed):
    forge_file(installed, "policy.lock", "format = 1\n[[package]]\n")
    done = call("verify", "--root", installed, "--json")
    assert done.code == 1
    assert [each["kind"] for each in done.document["drift"]] == ["damaged"]
    assert call("list", "--root", installed).code == 5


def test_a_generation_that_was_changed_is_drift_and_is_not_built_again(call, installed):
    (installed / "var/lib/polpkg/generations/2/policy.lock").write_text("other")
    done = call("verify", "--root", installed)
    assert done.code == 1
    assert "note: the lock and the policy were not looked at" in done.out


def test_a_release_that_its_index_has_no_more_is_told(call, installed):
    lock = (installed / "etc/polpkg/policy.lock").read_text()
    forge_file(
        installed, "policy.lock", lock.replace('name = "vmv"\nversion = "1.0.0"', 'name = "vmv"\nversion = "1.1"')
    )
    forge_record(
        installed, lambda receipt: [p.update(version="1.1") for p in receipt["packages"] if p["name"] == "vmv"]
    )
    done = call("verify", "--root", installed)
    assert done.code == 0
    assert "has vmv 1.1 no more" in done.out


def test_instances_that_do_not_fit_their_package_are_drift(call, installed):
    text = (installed / "etc/polpkg/policy.toml").read_text()
    forge_file(installed, "policy.toml", f"{text}\n[instances.vmv.vmv]\nnosuch = 1\n")
    done = call("verify", "--root", installed, "--json")
    assert done.code == 1
    assert [each["kind"] for each in done.document["drift"]] == ["packages-changed"]
