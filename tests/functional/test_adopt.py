"""`polpkg adopt`: what somebody made by hand before polpkg came is kept, compared with, and gone back to."""

import json
import shutil
from hashlib import sha256

import pytest
from hypervisors import build_hypervisor

from polpkg.cli import boundary

PLACE = "boot/xenpolicy-4.17-amd64"


@pytest.fixture(scope="session")
def policies(tmp_path_factory):
    """Hand-made policies for two releases."""
    base = tmp_path_factory.mktemp("hand-made")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("POLPKG_CACHE", str(base / "cache"))
        for xen in ("4.17", "4.22"):
            assert boundary.run(["link", "dom0", "domu", "--xen", xen, "-o", str(base / xen), "--quiet"]) == 0
    return {xen: (base / xen).read_bytes() for xen in ("4.17", "4.22")}


@pytest.fixture
def machine(tmp_path, policies):
    """A hypervisor, and a policy for it that polpkg knows nothing of."""
    root = tmp_path / "machine"
    (root / "boot").mkdir(parents=True)
    (root / "boot/xen-4.17-amd64.gz").write_bytes(build_hypervisor("4.17"))
    (root / PLACE).write_bytes(policies["4.17"])
    return root


def boot(root):
    return {path.name: path.read_bytes() for path in (root / "boot").rglob("*") if path.is_file()}


def generation(root, number):
    return root / f"var/lib/polpkg/generations/{number}"


def test_a_policy_becomes_generation_0_and_nothing_in_boot_changes(call, machine, policies):
    before = boot(machine)
    document = call("adopt", "--root", machine, "--json").document
    assert document["generation"] == 0
    assert [(p["path"], p["hypervisors"], p["xen"]) for p in document["policies"]] == [
        (f"/{PLACE}", ["/boot/xen-4.17-amd64.gz"], "4.17.7")
    ]
    assert boot(machine) == before
    kept = generation(machine, 0) / "adopted-4.17-amd64"
    assert (kept / "policydb").read_bytes() == policies["4.17"]
    assert b"allow dom0_t" in (kept / "policy.conf").read_bytes()
    assert call("verify", "--root", machine).code == 0
    status = call("status", "--root", machine).out
    assert "by somebody else" in status
    assert call("query", "types", "--root", machine).code == 0


def test_a_dry_run_changes_nothing(call, machine):
    done = call("adopt", "--root", machine, "--dry-run")
    assert done.code == 10
    assert not (machine / "var/lib/polpkg/current").is_symlink()
    assert call("adopt", "--root", machine).code == 0
    assert call("adopt", "--root", machine, "--dry-run").code == 0


def test_adopting_twice_is_adopting_once(call, machine):
    call("adopt", "--root", machine)
    before = {p: p.read_bytes() for p in machine.rglob("*") if p.is_file()}
    document = call("adopt", "--root", machine, "--json").document
    assert document["changed"] is False
    assert {p: p.read_bytes() for p in machine.rglob("*") if p.is_file()} == before


def test_the_first_change_is_compared_with_it_and_undone_to_the_byte(call, machine, policies):
    call("adopt", "--root", machine)
    review = call("install", "vmv", "--root", machine, "--dry-run", "--json").document["review"]
    assert review[0]["compared_with"] == "generation 0"
    assert any("vmv_t" in rule["source"] for rule in review[0]["allow"]["added"])
    assert call("install", "vmv", "--root", machine, "--yes").code == 0
    assert call("verify", "--root", machine).code == 0
    assert (machine / PLACE).read_bytes() != policies["4.17"]
    difference = call("diff", "0", "1", "--root", machine, "--json").document
    assert "vmv_t" in difference["types"]["added"]
    assert call("rollback", "0", "--root", machine, "--yes").code == 0
    assert (machine / PLACE).read_bytes() == policies["4.17"]
    assert call("verify", "--root", machine).code == 0
    assert call("rollback", "--root", machine, "--yes").code == 0
    assert call("verify", "--root", machine).code == 0


