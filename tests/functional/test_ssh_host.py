"""polpkg and a host behind a real sshd: a whole life, as on a tree; who is not let in; what is refused."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys

import pytest
from hypervisors import build_hypervisor
from ssh_hosts import make_key, ssh_host, why_no_host

from polpkg.targets.host.session import Session

pytestmark = pytest.mark.skipif(bool(why_no_host()), reason=why_no_host() or "there can be one")

STATE = ("boot", "etc/polpkg", "var/lib/polpkg")


@pytest.fixture(scope="module")
def machine(tmp_path_factory):
    with ssh_host(tmp_path_factory.mktemp("machine") / "host") as host:
        yield host


@pytest.fixture
def host(machine, monkeypatch):
    """The machine with a hypervisor and nothing else."""
    for name in STATE:
        shutil.rmtree(machine.root / name, ignore_errors=True)
    (machine.root / "boot").mkdir()
    (machine.root / "boot/xen-4.17-amd64.gz").write_bytes(build_hypervisor("4.17"))
    machine.patch_path(monkeypatch)
    return machine


def files(root):
    """What polpkg wrote below `root`; links by what they say."""
    found = {}
    for folder in STATE:
        for path in (root / folder).rglob("*"):
            if path.is_symlink():
                found[str(path.relative_to(root))] = str(path.readlink())
            elif path.is_file():
                found[str(path.relative_to(root))] = (path.read_bytes(), path.stat().st_mode)
    return found


CHANGES = (
    ("install", "vmv", "--yes"),
    ("install", "netdom", "--yes"),
    ("sync", "--locked", "--yes"),
    ("history", "pin", "1"),
    ("remove", "netdom", "--yes"),
    ("rollback", "1", "--yes"),
    ("confirm", "--force"),
)


def test_a_life_is_the_same_on_a_host_and_in_a_tree(call, host, tmp_path, monkeypatch):
    tree = tmp_path / "tree"
    shutil.copytree(host.root / "boot", tree / "boot")
    for words in CHANGES:
        here, there = (call(*words, "--json", *target) for target in (("--root", tree), ("--host", host.address)))
        assert there.code == here.code, there.out + there.err
    a, b = files(tree), files(host.root)
    assert a.keys() == b.keys()
    for name, content in a.items():
        if not name.endswith("receipt.json"):  # it has the time
            assert content == b[name], name


LOOKS = (
    ("status",), ("list",), ("history",), ("verify",), ("labels",), ("functions",), ("tree",), ("why", "xen-base"),
    ("explain", "vmv_t", "vmv_guest_t", "domain", "create"), ("query", "allow", "-s", "vmv_t"), ("boolean", "list"),
    ("diff", "1", "2"), ("outdated",), ("probe",), ("sync", "--dry-run"), ("remove", "netdom", "--dry-run"),
)  # fmt: skip

NO_XEN = "no Xen runs there that can be asked: it has no `xl`\n"
RUNNING = {
    ("status",): (f"running: {NO_XEN}",),
    ("probe",): (f"running: {NO_XEN}",),
    ("sync", "--dry-run"): (f"not loaded now: {NO_XEN}",),
    ("remove", "netdom", "--dry-run"): (f"not loaded now: {NO_XEN}",),
    ("verify",): ("note: what is in force was not looked at: " + NO_XEN.replace(": it", ":\n  it"),),
}
"""What some say of a host in addition: about what runs there."""


def test_every_look_shows_the_same_as_of_a_tree(call, host, tmp_path):
    assert call("install", "vmv", "--yes", "--host", host.address).code == 0
    assert call("install", "netdom", "--yes", "--host", host.address).code == 0
    tree = tmp_path / "tree"
    for folder in STATE:
        shutil.copytree(host.root / folder, tree / folder, symlinks=True)
    before = files(host.root)
    for words in LOOKS:
        here, there = call(*words, "--root", tree), call(*words, "--host", host.address)
        shown = there.out.replace(host.address, str(tree))
        assert there.code == here.code
        assert here.out, words
        for line in RUNNING.get(words, ()):
            assert line in shown, words
            shown = shown.replace(line, "")
        assert shown == here.out, words
    assert files(host.root) == before


def test_looking_and_doing_nothing_take_few_ways_there_and_back(call, host, monkeypatch):
    """Each line costs one: on a slow network they are what a command takes."""
    assert call("install", "vmv", "--yes", "--host", host.address).code == 0
    lines = []
    run = Session.run

    def noted(session, line, *words, **options):
        lines.append(line)
        return run(session, line, *words, **options)

    monkeypatch.setattr(Session, "run", noted)
    for words, most in ((("sync", "--yes"), 14), (("status",), 20), (("install", "netdom", "--yes"), 60)):
        del lines[:]
        assert call(*words, "--host", host.address).code == 0
        assert len(lines) <= most, lines


class TestWhoIsNotLetIn:
    def refusal(self, call, address, exit_code=1):
        done = call("status", "--host", address, "--json")
        error = done.document["error"]
        assert (done.code, error["exit"]) == (exit_code, exit_code)
        return error

    def test_an_unknown_host_key(self, call, host):
        error = self.refusal(call, host.address.replace("127.0.0.1", "localhost"))
        assert error["code"] == "unknown-host-key"
        assert f"ssh -p {host.port} root@localhost" in error["hint"]

    def test_a_host_key_that_changed(self, call, host, tmp_path):
        known = host.client / "known_hosts"
        text = known.read_text()
        make_key(tmp_path / "other", "other")
        known.write_text(f"[127.0.0.1]:{host.port} {(tmp_path / 'other.pub').read_text()}")
        try:
            error = self.refusal(call, host.address)
        finally:
            known.write_text(text)
        assert error["code"] == "host-key-changed"
        assert f"ssh-keygen -R '[127.0.0.1]:{host.port}'" in error["hint"]

    def test_nobody_is_asked_for_a_password(self, call, host):
        error = self.refusal(call, host.address.replace("root@", "nobody-there@"))
        assert error["code"] == "login-refused"
        assert "ssh-copy-id" in error["hint"]

    def test_nobody_listens(self, call, host):
        assert self.refusal(call, "ssh://root@127.0.0.1:1")["code"] == "host-unreachable"

    def test_a_name_that_nobody_has(self, call, host):
        assert self.refusal(call, "ssh://polpkg.invalid")["code"] == "unknown-host"

    def test_no_ssh(self, call, host, monkeypatch, tmp_path):
        monkeypatch.setenv("PATH", str(tmp_path))
        assert self.refusal(call, host.address)["code"] == "no-ssh"


class TestRights:
    @pytest.fixture
    def alice(self, host):
        return host.address.replace("root@", "alice@")

    def test_whoever_is_not_root_may_look(self, call, host, alice):
        assert call("probe", "--host", alice).code == 0

    def test_and_changes_nothing(self, call, host, alice):
        before = files(host.root)
        done = call("install", "vmv", "--yes", "--host", alice, "--json")
        assert done.code == 6
        assert done.document["error"]["code"] == "target-permission"
        assert "sudo" in done.document["error"]["hint"]
        assert files(host.root) == before

    @pytest.mark.skipif(shutil.which("sudo") is None, reason="needs sudo")
    def test_sudo_lets_become_root(self, call, host, alice):
        (host.root / "etc/sudoers").write_text("alice ALL=(root) NOPASSWD: ALL\n")
        (host.root / "etc/sudoers").chmod(0o440)
        (host.root / "etc/pam.d").mkdir()
        (host.root / "etc/pam.d/sudo").write_text(
            "account sufficient pam_permit.so\nsession sufficient pam_permit.so\n"
        )
        try:
            done = call("install", "vmv", "--yes", "--host", alice, "--json")
        finally:
            (host.root / "etc/sudoers").unlink()
            shutil.rmtree(host.root / "etc/pam.d")
        assert done.code == 0, done.out


def start(host, tmp_path, *words):
    """polpkg in a process of its own, for what it does when it is killed."""
    environment = os.environ | {"POLPKG_CACHE": str(tmp_path / "cache"), "NO_COLOR": "1"}
    command = [sys.executable, "-m", "polpkg", *words, "--host", host.address]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)


def test_two_administrators_at_once(call, host, tmp_path):
    """Both changes are made, one after the other."""
    assert call("install", "vmv", "--yes", "--host", host.address).code == 0
    with (
        start(host, tmp_path, "install", "netdom", "--yes", "--json") as first,
        start(host, tmp_path, "install", "stordom", "--yes", "--json") as second,
    ):
        answers = [process.communicate(timeout=120) for process in (first, second)]
    assert [first.returncode, second.returncode] == [0, 0], answers
    assert sorted(json.loads(out)["generation"] for out, _ in answers) == [2, 3]
    listed = call("list", "--host", host.address, "--json").document["packages"]
    assert {"vmv", "netdom", "stordom"} <= {package["name"] for package in listed}


def test_polpkg_is_killed_and_the_next_command_goes_on(call, host, tmp_path):
    """At whatever moment: the lock is free, and the next command does what is to be done."""
    assert call("install", "vmv", "--yes", "--host", host.address).code == 0
    for delay in (0.6, 0.9):
        with start(host, tmp_path, "install", "netdom", "--yes") as process:
            try:
                process.wait(delay)
            except subprocess.TimeoutExpired:
                process.kill()
        assert call("install", "netdom", "--yes", "--host", host.address).code == 0
        assert call("verify", "--host", host.address).code == 0
        assert call("remove", "netdom", "--yes", "--host", host.address).code == 0
