"""A live host in a box: its policy is changed by polpkg over ssh while guests run.  Judged by xl and by the guests."""

import time
from base64 import b64decode

import pytest
from xenlab.conftest import LATER, ROOT
from xenlab.lab import CONTEXT, Lab
from xenlab.remote import START, Remote

pytestmark = pytest.mark.xenlab

NEW = f"{CONTEXT}vmv_later_t"
FLASK = ("flask-get-bool", "flask-set-bool", "flask-label-pci", "flask-loadpolicy")
CUT = """#!/bin/sh
/sbin/xl.real "$@"; status=$?
if [ "$1" = loadpolicy ] && [ -e /tmp/cut ]; then
  ifconfig eth0 down; . /tmp/cut; rm /tmp/cut
fi
if [ "$1" = loadpolicy ] && [ -e /tmp/hang ]; then rm /tmp/hang; sleep 600; fi
exit $status
"""


@pytest.fixture(scope="module")
def remote(tmp_path_factory):
    import os
    from pathlib import Path

    given = os.environ.get("POLPKG_XENLAB_DEBS", "")
    return Remote(tmp_path_factory.mktemp("remote"), Path(given) if given else ROOT / "build/xenlab")


@pytest.fixture(scope="module")
def host(fits, boot, drivers, files, policies, pieces, remote):
    """The box of this module: two verifiers' policy, an ordinary guest and a storage domain that run."""
    tools = {f"sbin/{name}": (pieces.tools / name).read_bytes() for name in FLASK}
    inside = {**files, **tools, **remote.files(policies.root("drivers"))}
    with boot(drivers, inside, remote.network) as box:
        box.wait_for_dom0(240)
        assert box.start_tools().status == 0
        lab = Lab(box)
        lab.sh(START)
        lab.sh("mv /sbin/xl /sbin/xl.real")
        lab.sh(f"cat >/sbin/xl <<'X'\n{CUT}X\nchmod 755 /sbin/xl")
        lab.start("plain", "domU_t")
        lab.start("stordom", "stordom_t")
        yield lab


def knows(lab, label):
    """Whether the policy in force has a label: Xen is asked, by a program of its own."""
    return lab.vmvctl(f"create {label}").results.get("context") != "EINVAL"


def boot_file(lab):
    return b64decode(lab.sh("base64 /boot/xenpolicy-*"))


def wait_for(lab, phase, seconds):
    lab.sh(
        f"n=0; until [ -e /var/lib/polpkg/live/{phase} ]; do n=$((n+1)); [ $n -gt {seconds} ] && exit 1; sleep 1; done",
        seconds + 30,
    )


def test_an_upgrade_under_running_guests(host, remote):
    before = host.labels()
    assert not knows(host, NEW)
    done = remote.polpkg(f"install {LATER} --yes")
    assert done.code == 0, done.document
    assert (done.document["live"]["outcome"], done.document["live"]["xen"]) == ("loaded", "4.17.7")
    assert knows(host, NEW)
    assert host.labels() == before
    assert host.guest("plain", "echo still here") == "still here"
    host.start("later", "vmv_later_t")
    host.destroy("later")


def test_a_type_in_use_is_not_removed(host, remote):
    before, file = host.labels(), boot_file(host)
    done = remote.polpkg("remove stordom --yes")
    assert (done.code, done.document["error"]["code"]) == (6, "label-in-use")
    assert (host.labels(), boot_file(host)) == (before, file)
    host.sh("xl pause stordom && xl unpause stordom")


@pytest.mark.parametrize("more", ["true", "killall sshd"], ids=["network", "network-and-sshd"])
def test_a_connection_that_is_cut_by_the_change(host, remote, more):
    """The network goes down as soon as the policy is loaded; nobody is there, and the host goes back by itself."""
    file = boot_file(host)
    host.sh(f"echo {more} >/tmp/cut")
    process = remote.start("remove", "vmv", "--instance", "later", "--yes", looking=25)
    wait_for(host, "reverted", 120)
    assert knows(host, NEW)
    assert host.sh("ifconfig eth0 | grep -c RUNNING || true") == "0"
    host.sh("ifconfig eth0 up; killall sshd; /bin/sshd -f /etc/ssh/config" if more != "true" else "ifconfig eth0 up")
    done = remote.finish(process)
    assert (done.code, done.document["error"]["code"]) == (8, "probe-failed"), done.document
    assert boot_file(host) == file
    assert host.guest("plain", "echo still here") == "still here"
    status = remote.polpkg("status").document
    assert (status["live"]["current"], status["live"]["last"]["outcome"]) == (True, "undone")


def test_nobody_confirms(host, remote):
    file = boot_file(host)
    done = remote.polpkg("remove vmv --instance later --yes --confirm-within 15s")
    assert (done.code, done.document["live"]["outcome"]) == (0, "waiting"), done.document
    assert not knows(host, NEW)
    wait_for(host, "reverted", 60)
    assert knows(host, NEW)
    assert boot_file(host) == file
    assert remote.polpkg("confirm").document["error"]["code"] == "reverted"


def test_polpkg_is_killed_after_the_load(host, remote):
    """Nobody is left but the host."""
    file = boot_file(host)
    host.sh("touch /tmp/hang")
    process = remote.start("remove", "vmv", "--instance", "later", "--yes", looking=15)
    end = time.monotonic() + 120
    while knows(host, NEW):
        assert time.monotonic() < end
    process.kill()
    process.communicate()
    wait_for(host, "reverted", 90)
    assert knows(host, NEW)
    assert boot_file(host) == file
    status = remote.polpkg("status").document["live"]
    assert (status["current"], status["last"]["outcome"]) == (True, "reverted")


def test_a_person_confirms_and_that_is_what_boots(host, remote, boot, files):
    before = host.labels()
    done = remote.polpkg("remove vmv --instance later --yes --confirm-within 5m")
    assert done.document["live"]["outcome"] == "waiting", done.document
    done = remote.polpkg("confirm")
    assert (done.code, done.document["live"]) == (0, True), done.document
    assert not knows(host, NEW)
    assert host.labels() == before
    policy = boot_file(host)
    assert remote.polpkg("verify --offline").document["drift"] == []
    with boot(policy, files) as box:
        box.wait_for_dom0(240)
        assert box.start_tools().status == 0
        again = Lab(box)
        assert again.labels()["Domain-0"] == f"{CONTEXT}dom0_t"
        assert not knows(again, NEW)