def test_a_confirmed_one_is_what_a_machine_falls_back_to(call, machine, policies):
    (machine / "etc/grub.d").mkdir(parents=True)
    (machine / "etc/grub.d/00_header").write_text("#!/bin/sh\n")
    call("adopt", "--root", machine)
    assert call("confirm", "--root", machine).code == 0
    assert not (machine / "etc/grub.d/09_polpkg").exists(), "nothing of the boot is taken over"
    assert call("install", "vmv", "--root", machine, "--yes").code == 0
    assert (machine / "boot/polpkg/confirmed-4.17-amd64").read_bytes() == policies["4.17"]
    assert call("rollback", "--root", machine, "--yes").code == 0
    assert (machine / PLACE).read_bytes() == policies["4.17"]


def test_it_is_never_pruned(call, machine):
    call("adopt", "--root", machine)
    call("install", "vmv", "--root", machine, "--yes")
    (machine / "etc/polpkg/policy.toml").write_text('[target]\nkeep = 1\n[packages]\nvmv = "*"\n')
    for package in ("netdom", "stordom", "domu-isolated"):
        assert call("install", package, "--root", machine, "--yes").code == 0
    numbers = sorted(int(path.name) for path in generation(machine, 0).parent.iterdir())
    assert numbers == [0, 3, 4]


def test_what_no_hypervisor_takes_is_kept_and_named(call, machine, policies):
    (machine / "boot/xen-4.22.gz").write_bytes(build_hypervisor("4.22"))
    (machine / "boot/xenpolicy-4.22").write_bytes(policies["4.17"])
    (machine / "boot/xenpolicy-broken").write_bytes(policies["4.17"][:500])
    before = boot(machine)
    done = call("adopt", "--root", machine)
    assert "fits no hypervisor here" in done.out
    assert "cannot be read" in done.out
    by_path = {p["path"]: p for p in call("adopt", "--root", machine, "--json").document["policies"]}
    assert "permission" in by_path["/boot/xenpolicy-4.22"]["misfit"]
    assert by_path["/boot/xenpolicy-broken"]["unreadable"]
    assert call("install", "vmv", "--root", machine, "--yes").code == 0
    assert boot(machine)["xenpolicy-broken"] == before["xenpolicy-broken"]
    kept = {path.read_bytes() for path in generation(machine, 0).rglob("policydb")}
    assert {before[name] for name in before if name.startswith("xenpolicy-")} == kept
    assert call("verify", "--root", machine).code == 0
    assert call("rollback", "0", "--root", machine, "--yes").code == 0
    now = boot(machine)
    assert now["xenpolicy-4.17-amd64"] == policies["4.17"]
    assert now["xenpolicy-4.22"] != before["xenpolicy-4.22"], "a policy that would panic is not put back"


def test_several_hypervisors_and_two_policies_of_one_abi(call, machine, policies):
    other = policies["4.17"][:-1] + bytes([policies["4.17"][-1]]) + b"\0"
    (machine / "boot/xen-4.17.7.gz").write_bytes(build_hypervisor("4.17.7"))
    (machine / "boot/xenpolicy-4.17.7").write_bytes(other)
    (machine / "boot/xen-4.22.gz").write_bytes(build_hypervisor("4.22"))
    (machine / "boot/xenpolicy-4.22").write_bytes(policies["4.22"])
    before = boot(machine)
    assert len(call("adopt", "--root", machine, "--json").document["policies"]) == 3
    assert call("install", "vmv", "--root", machine, "--yes").code == 0
    assert boot(machine) != before
    assert call("rollback", "0", "--root", machine, "--yes").code == 0
    assert boot(machine) == before
    assert call("verify", "--root", machine).code == 0


