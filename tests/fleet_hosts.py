"""Hosts for tests of fleets: an sshd each, with keys, known hosts and an ssh configuration of their own.

    with apart(folder, 3) as fleet:         # each in a network namespace, with a root directory of its own; needs root
        fleet.hosts[0].root                 # that directory, seen from here
        fleet.ssh("host1", "true")
    with on_loopback(folder, 3) as fleet:   # on ports of this machine; each has a tree, and the machine's own files
        ...

Nothing of the user's own ssh is read or written: `ssh` in `fleet.programs` has the configuration of the fleet.  The
programs of a host are this machine's; polpkg is the one that is being tested, at `/opt/polpkg/bin/polpkg` of a host
apart, and in `fleet.programs` on this machine.
"""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import sys
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from hypervisors import build_hypervisor

if TYPE_CHECKING:
    from collections.abc import Iterator

SSHD = shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
_REPOSITORY = Path(__file__).parents[1]
_PATIENCE = 10.0
_LEAVES = ("boot", "etc/ssh", "root/.ssh", "opt/polpkg/bin", "proc", "dev", "tmp", "run/sshd", "var/tmp")
_SHARED = ("usr", "bin", "sbin", "lib", "lib64")


@dataclass
class FleetHost:
    """One host: its name in the ssh configuration, where it listens, and its root directory as seen from here."""

    name: str
    address: str
    port: int
    root: Path
    sshd: subprocess.Popen | None = None

    @property
    def tools(self) -> Path:
        """A directory that a host apart has under the same path; its `bin` is `/usr/local/sbin` there."""
        return self.root.with_name(f"{self.name}.tools")

    def stop(self) -> None:
        """Take it off the network; every connection ends."""
        if self.sshd is not None:
            self.sshd.kill()
            self.sshd.wait()
            self.sshd = None


@dataclass
class Fleet:
    """Some hosts; `programs` is a directory for the PATH, with `ssh` and `polpkg`."""

    folder: Path
    hosts: list[FleetHost]
    programs: Path

    def ssh(self, *words: str) -> subprocess.CompletedProcess:
        """Run ssh with the configuration of this fleet."""
        command = [str(self.programs / "ssh"), *words]
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)


def why_not_apart() -> str:
    """Why hosts cannot be kept apart on this machine; empty when they can."""
    if os.geteuid() != 0:
        return "network namespaces need root"
    if missing := [tool for tool in ("ip", "unshare", "ssh", "ssh-keygen") if shutil.which(tool) is None]:
        return f"{missing[0]} is missing"
    if SSHD is None:
        return "sshd is missing"
    name = f"plp{os.getpid()}t"
    if subprocess.run(["ip", "netns", "add", name], capture_output=True, check=False).returncode:
        return "no network namespace can be made here"
    subprocess.run(["ip", "netns", "del", name], capture_output=True, check=False)
    return ""


def why_not_loopback() -> str:
    """Why there cannot be an sshd on a port of this machine; empty when there can."""
    if missing := [tool for tool in ("ssh", "ssh-keygen") if shutil.which(tool) is None]:
        return f"{missing[0]} is missing"
    if SSHD is None:
        return "sshd is missing"
    if os.geteuid() == 0 and not Path("/run/sshd").is_dir() and shutil.which("unshare") is None:
        return "there is no /run/sshd"
    return ""


@contextmanager
def apart(folder: Path, count: int) -> Iterator[Fleet]:
    """Hosts in network namespaces, with root directories of their own, that know nothing of each other."""
    network = f"198.18.{os.getpid() % 250}"  # RFC 2544: for tests of networks
    hosts = [FleetHost(f"host{i}", f"{network}.{4 * i + 2}", 22, folder / f"host{i}") for i in range(1, count + 1)]
    fleet = _prepare(folder, hosts, "root")
    with ExitStack() as cleanup:
        for number, host in enumerate(hosts, 1):
            _make_root(host.root, fleet)
            _make_network(f"plp{os.getpid()}x{number}", host, cleanup)
            host.sshd = _start_apart(f"plp{os.getpid()}x{number}", host)
            cleanup.callback(host.stop)
        for host in hosts:
            _wait_for(host)
        yield fleet


