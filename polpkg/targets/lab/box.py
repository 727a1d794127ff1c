"""Runs the box: QEMU, the console that Xen writes, and the line on which dom0 takes commands.

The machine has two serial ports.  The first is the console of Xen and dom0 and goes to a file.  The second belongs to
dom0 alone: one line in is a script in base64, and the answer is its output, each line behind `|`, and `##DONE status`.
So nothing that Xen says can be taken for an answer, and a policy that forbids dom0 the console does not silence it.
"""

from __future__ import annotations

import gzip
import os
import selectors
import shlex
import subprocess
import time
from base64 import b64encode
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

from polpkg.errors import PolpkgError, TargetError
from polpkg.targets.lab.pieces import QEMU
from polpkg.targets.lab.transcript import Transcript

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Sequence
    from pathlib import Path

CONSOLE_FILE = "console"
XEN_ARGUMENTS = (
    "console=com1 com1=115200,8n1 loglvl=all guest_loglvl=all conring_size=1m xsm=flask flask=enforcing sched=credit "
    "dom0_mem=640M,max:640M dom0_max_vcpus=1 smt=0 spec-ctrl=no xpti=no pv-l1tf=no no-real-mode"
)
DOM0_ARGUMENTS = "console=hvc0 quiet panic=1 rdinit=/init nokaslr mitigations=off"
MACHINE = "-machine pc -accel tcg,thread=multi -cpu qemu64,+svm,+npt -smp 2 -m 2048 -no-reboot"
_LINE_LIMIT = 4000  # what the buffer of a Linux terminal holds of one line
_TURN = 0.2  # seconds between two looks at the console
_SETTLING = 5.0  # seconds; a policy may forbid dom0 the console, and then no mark appears
_LAST_WORDS = 1.0  # seconds in which a panic is written to its end
_ELF32 = b"\x7fELF\x01"


class Answer(NamedTuple):
    """What a script in dom0 wrote, and its status."""

    status: int
    text: str


class BoxError(PolpkgError):
    """The machine in the box went away, or answers no longer."""


