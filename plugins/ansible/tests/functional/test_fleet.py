"""Rollouts with the real ansible-playbook over hosts with an sshd each: in network namespaces, and on loopback."""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

import pytest
from ansible_collection import find_ansible, link_collection
from fleet_hosts import apart, on_loopback, why_not_apart, why_not_loopback
from live_hosts import TOOLS, LiveHostFiles

EXAMPLE = Path(__file__).parents[4] / "examples/ansible"
STATE = ("boot", "etc/polpkg", "var/lib/polpkg")
ANSIBLES = find_ansible()

pytestmark = pytest.mark.skipif(not ANSIBLES, reason="ansible-playbook is missing")


class Played(NamedTuple):
    """How a play ended: its exit status, what it printed, and the counts for each host."""

    status: int
    text: str
    hosts: dict

    def counts(self, *names):
        return {host: tuple(found[name] for name in names) for host, found in self.hosts.items()}


class Controller:
    """ansible-playbook with nothing of the user's own: `variables` gives those of a host."""

    def __init__(self, folder, sockets, fleet, variables):
        self.folder = folder
        self.sockets = sockets
        self.fleet = fleet
        self.variables = variables
        self.site = folder / "site"
        self.ansible = ANSIBLES[0]
        shutil.copytree(EXAMPLE / "site", self.site)
        link_collection(folder)
        self.lock()

    def lock(self, more=""):
        """The site's lock, after `more` was added to its packages."""
        toml = self.site / "policy.toml"
        toml.write_text(toml.read_text().replace("[packages]\n", f"[packages]\n{more}"))
        self.polpkg("lock", "--project", self.site)

    def polpkg(self, *words):
        """Run polpkg on this machine."""
        command = [self.fleet.programs / "polpkg", *words, "--quiet"]
        subprocess.run(command, check=True, capture_output=True, env=self.environment)

    def roll_out_quickly(self):
        """What a play of the example does to all hosts, without Ansible, for what comes before a test."""
        for host in self.fleet.hosts:
            self.polpkg("sync", "--locked", "--project", self.site, "--root", host.root)
            self.polpkg("confirm", "--root", host.root)

    @property
    def environment(self):
        return {
            "PATH": f"{self.fleet.programs}:{os.environ['PATH']}",
            "HOME": str(self.folder),
            "LC_ALL": "C.UTF-8",
            "ANSIBLE_HOME": str(self.folder / "ansible"),
            "ANSIBLE_COLLECTIONS_PATH": str(self.folder),
            "ANSIBLE_SSH_CONTROL_PATH_DIR": self.sockets,
            "ANSIBLE_SSH_ARGS": "-o ControlMaster=auto -o ControlPersist=20s",
            "ANSIBLE_PIPELINING": "1",
            "ANSIBLE_NOCOLOR": "1",
            "ANSIBLE_TIMEOUT": "5",
            "ANSIBLE_RETRY_FILES_ENABLED": "0",
            "POLPKG_CACHE": str(self.folder / "cache"),
        }

    def play(self, *words, playbook=None):
        """Play the example's rollout, or the tasks of another playbook."""
        inventory = self.folder / "inventory.json"
        hosts = {host.name: {"polpkg_tree": str(host.root), **self.variables(host)} for host in self.fleet.hosts}
        shared = {"ansible_python_interpreter": sys.executable, "polpkg_site": str(self.site)}
        inventory.write_text(json.dumps({"xen": {"hosts": hosts, "vars": shared}}))
        words = [str(self.ansible / "ansible-playbook"), "-i", str(inventory), *words]
        words.append(str(playbook or EXAMPLE / "rollout.yml"))
        done = subprocess.run(
            words, env=self.environment, cwd=self.folder, capture_output=True, text=True, check=False, timeout=60
        )
        text = done.stdout + done.stderr
        counts = re.findall(r"^(host\d+) +: (.*)$", text, re.MULTILINE)
        hosts = {host: {k: int(v) for k, v in re.findall(r"(\w+)=(\d+)", rest)} for host, rest in counts}
        return Played(done.returncode, text, hosts)

    def play_tasks(self, tasks, *words):
        """Play some tasks on all hosts, with the defaults of the example."""
        playbook = self.folder / "tasks.yml"
        names = {"executable": "polpkg_executable", "host": "polpkg_host", "root": "polpkg_root"}
        defaults = {name: f"{{{{ {variable} | default(omit) }}}}" for name, variable in names.items()}
        play = {"hosts": "xen", "gather_facts": False, "module_defaults": {"group/polpkg.xen.xen": defaults}}
        playbook.write_text(json.dumps([{**play, "tasks": tasks}]))
        return self.play(*words, playbook=playbook)

    def generation(self, number):
        """The name of the current generation of host `number`; empty when it has none."""
        link = self.fleet.hosts[number - 1].root / "var/lib/polpkg/current"
        return link.readlink().name if link.is_symlink() else ""

    def state(self, number):
        """All that polpkg may change on host `number`, by digest."""
        root = self.fleet.hosts[number - 1].root
        files = [path for name in STATE for path in sorted((root / name).rglob("*"))]
        return {
            str(path.relative_to(root)): (path.lstat().st_mode, path.lstat().st_mtime_ns, digest(path))
            for path in files
        }


