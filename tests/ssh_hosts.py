"""A host for tests: a real sshd on loopback, for which one directory is the whole machine.

The directory is its `/`; the programs of this machine are bound into it, in a mount namespace of its own, so that
nothing outside can be touched and everything inside can be looked at.  Needs root, unshare and sshd.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

BOUND = ("usr", "bin", "sbin", "lib", "lib32", "lib64", "libx32", "dev")

SSHD = shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin")

START = """
set -e
mount --make-rprivate /
for name in %s; do
    [ -d "/$name" ] || continue
    mkdir -p "$1/$name"
    mount --rbind "/$name" "$1/$name"
done
mkdir -p "$1/proc"
mount -t proc proc "$1/proc"
exec chroot "$1" %s -D -e -f /etc/ssh/sshd_config
"""

CONFIG = """
Port {port}
ListenAddress 127.0.0.1
HostKey /etc/ssh/host_key
AuthorizedKeysFile /etc/ssh/authorized_keys
PidFile none
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
"""

CLIENT = """
Host *
    IdentityFile {folder}/key
    IdentitiesOnly yes
    IdentityAgent none
    UserKnownHostsFile {folder}/known_hosts
    GlobalKnownHostsFile none
"""

WRAPPER = """#!/bin/sh
exec {ssh} -F {folder}/config "$@"
"""


def why_no_host():
    """Why there can be no such host here; empty when there can."""
    if SSHD is None or shutil.which("ssh") is None:
        return "needs sshd and ssh"
    if os.geteuid() != 0:
        return "needs root, to give sshd a machine of its own"
    if shutil.which("unshare") is None or subprocess.run(["unshare", "-m", "-p", "-f", "true"], check=False).returncode:
        return "needs unshare(1), and the right to use it"
    return ""


class SshHost(NamedTuple):
    """A host that runs: its `/`, its port, and the folder whose `ssh` knows it."""

    root: Path
    port: int
    client: Path

    @property
    def address(self):
        return f"ssh://root@127.0.0.1:{self.port}"

    def patch_path(self, monkeypatch):
        """Have `ssh` be the one that knows the host."""
        monkeypatch.setenv("PATH", f"{self.client}:{os.environ['PATH']}")


def make_key(path, comment):
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", str(path)], check=True)


def prepare(root, client, port):
    """The files of sshd below `root`, and those of its client."""
    (root / "etc/ssh").mkdir(parents=True)
    (root / "run/sshd").mkdir(parents=True, mode=0o755)
    (root / "root").mkdir()
    (root / "tmp").mkdir(mode=0o1777)
    (root / "etc/passwd").write_text(
        "root:x:0:0:root:/root:/bin/sh\nsshd:x:100:65534::/run/sshd:/bin/false\nalice:x:1000:1000::/tmp:/bin/sh\n"
    )
    (root / "etc/group").write_text("root:x:0:\nnogroup:x:65534:\n")
    (root / "etc/ssh/sshd_config").write_text(CONFIG.format(port=port))
    client.mkdir()
    make_key(root / "etc/ssh/host_key", "host")
    make_key(client / "key", "client")
    shutil.copy(client / "key.pub", root / "etc/ssh/authorized_keys")
    public = (root / "etc/ssh/host_key.pub").read_text()
    (client / "known_hosts").write_text(f"[127.0.0.1]:{port} {public}")
    (client / "config").write_text(CLIENT.format(folder=client))
    (client / "ssh").write_text(WRAPPER.format(ssh=shutil.which("ssh"), folder=client))
    (client / "ssh").chmod(0o755)


def free_port():
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def wait_for(port, process):
    for _ in range(500):
        with socket.socket() as tried:
            if tried.connect_ex(("127.0.0.1", port)) == 0:
                return
        if process.poll() is not None:
            break
        time.sleep(0.02)
    raise RuntimeError("sshd did not start")


@contextmanager
def ssh_host(folder):
    """A host that runs as long as the context; everything of it is in `folder`, which is new."""
    root, client, port = folder / "machine", folder / "client", free_port()
    root.mkdir(parents=True)
    prepare(root, client, port)
    script = START % (" ".join(BOUND), SSHD)
    with (folder / "sshd.log").open("wb") as log:
        process = subprocess.Popen(
            ["unshare", "-m", "-p", "-f", "--kill-child", "sh", "-c", script, "sh", str(root)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
        try:
            wait_for(port, process)
            yield SshHost(root, port, client)
        finally:
            process.kill()
            process.wait()