class Box:
    """A machine that runs.  `folder` holds its files, the console among them."""

    def __init__(self, process: subprocess.Popen[bytes], folder: Path) -> None:
        self._process = process
        self._folder = folder
        self._unread = b""
        self._marks = 0
        self._selector = selectors.DefaultSelector()
        assert process.stdout  # noqa: S101 - it is a pipe
        self._selector.register(process.stdout, selectors.EVENT_READ)

    def transcript(self) -> Transcript:
        """All that Xen has written so far."""
        return Transcript.of((self._folder / CONSOLE_FILE).read_text(encoding="utf-8", errors="replace"))

    def wait_for_dom0(self, timeout: float) -> None:
        """Return when dom0 takes commands.  Raises BoxError `lab-panic`, `lab-timeout` or `lab-stopped`."""
        end = time.monotonic() + timeout
        while self._read_line(end) != "##UP":
            pass

    def run(self, script: str, timeout: float = 60) -> Answer:
        """Run a shell script as dom0.  Raises BoxError as `wait_for_dom0` does."""
        end = time.monotonic() + timeout
        *pieces, last = _in_pieces(script)
        for piece in pieces:
            self._ask(piece, end)
        return self._ask(last, end)

    def run_in(self, guest: str, command: str, timeout: float = 60) -> Answer:
        """Run one line in a guest that `start` brought up, by its console, once it is up."""
        words = f"guest_run {guest} {int(timeout)} {shlex.quote(command)}"
        return self.run(f". /lab/guests.sh; {words}", timeout + 30)

    def create(self, guest: str, label: str, *lines: str, memory: int = 128, ramdisk: str = "") -> Answer:
        """Create a guest with a label and further lines of xl.cfg."""
        words = shlex.join(["guest_start", guest, str(memory), label, *lines])
        chosen = f"RAMDISK={shlex.quote(ramdisk)}; " if ramdisk else ""
        return self.run(f". /lab/guests.sh; {chosen}{words}")

    def wait_for(self, guest: str, timeout: int = 60) -> Answer:
        """Wait until the Linux of a guest is up."""
        return self.run(f". /lab/guests.sh; guest_wait {guest} {timeout}", timeout + 30)

    def start_tools(self) -> Answer:
        """Start Xen's tools in dom0."""
        return self.run("sh /lab/tools.sh", 90)

    def settle(self) -> Transcript:
        """All that Xen has written, up to this moment: what it still holds back is waited for."""
        self._marks += 1
        mark = f"##MARK {self._marks}"
        self.run(f"echo '{mark}' >/dev/hvc0")
        end = time.monotonic() + _SETTLING
        while mark not in (found := self.transcript()).lines and time.monotonic() < end:
            time.sleep(_TURN)
        return found

    def _ask(self, line: str, end: float) -> Answer:
        assert self._process.stdin  # noqa: S101 - it is a pipe
        try:
            self._process.stdin.write(line.encode() + b"\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            raise BoxError("lab-stopped", "the machine in the box has stopped") from None
        lines: list[str] = []
        while not (said := self._read_line(end)).startswith("##DONE "):
            if said.startswith("|"):
                lines.append(said[1:])
        return Answer(int(said.split()[1]), "\n".join(lines))

    def _read_line(self, end: float) -> str:
        """The next line from dom0."""
        assert self._process.stdout  # noqa: S101 - it is a pipe
        while b"\n" not in self._unread:
            if self._selector.select(_TURN):
                chunk = os.read(self._process.stdout.fileno(), 65536)
                self._unread += chunk
                if not chunk:
                    raise self._stopped()
            elif self.transcript().panic:
                time.sleep(_LAST_WORDS)
                raise self._stopped()
            elif time.monotonic() > end:
                raise BoxError("lab-timeout", "the machine in the box does not answer any more")
        line, _, self._unread = self._unread.partition(b"\n")
        return line.decode("utf-8", "replace").rstrip("\r")

    def _stopped(self) -> BoxError:
        if panic := self.transcript().panic:
            return BoxError("lab-panic", f"the machine in the box panicked: {'; '.join(panic)}")
        return BoxError("lab-stopped", "the machine in the box has stopped", hint=self._complaint())

    def _complaint(self) -> str:
        """What QEMU itself said."""
        return " ".join((self._folder / "qemu").read_text(encoding="utf-8", errors="replace").split())


@contextmanager
def run_box(
    folder: Path, hypervisor: bytes, policy: bytes, kernel: bytes, initramfs: bytes, network: Sequence[str] = ()
) -> Generator[Box]:
    """A machine that boots the hypervisor with the policy enforced; it is killed at the end, whatever happens.

    Its files are written to `folder`.  `network`: arguments of QEMU that give it one; it has none without them.  Raises
    TargetError `not-bootable` for a hypervisor file of another form.
    """
    files = {"xen": unpack_hypervisor(hypervisor), "vmlinux": kernel, "initramfs": initramfs, "policy": policy}
    for name, content in files.items():
        (folder / name).write_bytes(content)
    (folder / CONSOLE_FILE).touch()
    with (folder / "qemu").open("wb") as complaints:
        process = subprocess.Popen(
            qemu_command(network), cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=complaints
        )
    try:
        yield Box(process, folder)
    finally:
        process.kill()
        process.communicate()


def unpack_hypervisor(content: bytes) -> bytes:
    """The multiboot program in a hypervisor file.  Raises TargetError `not-bootable`."""
    unpacked = gzip.decompress(content) if content.startswith(b"\x1f\x8b") else content
    if not unpacked.startswith(_ELF32):
        raise TargetError(
            "not-bootable",
            "QEMU cannot boot this form of a hypervisor",
            hint="give xen.gz, or the file xen, of the build",
        )
    return unpacked


def qemu_command(network: Sequence[str] = ()) -> list[str]:
    """How QEMU is called, in the folder of the files."""
    modules = f"vmlinux {DOM0_ARGUMENTS}".replace(",", ",,"), "initramfs", "policy"
    devices = f"-display none -monitor none -serial file:{CONSOLE_FILE} -serial stdio"
    boot = ["-kernel", "xen", "-append", XEN_ARGUMENTS, "-initrd", ",".join(modules)]
    return [QEMU, *MACHINE.split(), *devices.split(), *(network or ("-nic", "none")), *boot]


def _in_pieces(script: str) -> Iterator[str]:
    """A script as lines that fit: a long one is put into a file first."""
    whole = b64encode(script.encode()).decode()
    if len(whole) < _LINE_LIMIT:
        yield whole
        return
    yield b64encode(b": >/tmp/script").decode()
    for at in range(0, len(whole), 2000):
        yield b64encode(f"echo {whole[at : at + 2000]} >>/tmp/script".encode()).decode()
    yield b64encode(b"tr -d '\\n' </tmp/script | base64 -d >/tmp/whole; . /tmp/whole").decode()
