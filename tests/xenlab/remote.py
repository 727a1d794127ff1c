"""A box that ssh reaches: sshd and a network card for dom0, and polpkg with `--host` in a process of its own."""

from __future__ import annotations

import io
import json
import os
import shlex
import shutil
import socket
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import NamedTuple

import pytest

SSHD = "/usr/sbin/sshd"
FLOCK = "/usr/bin/flock"
"""The static busybox of Debian has none."""

DRIVER = "e1000"
PROGRAM = (
    "import sys; from polpkg.cli import boundary; from polpkg.targets.live import trial; "
    "trial.LOOKING = int(sys.argv.pop(1)); sys.exit(boundary.run(sys.argv[1:]))"
)
START = """
cd / && tar xf /lab/root.tar && insmod /lab/driver.ko
ifconfig lo 127.0.0.1 up; ifconfig eth0 10.0.2.15 netmask 255.255.255.0 up; route add default gw 10.0.2.2
mkdir -p /root /run/sshd /var/empty /etc && chmod 700 /root /etc/ssh /etc/ssh/key && chmod 755 / /run/sshd /var/empty
echo 'root:*:0:0:root:/root:/bin/sh' >/etc/passwd; echo 'root:x:0:' >/etc/group
echo 'sshd:*:74:74::/var/empty:/bin/false' >>/etc/passwd; echo 'sshd:x:74:' >>/etc/group
echo 'root:*:19000:0:99999:7:::' >/etc/shadow; echo 'passwd: files' >/etc/nsswitch.conf
/bin/sshd -f /etc/ssh/config -E /tmp/sshd.log
"""
SSHD_CONFIG = """
HostKey /etc/ssh/key
AuthorizedKeysFile /etc/ssh/authorized
UsePAM no
StrictModes no
PermitRootLogin prohibit-password
SetEnv PATH=/sbin:/bin LD_LIBRARY_PATH=/usr/lib/x86_64-linux-gnu
"""


class Done(NamedTuple):
    """How a command of polpkg ended."""

    code: int
    document: dict


class Remote:
    """The keys and the port by which a box is reached; `files` go into it, `network` to QEMU."""

    def __init__(self, folder, kernel_debs):
        if not (shutil.which(SSHD) and shutil.which("ssh-keygen") and shutil.which("ssh")):
            pytest.skip("no sshd and ssh here")
        self.folder = folder
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        for name in ("host", "client"):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / name], check=True)
        key = (folder / "host.pub").read_text().split()[:2]
        (folder / "known_hosts").write_text(f"[127.0.0.1]:{self.port} {' '.join(key)}\n")
        (folder / "config").write_text(
            f"Host box\n  HostName 127.0.0.1\n  Port {self.port}\n  User root\n  IdentityFile {folder}/client\n"
            f"  UserKnownHostsFile {folder}/known_hosts\n  HostKeyAlias [127.0.0.1]:{self.port}\n"
        )
        wrapper = folder / "bin/ssh"
        wrapper.parent.mkdir()
        wrapper.write_text(f'#!/bin/sh\nexec {shutil.which("ssh")} -F {folder}/config "$@"\n')
        wrapper.chmod(0o755)
        self._driver = _find_driver(kernel_debs)

    @property
    def network(self):
        return ["-nic", f"user,model={DRIVER},restrict=on,hostfwd=tcp:127.0.0.1:{self.port}-10.0.2.15:22"]

    def files(self, root):
        """What dom0 needs: sshd with its libraries and keys, the driver, and all of the target `root`."""
        found = {"bin/sshd": Path(SSHD).read_bytes(), "bin/flock": Path(FLOCK).read_bytes()}
        found |= {"lab/driver.ko": self._driver, "lab/root.tar": _packed(root)}
        listed = subprocess.run(["ldd", SSHD], capture_output=True, text=True, check=True).stdout
        for line in listed.splitlines():
            if "=> /" in line:
                path = Path(line.split("=> ")[1].split()[0])
                found[f"usr/lib/x86_64-linux-gnu/{path.name}"] = path.read_bytes()
        found["etc/ssh/config"] = SSHD_CONFIG.encode()
        found["etc/ssh/key"] = (self.folder / "host").read_bytes()
        found["etc/ssh/authorized"] = (self.folder / "client.pub").read_bytes()
        return found

    def start(self, *words, looking=120):
        """polpkg with these words, in a process of its own."""
        path = f"{self.folder / 'bin'}:{os.environ['PATH']}"
        environment = {**os.environ, "PATH": path, "POLPKG_CACHE": str(self.folder / "cache"), "NO_COLOR": "1"}
        words = [*words, "--host", "ssh://box", "--json"]
        return subprocess.Popen(
            [sys.executable, "-c", PROGRAM, str(looking), *words],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment, cwd=self.folder,
        )  # fmt: skip

    def finish(self, process, timeout=300):
        out, err = process.communicate(timeout=timeout)
        assert out, err.decode()
        return Done(process.returncode, json.loads(out))

    def polpkg(self, line, **options):
        return self.finish(self.start(*shlex.split(line), **options))


def _packed(root):
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        tar.add(root, ".", filter=lambda each: each.replace(uid=0, gid=0, uname="root", gname="root", deep=False))
    return content.getvalue()


def _find_driver(debs):
    """The module of the network card, from the package of the kernel."""
    for archive in sorted(debs.glob("linux-image-*.deb")):
        listed = subprocess.Popen(["dpkg-deb", "--fsys-tarfile", archive], stdout=subprocess.PIPE)
        with listed, tarfile.open(fileobj=listed.stdout, mode="r|") as tar:
            for member in tar:
                if member.name.endswith(f"/{DRIVER}.ko"):
                    content = tar.extractfile(member).read()
                    listed.kill()
                    return content
    pytest.skip(f"no {DRIVER}.ko in {debs}")
