"""Boot paths in whole changes: those of plugins, trees for network boot, and what `probe` says of them."""

import pytest
from hypervisors import build_hypervisor

from polpkg.ops.context import Context
from polpkg.targets.boot.known import BOOT_PATHS
from polpkg.targets.boot.path import BootFileContent, BootFinding, SetUp

LABELS = "DEFAULT xen\nLABEL xen\n KERNEL mboot.c32\n APPEND xen-4.17.gz --- vmlinuz --- initrd\n"


class Coreboot:
    """What a plugin may bring: payloads below /boot/payload, and a list of them."""

    name = "coreboot"
    path = "/boot/payload/list.txt"

    def starts(self, hypervisor):
        return hypervisor.startswith("/boot/efi/payload/")

    def policy_path(self, hypervisor):
        return f"/boot/payload/xenpolicy-{hypervisor.rpartition('/')[2]}"

    def inspect(self, target, served):
        if target.stat(self.path) is None:
            yield BootFinding("no-list", self.path, f"{self.path} is not there")

    def set_up(self, target, served):
        return SetUp({self.path: BootFileContent("".join(f"{s.hypervisor} {s.policy}\n" for s in served).encode())})


@pytest.fixture
def plugin(monkeypatch):
    """A boot path of a plugin, asked before EFI's."""
    boot_path = Coreboot()
    monkeypatch.setattr(Context, "boot_paths", lambda _: (boot_path, *BOOT_PATHS))
    return boot_path


def test_a_boot_path_of_a_plugin_is_used_in_every_change(call, empty, plugin):
    xen = empty / "boot/efi/payload/xen.efi"
    xen.parent.mkdir(parents=True)
    xen.write_bytes(build_hypervisor("4.17", container="pe"))
    assert call("install", "dom0", "--root", empty).code == 0
    policy = empty / "boot/payload/xenpolicy-xen.efi"
    listed = empty / "boot/payload/list.txt"
    assert policy.exists()
    assert listed.read_text() == "/boot/efi/payload/xen.efi /boot/payload/xenpolicy-xen.efi\n"
    assert call("verify", "--root", empty).code == 0
    listed.write_text("other\n")
    assert call("verify", "--root", empty).code == 1
    assert call("sync", "--root", empty).code == 0
    assert listed.read_text().startswith("/boot/efi")
    assert call("confirm", "--root", empty).code == 0
    assert call("install", "domu-isolated", "--root", empty).code == 0
    assert call("rollback", "--root", empty).code == 0
    assert call("verify", "--root", empty).code == 0
    (found,) = call("probe", "--root", empty, "--json").document["hypervisors"]
    assert found["boot_paths"] == ["coreboot"]
    assert found["policy"]["path"] == "/boot/payload/xenpolicy-xen.efi"


def test_a_plugin_writes_for_booting_only(call, empty, plugin):
    plugin.path = "/etc/passwd"
    (empty / "boot").mkdir()
    (empty / "boot/xen.gz").write_bytes(build_hypervisor("4.17"))
    done = call("install", "dom0", "--root", empty, "--json")
    assert done.code == 6
    assert done.document["error"]["code"] == "not-a-boot-file"
    assert not (empty / "etc").exists()


def test_a_tree_for_network_boot(call, empty):
    (empty / "xen-4.17.gz").write_bytes(build_hypervisor("4.17"))
    for name in ("vmlinuz", "initrd"):
        (empty / name).write_text(name)
    (empty / "pxelinux.cfg").mkdir()
    (empty / "pxelinux.cfg/default").write_text(LABELS)
    done = call("install", "dom0", "--root", empty)
    assert done.code == 0
    assert (empty / "xenpolicy-4.17").exists()
    assert "--- xenpolicy-4.17" in (empty / "pxelinux.cfg/default").read_text()
    probed = call("probe", "--root", empty)
    assert "booted by pxelinux with /xenpolicy-4.17" in probed.out
    assert max(map(len, probed.out.splitlines())) <= 80
    assert call("verify", "--root", empty).code == 0
    assert call("install", "domu-isolated", "--root", empty).code == 0
    assert call("sync", "--root", empty, "--dry-run").code == 0
    (empty / "xenpolicy-4.17").write_bytes(b"other")
    assert call("verify", "--root", empty).code == 1