@contextmanager
def on_loopback(folder: Path, count: int) -> Iterator[Fleet]:
    """Hosts that are ports of this machine, for whoever is not root; their trees are for `--root`."""
    hosts = [FleetHost(f"host{i}", "127.0.0.1", _free_port(), folder / f"host{i}") for i in range(1, count + 1)]
    fleet = _prepare(folder, hosts, pwd.getpwuid(os.getuid()).pw_name)
    with ExitStack() as cleanup:
        for host in hosts:
            _add_hypervisor(host.root)
            host.sshd = _start_on_loopback(folder, host)
            cleanup.callback(host.stop)
        for host in hosts:
            _wait_for(host)
        yield fleet


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def _prepare(folder: Path, hosts: list[FleetHost], user: str) -> Fleet:
    """Keys, known hosts, the configuration, and the polpkg that is being tested."""
    folder.mkdir(parents=True, exist_ok=True)
    known = []
    for name in ("login", *(host.name for host in hosts)):
        key = folder / f"{name}.key"
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", key], check=True)
    for host in hosts:
        public = (folder / f"{host.name}.key.pub").read_text().split()[:2]
        where = host.address if host.port == 22 else f"[{host.address}]:{host.port}"
        known.append(f"{where} {' '.join(public)}\n")
    (folder / "known_hosts").write_text("".join(known))
    lines = [f"Host {host.name}\n  HostName {host.address}\n  Port {host.port}\n" for host in hosts]
    options = {
        "User": user,
        "IdentityFile": f"{folder}/login.key",
        "IdentitiesOnly": "yes",
        "StrictHostKeyChecking": "yes",
        "UserKnownHostsFile": f"{folder}/known_hosts",
        "GlobalKnownHostsFile": "/dev/null",
        "ConnectTimeout": "5",
    }
    lines += ["Host *\n", *(f"  {name} {value}\n" for name, value in options.items())]
    (folder / "ssh_config").write_text("".join(lines))
    programs = folder / "bin"
    _write_polpkg(programs)
    _write_script(programs / "ssh", f"exec {shutil.which('ssh')} -F '{folder}/ssh_config' \"$@\"")
    return Fleet(folder, hosts, programs)


def _write_polpkg(folder: Path) -> None:
    """polpkg as this process would run it, whatever the directory and the environment."""
    found = os.pathsep.join(entry for entry in sys.path if entry)
    _write_script(folder / "polpkg", f"PYTHONPATH='{found}' exec '{sys.executable}' -m polpkg \"$@\"")


