"""confirm, history pin, [target] keep, and what verify sees beyond the files of the current generation."""

import shutil

import pytest
from hypervisors import build_hypervisor

GENERATIONS = "var/lib/polpkg/generations"


@pytest.fixture
def grub(installed):
    """The installed tree with GRUB's scripts."""
    (installed / "etc/grub.d").mkdir()
    (installed / "etc/grub.d/00_header").write_text("#!/bin/sh\n")
    return installed


def test_confirm_on_any_tree(call, installed):
    assert call("status", "--root", installed, "--json").document["confirmed"] is False
    done = call("confirm", "--root", installed, "--json")
    assert (done.code, done.document["generation"], done.document["before"], done.document["changed"]) == (
        0,
        2,
        None,
        True,
    )
    document = call("status", "--root", installed, "--json").document
    assert (document["confirmed"], document["confirmed_generation"]) == (True, 2)
    assert call("confirm", "--root", installed).out == "nothing to do: generation 2 is confirmed\n"
    assert call("verify", "--root", installed).code == 0


def test_confirm_dry_run_changes_nothing(call, installed):
    done = call("confirm", "--root", installed, "--dry-run", "--json")
    assert (done.code, done.document["plan"]["actions"][-1]["do"]) == (10, "write-marks")
    assert call("status", "--root", installed, "--json").document["confirmed_generation"] is None
    assert "mark generation 2 as confirmed" in call("confirm", "--root", installed, "--dry-run").out


def test_confirm_needs_a_generation_that_boots(call, installed, empty):
    assert call("confirm", "--root", empty).code == 6
    (installed / "boot/xenpolicy-4.17-amd64").write_bytes(b"other")
    done = call("confirm", "--root", installed, "--json")
    assert (done.code, done.document["error"]["code"]) == (6, "not-what-boots")


def test_the_way_of_a_new_policy(call, grub):
    """Installed, tried, not confirmed: back."""
    call("confirm", "--root", grub)
    confirmed = (grub / "boot/xenpolicy-4.17-amd64").read_bytes()
    call("install", "stordom", "--root", grub)
    assert (grub / "boot/xenpolicy-4.17-amd64").read_bytes() != confirmed
    assert (grub / "boot/polpkg/confirmed-4.17-amd64").read_bytes() == confirmed
    assert "generation 2 is (the next boot tries the new one, once)" in call("status", "--root", grub).out
    record = grub / "boot/polpkg/grubenv"
    record.write_bytes(record.read_bytes().replace(b"staged", b"failed"))
    assert "given up" in call("status", "--root", grub).out
    assert call("confirm", "--root", grub, "--json").document["error"]["code"] == "trial-failed"
    done = call("rollback", "--root", grub, "--json")
    assert (done.document["generation"], done.code) == (4, 0)
    assert (grub / "boot/xenpolicy-4.17-amd64").read_bytes() == confirmed
    assert "confirmed: it has the policies of generation 2" in call("status", "--root", grub).out
    assert call("verify", "--root", grub).code == 0


def test_confirmed_and_pinned_generations_stay(call, installed):
    call("confirm", "--root", installed)
    assert call("history", "pin", "1", "--root", installed, "--json").document["pinned"] == [1]
    policy = installed / "etc/polpkg/policy.toml"
    policy.write_text(f"{policy.read_text()}\n[target]\nkeep = 1\n")
    for package in ("stordom", "xenstoredom"):
        assert call("install", package, "--root", installed).code == 0
    history = call("history", "--root", installed, "--json").document["generations"]
    kept = [(each["generation"], each["confirmed"], each["pinned"]) for each in history]
    assert kept == [(1, False, True), (2, True, False), (3, False, False), (4, False, False)], "and the one before"
    assert "(confirmed)" in call("history", "--root", installed).out
    call("history", "unpin", "1", "--root", installed)
    call("remove", "stordom", "--root", installed)
    history = call("history", "--root", installed, "--json").document["generations"]
    assert [each["generation"] for each in history] == [2, 4, 5]


def test_rollback_keeps_as_many_as_policy_toml_says(call, installed):
    policy = installed / "etc/polpkg/policy.toml"
    policy.write_text(f"{policy.read_text()}\n[target]\nkeep = 1\n")
    call("sync", "--root", installed)
    call("install", "stordom", "--root", installed)
    call("rollback", "3", "--root", installed)
    history = call("history", "--root", installed, "--json").document["generations"]
    assert [each["generation"] for each in history] == [4, 5]


@pytest.mark.parametrize("keep", ["0", "-1", '"many"'])
def test_keep_is_a_number(call, installed, keep):
    policy = installed / "etc/polpkg/policy.toml"
    policy.write_text(f"{policy.read_text()}\n[target]\nkeep = {keep}\n")
    assert call("sync", "--root", installed).code == 5


def test_pin_needs_a_generation(call, installed):
    assert call("history", "pin", "9", "--root", installed).code == 6
    assert call("history", "pin", "x", "--root", installed).code == 2