def digest(path):
    if path.is_symlink():
        return str(path.readlink())
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""


def clear(fleet):
    """Take away what a test before has left on the hosts."""
    for host in fleet.hosts:
        for path in (host.root / "etc/polpkg", host.root / "var/lib/polpkg"):
            shutil.rmtree(path, ignore_errors=True)
        for path in (host.root / "boot").iterdir():
            if path.name != "xen-4.17-amd64.gz":
                shutil.rmtree(path) if path.is_dir() else path.unlink()


@pytest.fixture(scope="module")
def machines(tmp_path_factory):
    if reason := why_not_apart():
        pytest.skip(reason)
    with apart(tmp_path_factory.mktemp("fleet"), 3) as fleet:
        yield fleet


@pytest.fixture
def sockets():
    """A directory with a short name for the sockets of ssh's masters."""
    with tempfile.TemporaryDirectory(prefix="plp", dir="/tmp") as folder:
        yield folder


@pytest.fixture
def on_hosts(machines, tmp_path, sockets):
    """polpkg and Python are on the hosts, which are apart."""
    clear(machines)
    return Controller(tmp_path, sockets, machines, lambda _: {"polpkg_root": "/", "ansible_remote_tmp": "/tmp/ansible"})


@pytest.fixture
def on_controller(machines, tmp_path, sockets):
    """The same hosts; polpkg and Python are on the controller only."""
    clear(machines)

    def variables(host):
        shared = {"polpkg_runs_on": "localhost", "ansible_python_interpreter": "/no/python"}
        return {**shared, "polpkg_host": f"ssh://{host.name}"}

    return Controller(tmp_path, sockets, machines, variables)


@pytest.fixture
def on_ports(tmp_path, sockets):
    """Hosts that are ports of this machine."""
    if reason := why_not_loopback():
        pytest.skip(reason)
    with on_loopback(tmp_path / "fleet", 3) as fleet:
        shared = {"polpkg_executable": str(fleet.programs / "polpkg"), "ansible_remote_tmp": str(tmp_path / "remote")}
        yield Controller(tmp_path, sockets, fleet, lambda host: {**shared, "polpkg_root": str(host.root)})


def test_a_rollout(on_hosts):
    before = on_hosts.state(1)
    looked = on_hosts.play("--check", "--diff", "--limit", "host1")
    assert looked.status == 0, looked.text
    assert looked.counts("changed", "failed") == {"host1": (2, 0)}
    assert on_hosts.state(1) == before
    assert "+package vmv 1.0.0" in looked.text

    first = on_hosts.play()
    assert first.status == 0, first.text
    assert first.counts("changed", "failed") == dict.fromkeys(("host1", "host2", "host3"), (2, 0))
    assert [on_hosts.generation(number) for number in (1, 2, 3)] == ["1", "1", "1"]
    after = [on_hosts.state(number) for number in (1, 2, 3)]
    assert after[0].keys() > before.keys()
    assert len({state["boot/xenpolicy-4.17-amd64"][2] for state in after}) == 1

    second = on_hosts.play("--diff")
    assert second.status == 0, second.text
    assert second.counts("changed", "failed") == dict.fromkeys(("host1", "host2", "host3"), (0, 0))
    assert [on_hosts.state(number) for number in (1, 2, 3)] == after


def test_a_host_that_is_not_confirmed_stops_the_rollout(on_hosts):
    on_hosts.roll_out_quickly()
    on_hosts.lock('domu = "*"\n')
    on_hosts.roll_out_quickly()
    damaged = on_hosts.fleet.hosts[1].root / "var/lib/polpkg/generations/1/policy.lock"
    damaged.write_text("damaged")
    third = on_hosts.state(3)

    on_hosts.lock('netdom = "*"\n')
    played = on_hosts.play()
    assert played.status == 2, played.text
    assert played.counts("changed", "failed", "rescued") == {"host1": (2, 0, 0), "host2": (2, 1, 1)}
    assert "not confirmed, the target is not what was installed" in played.text
    assert on_hosts.state(3) == third
    assert [on_hosts.generation(number) for number in (1, 2, 3)] == ["3", "4", "2"]
    boot = "boot/xenpolicy-4.17-amd64"
    assert on_hosts.state(2)[boot][2] == third[boot][2] != on_hosts.state(1)[boot][2]


