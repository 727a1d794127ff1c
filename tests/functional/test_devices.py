"""`polpkg devices scan`, and what becomes of what it proposes."""

import tomllib

import pytest
from sysfs_trees import MEMORY, PORTS, Card, build_sysfs

from polpkg.policy.policydb import lift, read_policydb

CARDS = {
    "0000:00:1f.2": Card(0x010601, 20, group=3, driver="ahci", disks=("sda",)),
    "0000:03:00.0": Card(
        0x020000, 16, ((0xF7C00000, 0xF7C1FFFF, MEMORY), (0xE000, 0xE01F, PORTS)), group=7, driver="e1000e"
    ),
    "0000:04:00.0": Card(0x0C0330, 17, group=8),
}


@pytest.fixture
def machine(tmp_path):
    """A machine with a disk that it runs from, a network card and a USB controller."""
    return build_sysfs(tmp_path / "machine", CARDS, boot="8:0")


def test_the_devices_and_the_proposal(call, machine):
    done = call("devices", "scan", "--root", machine)
    assert done.code == 0
    assert "0000:03:00.0  7      16   netdom  e1000e  network controller 8086:10d3\n" in done.out
    assert "0000:00:1f.2  3      20   dom0    ahci    storage controller 8086:10d3\n" in done.out
    assert "warning[boot-disk]: 0000:00:1f.2" in done.told
    proposed = tomllib.loads(done.out.partition(":\n\n")[2])
    assert proposed == {"instances": {"netdom": {"netdom": {"pci": ["0000:03:00.0"]}}}}


def test_the_document(call, machine):
    document = call("devices", "scan", "--root", machine, "--json").document
    card = next(d for d in document["devices"] if d["address"] == "0000:03:00.0")
    assert card == {
        "address": "0000:03:00.0",
        "class": "020000",
        "kind": "network controller",
        "vendor": "8086",
        "device": "10d3",
        "driver": "e1000e",
        "irq": 16,
        "msi": False,
        "ports": [["0xe000", "0xe01f"]],
        "memory": [["0xf7c00000", "0xf7c1ffff"]],
        "iommu_group": 7,
        "physical_function": None,
        "boot_disk": False,
        "proposed": "netdom",
    }
    assert [(f["level"], f["code"]) for f in document["findings"]] == [("warning", "boot-disk")]


def test_what_lspci_printed(call, tmp_path):
    path = tmp_path / "lspci"
    path.write_text('0000:03:00.0 "0200" "8086" "10d3" "1af4" ""\n')
    done = call("devices", "scan", "--lspci", path)
    assert done.code == 0
    assert '"0000:03:00.0",' in done.out


def test_a_tree_without_devices(call, empty):
    assert call("devices", "scan", "--root", empty).code == 6


def test_static_labels_are_policy_by_which_the_device_fits_its_domain(call, machine, tmp_path):
    site = tmp_path / "site-devices"
    (site / "policy").mkdir(parents=True)
    (site / "policy/devices.te").write_text(call("devices", "scan", "--static", "--root", machine).out)
    (site / "polpkg.toml").write_text(
        '[package]\nname = "site-devices"\nversion = "1"\n[requires]\nxen-base = "*"\nnetdom = "*"\n'
    )
    config = tmp_path / "net.cfg"
    config.write_text("seclabel = 'system_u:system_r:netdom_t'\npci = [ '03:00.0' ]\n")
    assert call("link", "netdom", "dom0", "domu", "--xen", "4.17", "-o", "plain").code == 0
    assert call("link", "netdom", "dom0", "domu", "./site-devices", "--xen", "4.17", "-o", "labelled").code == 0
    assert call("xl", "check", config, "--policy", "plain").code == 1
    assert call("xl", "check", config, "--policy", "labelled").code == 0


UNIT = "etc/systemd/system/polpkg-devices.service"
LABELLED = "flask-label-pci 0000:03:00.0 system_u:object_r:netdom_device_t\n"


def test_devices_of_an_instance_are_labelled_by_a_unit_that_goes_with_it(call, installed):
    before = call("query", "allow", "--root", installed).out
    assert not (installed / UNIT).exists()
    assert call("install", "netdom", "--set", "pci=0000:03:00.0", "--root", installed, "--yes").code == 0
    assert f"ExecStart={LABELLED}" in (installed / UNIT).read_text()
    assert (installed / "etc/systemd/system/multi-user.target.d/polpkg-devices.conf").exists()
    assert call("query", "allow", "--root", installed).out == before
    assert call("install", "netdom", "--root", installed, "--yes").code == 0
    assert (installed / UNIT).exists()
    assert call("verify", "--root", installed).code == 0
    assert call("rollback", "--root", installed, "--yes").code == 0
    assert not (installed / UNIT).exists()
    assert call("rollback", "--root", installed, "--yes").code == 0
    assert call("remove", "netdom", "--root", installed, "--yes").code == 0
    assert not (installed / UNIT).exists()
    assert call("verify", "--root", installed).code == 0


@pytest.mark.parametrize("options", [(), ("--option", "netdom:pciback")])
def test_the_policy_leaves_alone_what_the_unit_labels(call, installed, options):
    """After a load flask-label-pci refuses a device that has a label of the policy, even the same (Xen 4.17.7)."""
    words = ("--set", "pci=0000:03:00.0", *options, "--root", installed, "--yes")
    assert call("install", "netdom", *words).code == 0
    contexts = lift(read_policydb((installed / "boot/xenpolicy-4.17-amd64").read_bytes())).object_contexts
    assert contexts == ()


def test_xl_check_knows_what_the_unit_labels(call, installed, tmp_path):
    config = tmp_path / "net.cfg"
    config.write_text("seclabel = 'system_u:system_r:netdom_t'\npci = [ '03:00.0' ]\n")
    check = ("xl", "check", config, "--root", installed)
    assert "error[device-refused]" in call(*check).out
    assert call("install", "netdom", "--set", "pci=0000:03:00.0", "--root", installed, "--yes").code == 0
    assert call(*check).code == 0


def test_one_device_in_two_instances_is_refused(call, installed):
    words = ("--set", "pci=0000:03:00.0", "--root", installed, "--yes")
    assert call("install", "netdom", *words).code == 0
    done = call("install", "netdom", "--instance", "second", *words)
    assert done.code == 2
    assert "error[device-twice]" in done.told
