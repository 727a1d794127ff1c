"""A hypervisor under QEMU's emulation: boot it with a policy, run a script in dom0, read the console."""

from __future__ import annotations

import gzip
import re
import shutil
import subprocess
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

QEMU = "qemu-system-x86_64"
XEN = (
    "console=com1 com1=115200,8n1 loglvl=all guest_loglvl=all conring_size=1m flask=enforcing sched=credit "
    "dom0_mem=640M,max:640M dom0_max_vcpus=1 smt=0 spec-ctrl=no xpti=no pv-l1tf=no no-real-mode"
)
LINUX = "console=hvc0 quiet panic=1 rdinit=/init nokaslr mitigations=off"
FOREIGN = re.compile(r"(?<=.)(?=\(XEN\) |\(d\d+\) )")
"""Where Xen writes in the middle of a line of dom0, because dom0 writes a line and its newline apart."""

DENIAL = re.compile(r"avc:\s+denied\s+\{ ([^}]*) \}.*?scontext=(\S+) tcontext=(\S+) tclass=(\w+)")
RESULT = re.compile(r"^##RESULT (\S+) (\S+) (\S+) (\S+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Console:
    """All that the hypervisor, dom0 and its guests wrote.

    `status`: that of the script, or None when the machine did not get to its end.
    """

    text: str
    status: int | None

    @property
    def denials(self) -> set[str]:
        """What was refused, as `source target:class permission` by type."""
        return {
            f"{source.split(':')[2]} {target.split(':')[2]}:{security_class} {permission}"
            for permissions, source, target, security_class in DENIAL.findall(self.text)
            for permission in permissions.split()
        }

    def results(self, actor: str, target: str) -> dict[str, str]:
        """What became of each step that the actor took on the target: OK or the name of an error."""
        return {step: result for who, whom, step, result in RESULT.findall(self.text) if (who, whom) == (actor, target)}


def pack_cpio(files: Mapping[str, tuple[int, bytes]]) -> bytes:
    """An archive that Linux unpacks as initramfs (cpio, format newc): path to mode and content, folders first.

    Format: Documentation/driver-api/early-userspace/buffer-format.rst of Linux.
    """
    out = bytearray()
    for inode, (name, (mode, content)) in enumerate([*files.items(), ("TRAILER!!!", (0, b""))], 1):
        path = name.encode() + b"\0"
        fields = (inode, mode, 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(path), 0)
        for piece in (b"070701" + b"".join(b"%08x" % field for field in fields) + path, content):
            out += piece + b"\0" * (-len(out + piece) % 4)
    return bytes(out)


def boot(folder: Path, hypervisor: Path, policy: Path, kernel: Path, initramfs: Path, timeout: float) -> Console:
    """Boots with the policy and waits for `##EXIT status` on the console, a panic, or the end of the time."""
    xen, linux = folder / "xen", folder / "vmlinux"
    packed = hypervisor.read_bytes()
    xen.write_bytes(gzip.decompress(packed) if packed[:2] == b"\x1f\x8b" else packed)
    linux.symlink_to(kernel)
    shutil.copyfile(policy, folder / "xenpolicy")
    modules = [f"{linux} {LINUX}".replace(",", ",,"), str(initramfs), str(folder / "xenpolicy")]
    machine = "-machine pc -accel tcg,thread=multi -cpu qemu64,+svm,+npt -smp 2 -m 2048 -no-reboot"
    devices = "-display none -monitor none -serial stdio -nic none"
    command = [QEMU, *machine.split(), *devices.split(), "-kernel", xen, "-append", XEN, "-initrd", ",".join(modules)]
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, errors="replace"
    ) as qemu:
        timer = threading.Timer(timeout, qemu.kill)
        timer.start()
        try:
            return _read_console(qemu)
        finally:
            timer.cancel()
            qemu.kill()


def _read_console(qemu: subprocess.Popen[str]) -> Console:
    lines: list[str] = []
    assert qemu.stdout
    for line in (part for raw in qemu.stdout for part in FOREIGN.split(raw.rstrip())):
        lines.append(line)
        if end := re.search(r"##EXIT (\d+)", line):
            return Console("\n".join(lines), int(end[1]))
        if re.search(r"Panic on CPU|Kernel panic", line):
            break
    return Console("\n".join(lines), None)