def test_a_host_that_cannot_be_reached_stops_the_rollout(machines, on_hosts):
    known = machines.folder / "known_hosts"
    whole = known.read_text()
    lines = whole.splitlines()
    known.write_text("\n".join([lines[0], lines[1].rpartition(" ")[0] + " " + lines[2].split()[-1], lines[2], ""]))
    try:
        played = on_hosts.play()
    finally:
        known.write_text(whole)
    assert played.status == 4, played.text
    assert played.counts("changed", "unreachable") == {"host1": (2, 0), "host2": (0, 1)}
    assert "Host key verification failed" in played.text
    assert [on_hosts.generation(number) for number in (1, 2, 3)] == ["1", "", ""]


def test_modules(on_hosts):
    """Facts, booleans, instances, going back, and an error: one play, so that it takes no longer than it must."""
    verdict = "ansible_facts.polpkg.package_versions.vmv == '1.0.0' and ansible_facts.polpkg.verify.ok"
    tasks = [
        {"polpkg.xen.policy": {"packages": ["vmv"], "instance": "acme", "parameters": {"guests": ["web", "db"]}}},
        {"polpkg.xen.policy": {"packages": ["vmv"], "instance": "acme", "parameters": {"guests": ["web", "db"]}}},
        {"polpkg.xen.confirm": {}},
        {"polpkg.xen.boolean": {"name": "guest_writeconsole", "value": False}},
        {"polpkg.xen.facts": {"gather": ["history", "verify", "labels"]}},
        {"ansible.builtin.assert": {"that": verdict}},
        {"polpkg.xen.rollback": {}},
        {"polpkg.xen.rollback": {}},
        {"polpkg.xen.policy": {"packages": ["vmv"], "state": "absent"}},
        {"polpkg.xen.policy": {"packages": ["vmv"], "state": "absent"}},
        {"polpkg.xen.policy": {"packages": ["nosuch"]}, "register": "failed", "ignore_errors": True},
        {"ansible.builtin.assert": {"that": "failed.code == 'unknown-package' and failed.exit == 3"}},
    ]
    played = on_hosts.play_tasks(tasks, "--limit", "host1")
    assert played.status == 0, played.text
    assert played.counts("ok", "changed", "ignored") == {"host1": (12, 5, 1)}
    assert "no index has a package named `nosuch` [unknown-package]" in played.text
    assert "Traceback" not in played.text


def test_polpkg_on_the_controller_only(on_controller):
    tools = on_controller.fleet.hosts[0].root / "opt/polpkg"
    hidden = tools.rename(tools.with_name("gone"))
    try:
        first = on_controller.play("--limit", "host1,host2")
        second = on_controller.play("--limit", "host1")
    finally:
        hidden.rename(tools)
    assert first.status == 0, first.text
    assert first.counts("changed", "failed") == dict.fromkeys(("host1", "host2"), (2, 0))
    assert second.counts("changed", "failed") == {"host1": (0, 0)}
    assert [on_controller.generation(number) for number in (1, 2, 3)] == ["1", "1", ""]


def test_a_live_host_that_is_not_confirmed_takes_the_policy_back(on_controller):
    """Xen runs on both; the second does not pass the site's check, and nobody rolls it back but the host itself."""
    boot = "boot/xenpolicy-4.17-amd64"
    on_controller.roll_out_quickly()
    hosts = on_controller.fleet.hosts[:2]
    live = [LiveHostFiles(host.root, host.tools) for host in hosts]
    old = (hosts[0].root / boot).read_bytes()
    for each in live:
        each.xen.boot(old)
    on_controller.lock('netdom = "*"\n')
    check = "sh -c 'test {{ inventory_hostname }} = host1'"
    try:
        words = ("-e", "polpkg_confirm_within=20s", "-e", json.dumps({"polpkg_check": check}))
        played = on_controller.play("--limit", "host1,host2", *words)
        assert played.status == 2, played.text
        assert played.counts("changed", "failed") == {"host1": (2, 0), "host2": (1, 1)}
        assert live[0].xen.loaded == (hosts[0].root / boot).read_bytes() != old
        live[1].wait_for_guard("reverted")
    finally:
        for each in live:
            for tool in TOOLS:
                each.remove_tool(tool)
    assert live[1].xen.loaded == (hosts[1].root / boot).read_bytes() == old
    assert [on_controller.generation(number) for number in (1, 2)] == ["2", "1"]


@pytest.mark.parametrize("ansible", ANSIBLES, ids=lambda path: str(path).strip("/").replace("/", "-"))
def test_a_rollout_on_loopback(on_ports, ansible):
    on_ports.ansible = ansible
    first = on_ports.play("--limit", "host1,host2")
    assert first.status == 0, first.text
    assert first.counts("changed", "failed") == dict.fromkeys(("host1", "host2"), (2, 0))
    states = [on_ports.state(number) for number in (1, 2, 3)]
    on_ports.fleet.hosts[1].stop()
    second = on_ports.play()
    assert second.status == 4, second.text
    assert second.counts("changed", "unreachable") == {"host1": (0, 0), "host2": (0, 1)}
    assert [on_ports.state(number) for number in (1, 2, 3)] == states