def _write_script(path: Path, line: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{line}\n")
    path.chmod(0o755)


def _add_hypervisor(root: Path) -> None:
    """What polpkg needs of a host."""
    (root / "boot").mkdir(parents=True, exist_ok=True)
    (root / "boot/xen-4.17-amd64.gz").write_bytes(build_hypervisor("4.17"))


def _make_root(root: Path, fleet: Fleet) -> None:
    """A root directory that a process can live in, once this machine's programs are mounted there."""
    for name in _LEAVES:
        (root / name).mkdir(parents=True, exist_ok=True)
    _add_hypervisor(root)
    (root / "etc/passwd").write_text("root:x:0:0::/root:/bin/sh\nsshd:x:100:65534::/run/sshd:/usr/sbin/nologin\n")
    (root / "etc/shadow").write_text("root:*:::::::\n")
    (root / "etc/group").write_text("root:x:0:\nnogroup:x:65534:\n")
    _write_polpkg(root / "opt/polpkg/bin")
    shutil.copy(fleet.folder / f"{root.name}.key", root / "etc/ssh/host.key")
    shutil.copy(fleet.folder / "login.key.pub", root / "root/.ssh/authorized_keys")
    (root / "etc/ssh/sshd_config").write_text(_sshd_config("/etc/ssh/host.key", "/root/.ssh/authorized_keys"))


def _sshd_config(key: str, authorized: str) -> str:
    return (
        f"HostKey {key}\nAuthorizedKeysFile {authorized}\nStrictModes no\nUsePAM no\nPidFile none\n"
        "PasswordAuthentication no\nPermitRootLogin prohibit-password\nSubsystem sftp internal-sftp\nUseDNS no\n"
        "MaxStartups 50\n"
    )


def _make_network(name: str, host: FleetHost, cleanup: ExitStack) -> None:
    """A namespace and a pair of interfaces, the near one with the address below the host's."""
    near, last = f"{name}n", host.address.rpartition(".")
    near_address = f"{last[0]}.{int(last[2]) - 1}"
    inside = ["netns", "exec", name, "ip"]
    _ip("netns", "add", name)
    cleanup.callback(_ip, "netns", "del", name)
    _ip("link", "add", near, "type", "veth", "peer", "name", "eth0", "netns", name)
    _ip("address", "add", f"{near_address}/30", "dev", near)
    _ip("link", "set", near, "up")
    _ip(*inside, "address", "add", f"{host.address}/30", "dev", "eth0")
    _ip(*inside, "link", "set", "eth0", "up")
    _ip(*inside, "link", "set", "lo", "up")


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True, timeout=10)


def _start_apart(namespace: str, host: FleetHost) -> subprocess.Popen:
    """sshd in the root directory of its host; all that it starts ends with it, and the mounts with them."""
    shared = [f"/{name}" for name in _SHARED if Path("/", name).exists()]
    shared += [str(path) for path in (sys.prefix, sys.base_prefix, _REPOSITORY) if not str(path).startswith("/usr")]
    lines = ["set -e", f"cd '{host.root}'"]
    lines += [f"mkdir -p '.{path}'; mount --rbind -o ro '{path}' '.{path}'" for path in dict.fromkeys(shared)]
    (host.tools / "bin").mkdir(parents=True)
    lines += [f"mkdir -p '.{host.tools}'; mount --bind '{host.tools}' '.{host.tools}'"]
    lines += [f"mount --bind '{host.tools}/bin' ./usr/local/sbin"]
    lines += ["mount --rbind /dev ./dev", "mount -t proc proc ./proc"]
    lines += [f"exec chroot . {SSHD} -D -e -o LogLevel=ERROR -f /etc/ssh/sshd_config"]
    isolated = ["unshare", "--mount", "--propagation", "private", "--pid", "--fork", "--kill-child"]
    command = ["ip", "netns", "exec", namespace, *isolated, "sh", "-c", "\n".join(lines)]
    return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def _start_on_loopback(folder: Path, host: FleetHost) -> subprocess.Popen:
    config = folder / f"{host.name}.sshd_config"
    key, authorized = folder / f"{host.name}.key", folder / "login.key.pub"
    config.write_text(_sshd_config(str(key), str(authorized)))
    sshd = [str(SSHD), "-D", "-e", "-f", str(config), "-p", str(host.port), "-o", f"ListenAddress={host.address}"]
    command = sshd
    if os.geteuid() == 0 and not Path("/run/sshd").is_dir():
        own_run = 'mount -t tmpfs none /run && mkdir /run/sshd && exec "$0" "$@"'
        command = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c", own_run, *sshd]
    return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def _wait_for(host: FleetHost) -> None:
    """Until it listens.  Raises AssertionError when it does not come up."""
    end = time.monotonic() + _PATIENCE
    while time.monotonic() < end:
        try:
            socket.create_connection((host.address, host.port), timeout=1).close()
        except OSError:
            assert host.sshd is None or host.sshd.poll() is None, f"the sshd of {host.name} ended"
            time.sleep(0.05)
        else:
            return
    raise AssertionError(f"{host.name} does not come up")