@pytest.mark.parametrize("place", ["xen-4.17.gz", "boot/xen-4.17.gz", "boot/efi/EFI/xen/xen-4.17.efi"])
@pytest.mark.parametrize("reason", ["no-usable-hypervisor", "abi"])
def test_every_boot_path_refuses_what_takes_no_policy(call, empty, place, reason):
    """No FLASK, and a hypervisor whose table is that of another release than the one that is named."""
    container = "pe" if place.endswith(".efi") else "gz"
    path = empty / place
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(build_hypervisor("4.17", container=container, flask=reason == "abi"))
    if reason == "abi":
        policies = call("install", "dom0", "--root", empty, "--json").document["policies"]
        path.write_bytes(build_hypervisor("4.22.0", container=container))
        found = call("verify", "--root", empty, "--json").document["drift"]
        assert ("hypervisor-abi", f"/{place}") in [(each["kind"], each["path"]) for each in found]
        probed = call("probe", "--root", empty, "--json").document["hypervisors"][0]
        assert probed["policy"]["fits"] is False
        assert call("sync", "--root", empty).code == 0
        assert call("probe", "--root", empty, "--json").document["hypervisors"][0]["policy"]["fits"] is True
        assert len(policies) == 1
    else:
        done = call("install", "dom0", "--root", empty, "--json")
        assert done.code == 6
        assert done.document["error"]["code"] == reason
        assert not list(empty.rglob("xenpolicy-*"))


def test_refit_says_nothing_when_nothing_changed(call, empty, installed):
    assert call("refit", "--root", empty).out == ""
    done = call("refit", "--root", installed)
    assert (done.code, done.out.strip(), done.err) == (0, "", "")
    assert call("refit", "--root", installed, "--json").document["changed"] is False


def test_refit_serves_new_and_replaced_hypervisors(call, installed):
    (installed / "boot/xen-4.20-amd64.gz").write_bytes(build_hypervisor("4.20"))
    (installed / "boot/xen-4.17-amd64.gz").write_bytes(build_hypervisor("4.18.5"))
    lock = (installed / "etc/polpkg/policy.lock").read_bytes()
    document = call("refit", "--root", installed, "--json").document
    assert {(each["kind"], each["path"]) for each in document["found"]} == {
        ("hypervisor-abi", "/boot/xen-4.17-amd64.gz"),
        ("hypervisor-new", "/boot/xen-4.20-amd64.gz"),
    }
    probed = call("probe", "--root", installed, "--json").document["hypervisors"]
    assert [each["policy"]["fits"] for each in probed] == [True, True]
    assert (installed / "etc/polpkg/policy.lock").read_bytes() == lock
    assert call("refit", "--root", installed).out == "\n" or call("refit", "--root", installed).out == ""
    assert call("verify", "--root", installed).code == 0


def test_refit_that_fails_leaves_all_and_names_what_must_not_boot(call, installed):
    before = sorted((path, path.read_bytes()) for path in installed.rglob("*") if path.is_file())
    xen = installed / "boot/xen-4.17-amd64.gz"
    old = xen.read_bytes()
    xen.write_bytes(build_hypervisor("4.17", flask=False))
    done = call("refit", "--root", installed)
    assert done.code == 6
    assert "NO POLICY FITS /boot/xen-4.17-amd64.gz" in " ".join(done.err.split())
    xen.write_bytes(old)
    assert sorted((path, path.read_bytes()) for path in installed.rglob("*") if path.is_file()) == before