def kinds(call, root):
    done = call("verify", "--root", root, "--json")
    assert done.code == 1
    return {(each["kind"], each["path"]) for each in done.document["drift"]}


def test_verify_sees_who_may_write(call, installed):
    (installed / "boot/xenpolicy-4.17-amd64").chmod(0o666)
    (installed / GENERATIONS / "2/policy.lock").chmod(0o664)
    assert kinds(call, installed) == {
        ("mode", "/boot/xenpolicy-4.17-amd64"),
        ("mode", f"/{GENERATIONS}/2/policy.lock"),
    }


def test_verify_sees_what_does_not_belong_to_a_generation(call, installed):
    (installed / GENERATIONS / "2/notes").mkdir()
    (installed / GENERATIONS / "2/notes/mine").write_text("mine")
    assert kinds(call, installed) == {("foreign", f"/{GENERATIONS}/2/notes/mine")}


def test_verify_sees_damage_in_earlier_generations(call, installed):
    lock = installed / GENERATIONS / "1/policy.lock"
    lock.write_text("damaged")
    assert kinds(call, installed) == {("damaged", f"/{GENERATIONS}/1/policy.lock")}
    assert "cannot be gone back to" in call("verify", "--root", installed).out
    shutil.rmtree(lock.parent)
    lock.parent.mkdir()
    assert kinds(call, installed) == {("damaged", f"/{GENERATIONS}/1")}
    assert call("status", "--root", installed, "--json").document["drift"] == [], "status does not look that far"


def test_the_policy_of_a_hypervisor_that_went_goes_too(call, installed):
    """Two hypervisors, then --xen for one of them, then the other is removed."""
    other = installed / "boot/xen-4.20-amd64.gz"
    other.write_bytes(build_hypervisor("4.20"))
    call("sync", "--root", installed)
    assert (installed / "boot/xenpolicy-4.20-amd64").exists()
    call("install", "stordom", "--xen", "4.17", "--root", installed)
    assert (installed / "boot/xenpolicy-4.20-amd64").exists(), "its hypervisor is still there"
    other.unlink()
    done = call("install", "xenstoredom", "--root", installed)
    assert done.code == 0
    assert not (installed / "boot/xenpolicy-4.20-amd64").exists()
    assert call("verify", "--root", installed).code == 0


def test_it_goes_too_when_newer_generations_have_forgotten_it(call, installed):
    """The generation that put it there is kept for as long as the file is there, and no longer."""
    other = installed / "boot/xen-4.20-amd64.gz"
    other.write_bytes(build_hypervisor("4.20"))
    call("sync", "--root", installed)
    call("install", "stordom", "--xen", "4.17", "--root", installed)
    project = installed / "etc/polpkg/policy.toml"
    project.write_text(project.read_text().replace("[target]\n", "[target]\nkeep = 1\n"))
    for package in ("domu-isolated", "xenstoredom", "stubdom"):
        assert call("install", package, "--root", installed, "--xen", "4.17").code == 0
    assert (installed / "boot/xenpolicy-4.20-amd64").exists()
    other.unlink()
    call("remove", "stubdom", "--root", installed)
    assert not (installed / "boot/xenpolicy-4.20-amd64").exists()
    assert call("verify", "--root", installed).code == 0
    call("remove", "xenstoredom", "--root", installed)
    assert len(call("history", "--root", installed, "--json").document["generations"]) == 2


def test_a_policy_that_polpkg_never_wrote_is_left(call, installed):
    (installed / "boot/xenpolicy-4.20-amd64").write_bytes(b"mine")
    call("install", "stordom", "--root", installed)
    assert (installed / "boot/xenpolicy-4.20-amd64").read_bytes() == b"mine"


def test_probe_says_what_is_known_of_the_boot_loader(call, installed):
    def found():
        return [each["code"] for each in call("probe", "--root", installed, "--json").document["boot"]]

    assert found() == ["no-boot-loader"]
    assert max(map(len, call("probe", "--root", installed).out.splitlines())) <= 80
    (installed / "etc/grub.d").mkdir()
    (installed / "etc/grub.d/00_header").write_text("#!/bin/sh\n")
    assert found() == ["no-grub-cfg"]
    (installed / "srv/tftp/pxelinux.cfg").mkdir(parents=True)
    (installed / "srv/tftp/pxelinux.cfg/default").write_text("APPEND xen.gz --- vmlinuz --- initrd\n")
    assert found() == ["no-grub-cfg", "pxelinux-without-policy"]
    (installed / "boot/grub").mkdir()
    (installed / "boot/grub/grub.cfg").write_text("menuentry 'Linux' --id linux {\nlinux /vmlinuz\n}\n")
    assert found() == ["boot-entry-missing", "boot-default-other", "pxelinux-without-policy"]
    assert call("verify", "--root", installed).code == 1