def test_the_name_that_a_boot_loader_gives_counts(call, machine, policies):
    (machine / PLACE).unlink()
    (machine / "boot/flask.bin").write_bytes(policies["4.17"])
    (machine / "boot/grub").mkdir()
    (machine / "boot/grub/grub.cfg").write_text(
        "menuentry 'mine' {\n  multiboot2 /boot/xen-4.17-amd64.gz flask=enforcing\n"
        "  module2 /boot/vmlinuz\n  module2 /boot/initrd\n  module2 /boot/flask.bin\n}\n"
    )
    firmware = machine / "boot/efi/EFI/xen"
    firmware.mkdir(parents=True)
    (firmware / "xen.efi").write_bytes(build_hypervisor("4.22", container="pe"))
    (firmware / "xen.cfg").write_text("[global]\ndefault=a\n[a]\nkernel=vmlinuz\nxsm=site.pol\n")
    (firmware / "site.pol").write_bytes(policies["4.22"])
    found = {p["path"]: p["hypervisors"] for p in call("adopt", "--root", machine, "--json").document["policies"]}
    assert found == {
        "/boot/flask.bin": ["/boot/xen-4.17-amd64.gz"],
        "/boot/efi/EFI/xen/site.pol": ["/boot/efi/EFI/xen/xen.efi"],
    }
    assert call("install", "vmv", "--root", machine, "--yes").code == 0
    assert call("rollback", "0", "--root", machine, "--yes").code == 0
    assert (machine / PLACE).read_bytes() == policies["4.17"]
    assert (firmware / "xenpolicy-xen").read_bytes() == policies["4.22"]
    assert (firmware / "site.pol").read_bytes() == policies["4.22"]


def test_a_hypervisor_that_had_no_policy_keeps_what_it_boots_with(call, machine, policies):
    """Going back takes the way back of nobody away: confirmed policies and what names them stay as well."""
    firmware = machine / "boot/efi/EFI/xen"
    firmware.mkdir(parents=True)
    (firmware / "xen-4.22.efi").write_bytes(build_hypervisor("4.22", container="pe"))
    (firmware / "xen.cfg").write_text("[global]\ndefault=a\n[a]\nkernel=vmlinuz\n")
    call("adopt", "--root", machine)
    assert call("install", "vmv", "--root", machine, "--yes").code == 0
    assert call("confirm", "--root", machine).code == 0
    before = boot(machine)
    assert call("rollback", "0", "--root", machine, "--yes").code == 0
    for name in ("xen.cfg", "xenpolicy-4.22", "polpkg-confirmed-4.22"):
        assert boot(machine)[name] == before[name]
    assert (machine / PLACE).read_bytes() == policies["4.17"]


def test_nothing_to_adopt(call, installed, empty):
    assert call("adopt", "--root", empty).code == 0
    assert not (empty / "var").exists()
    done = call("adopt", "--root", installed)
    assert done.code == 0
    assert "nothing to do" in done.out


def test_a_target_of_polpkg_is_not_adopted(call, installed, policies):
    (installed / "boot/xenpolicy-mine").write_bytes(policies["4.22"])
    done = call("adopt", "--root", installed, "--json")
    assert done.code == 6
    assert done.document["error"]["code"] == "already-managed"
    assert "/boot/xenpolicy-mine" in done.document["error"]["message"]


def test_what_was_replaced_is_never_pruned(call, machine, policies):
    """Without `adopt` a hand-made policy is kept in the generation that took its place; that one stays."""
    call("install", "vmv", "--root", machine, "--yes")
    (machine / "etc/polpkg/policy.toml").write_text('[target]\nkeep = 1\n[packages]\nvmv = "*"\n')
    for package in ("netdom", "stordom", "domu-isolated"):
        assert call("install", package, "--root", machine, "--yes").code == 0
    assert (generation(machine, 1) / "backup" / PLACE).read_bytes() == policies["4.17"]
    assert not generation(machine, 2).exists()


def test_its_text_can_be_imported(call, machine, tmp_path):
    call("adopt", "--root", machine)
    document = call("adopt", "--root", machine, "--json").document
    text = machine / document["policies"][0]["text"].lstrip("/")
    assert call("import", text, "-o", tmp_path / "packages", "--name", "site").code == 0
    assert call("link", "site", "--index", f"own={tmp_path / 'packages'}", "--xen", "4.17", "-o", "again").code == 0
    same = call("diff", "again", machine / PLACE, "--json").document
    assert same["allow"] == {"added": [], "removed": []}


def test_receipts_do_not_lead_elsewhere(call, machine):
    call("adopt", "--root", machine)
    path = generation(machine, 0) / "receipt.json"
    receipt = json.loads(path.read_text())
    receipt["policies"][0]["folder"] = "adopted-/../../../etc"
    path.write_text(json.dumps(receipt))
    assert call("verify", "--root", machine).code == 1
    shutil.rmtree(machine / "var")
    assert call("adopt", "--root", machine).code == 0
    assert sha256((machine / PLACE).read_bytes()).hexdigest() in path.read_text()
