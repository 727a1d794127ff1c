"""Network and storage in domains of their own: they serve an ordinary guest, and dom0 has lost what it gave away."""

import pytest
from xenlab.lab import CONTEXT, refused

pytestmark = pytest.mark.xenlab

MAC = "00:16:3e:00:00:01"
DEVICES = (
    f"vif=['backend=netdom,mac={MAC}']",
    "disk=['format=raw,vdev=xvda,access=rw,backendtype=phy,backend=stordom,target=/dev/loop0']",
)
XVDA = 51712  # the number of xvda: xen-vbd-interface(7)


@pytest.fixture(scope="module")
def client(running):
    """A network domain, a storage domain with a disk, and a guest with devices of both; the number of the guest."""
    running.sh("cat /boot/guest.cpio /boot/vmvctl.cpio >/tmp/driver.cpio")
    for name in ("netdom", "stordom"):
        running.start(name, f"{name}_t", "driver_domain=1", ramdisk="/tmp/driver.cpio")
    running.guest("stordom", "(echo from-the-disk; dd if=/dev/zero bs=1M count=4) >/disk 2>/dev/null")
    running.guest("stordom", "losetup /dev/loop0 /disk")
    running.create("client", "domU_t", *DEVICES)
    number = running.domid("client")
    vif, vbd = f"backend/vif/{number}/0", f"backend/vbd/{number}/{XVDA}"
    running.guest("stordom", f"xenstore-write {vbd}/physical-device 7:0 {vbd}/hotplug-status connected")
    running.wait_in("netdom", f"test -d /sys/class/net/vif{number}.0")
    running.guest("netdom", f"ip addr add 10.0.0.1/24 dev vif{number}.0 && ip link set vif{number}.0 up")
    running.guest("netdom", f"xenstore-write {vif}/hotplug-status connected")
    running.wait_for("client")  # its drivers wait for their devices
    running.guest("client", "ip addr add 10.0.0.2/24 dev eth0 && ip link set eth0 up")
    yield number
    running.destroy("client", "netdom", "stordom")


@pytest.fixture
def lab(client, lab):
    return lab


def test_they_run_under_their_labels(lab):
    labels = lab.labels()
    for name in ("netdom", "stordom"):
        assert labels[name] == f"{CONTEXT}{name}_t"
    assert labels["client"] == f"{CONTEXT}domU_t"


def test_packets_pass_both_ways(lab, client):
    lab.wait_in("client", "ping -c 1 -W 1 10.0.0.1")
    assert "3 packets received" in lab.guest("client", "ping -c 3 10.0.0.1")
    assert "3 packets received" in lab.guest("netdom", "ping -c 3 10.0.0.2")


def test_a_file_passes_whole(lab):
    lab.wait_in("client", "ping -c 1 -W 1 10.0.0.1")
    lab.guest("netdom", "dd if=/dev/urandom of=/file bs=1k count=300 2>/dev/null; httpd -h /")
    lab.guest("client", "wget -q -O /file http://10.0.0.1/file")
    assert lab.guest("client", "md5sum /file") == lab.guest("netdom", "md5sum /file")


def test_the_disk_is_read_and_written(lab):
    lab.wait_in("client", "test -b /dev/xvda")
    assert lab.guest("client", "head -n 1 /dev/xvda") == "from-the-disk"
    lab.guest("client", "echo from-the-guest | dd of=/dev/xvda bs=512 seek=1 conv=sync,fsync 2>/dev/null")
    assert "from-the-guest" in lab.guest("stordom", "dd if=/disk bs=512 skip=1 count=1 2>/dev/null | tr -d '\\0'")


def test_dom0_copies_from_and_to_pages_of_the_client_no_longer(lab, client):
    page = lab.sh(f"xenstore-read /local/domain/{client}/device/vif/0/tx-ring-ref")
    steps = lab.vmvctl(f"try {client} copy={page} give={page}")
    assert steps.results == {"copy": "EACCES", "give": "EACCES"}
    assert lab.denied() == {"domU_t dom0_t:grant copy", "dom0_t domU_t:grant copy"}


@pytest.mark.parametrize("name", ["netdom", "stordom"])
def test_a_driver_domain_rules_over_nobody(lab, client, name):
    steps = "getinfo pause unpause max_vcpus setmaxmem shutdown ports destroy"
    others = {"dom0_t": 0, "domU_t": client}
    for target, number in others.items():
        tried = steps if number else "getinfo max_vcpus setmaxmem ports"
        assert refused(lab.vmvctl(f"try {number} {tried}", inside=name), tried)
        denied = lab.denied()
        assert {text.partition(":")[0] for text in denied} == {f"{name}_t {target}"}
    made = lab.vmvctl(f"create {CONTEXT}domU_t", inside=name)
    assert made.results == {"context": "EACCES"}, "it may not even ask what a label means"
    assert lab.denied() == {f"{name}_t security_t:security check_context"}


def test_xenstore_is_in_dom0_and_serves_everybody(lab, client):
    assert lab.sh("xenstore-read /local/domain/0/domid") == "0"
    for name in ("client", "netdom", "stordom"):
        assert lab.guest(name, "xenstore-read name") == name
