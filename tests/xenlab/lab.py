"""What the scenarios have in common: a box with guests by name, policies by name, and a record of denials."""

from __future__ import annotations

import shlex
import shutil
import subprocess
from pathlib import Path
from typing import NamedTuple

import pytest

from polpkg.cli import boundary
from polpkg.targets.lab.cpio import Entry, pack_cpio

HERE = Path(__file__).parent
CONTEXT = "system_u:system_r:"
PACK_VERIFIER = """
(cat /boot/guest.cpio /boot/vmvctl.cpio
cd / && printf 'boot/vmlinux\\nboot/guest.cpio\\n' | cpio -o -H newc 2>/dev/null) >/tmp/vmv.cpio
"""


class Steps(NamedTuple):
    """What became of each step that vmvctl took, and the other values that it wrote."""

    results: dict[str, str]
    values: dict[str, str]

    @classmethod
    def of(cls, text):
        rows = [line.split() for line in text.splitlines()]
        results = {row[1]: row[2] for row in rows if len(row) == 3 and row[0] == "STEP"}
        return cls(results, {row[0]: row[1] for row in rows if len(row) == 2})


class Lab:
    """A box with dom0 up and its tools started.

    `start` creates guests and waits for them, `sh` and `guest` run commands and fail the test when these fail, `vmvctl`
    tries what may be refused.  `denied` tells what was refused since it was last asked.
    """

    def __init__(self, box):
        self.box = box
        self._seen = 0

    def sh(self, script, timeout=60):
        answer = self.box.run(script, timeout)
        assert answer.status == 0, f"{script}\n{answer.text}"
        return answer.text

    def start(self, name, type_name, *lines, **options):
        self.create(name, type_name, *lines, **options)
        self.wait_for(name)

    def create(self, name, type_name, *lines, **options):
        answer = self.box.create(name, CONTEXT + type_name, *lines, **options)
        assert answer.status == 0, answer.text

    def wait_for(self, name):
        answer = self.box.wait_for(name)
        assert answer.status == 0, answer.text

    def start_verifier(self, name, type_name):
        self.sh(PACK_VERIFIER)
        self.start(name, type_name, memory=400, ramdisk="/tmp/vmv.cpio")
        self.sh("rm /tmp/vmv.cpio")

    def guest(self, name, command, timeout=60):
        answer = self.box.run_in(name, command, timeout)
        assert answer.status == 0, f"{name}: {command}\n{answer.text}"
        return answer.text

    def wait_in(self, name, command, seconds=30):
        """Run a command in a guest until it succeeds."""
        loop = f"until {command}; do n=$((n+1)); [ $n -gt {seconds} ] && break; sleep 1; done"
        self.guest(name, f"n=0; {loop}; {command}", timeout=2 * seconds + 30)

    def vmvctl(self, words, inside=None):
        answer = self.box.run_in(inside, f"vmvctl {words}") if inside else self.box.run(f"vmvctl {words}")
        return Steps.of(answer.text)

    def domid(self, name):
        return int(self.sh(f"xl domid {name}"))

    def labels(self):
        rows = [line.split() for line in self.sh("xl list -Z").splitlines()[1:]]
        return {row[0]: row[-1] for row in rows}

    def destroy(self, *names):
        self.sh(" && ".join(f"xl destroy {name}" for name in names))

    def denied(self):
        transcript = self.box.settle()
        found = {str(denial) for denial in transcript.since(self._seen).denials}
        self._seen = len(transcript.lines) - 1  # the last line may not be whole yet
        return found


def refused(steps, names):
    """Whether every one of these steps was refused."""
    return {name: steps.results.get(name) for name in names.split()} == dict.fromkeys(names.split(), "EACCES")


def build_vmvctl(into):
    """Compiles the program with which domains try what they may do."""
    program = into / "vmvctl"
    if not (shutil.which("gcc") and Path("/usr/lib/x86_64-linux-gnu/libxenctrl.a").exists()):
        pytest.skip("compiling vmvctl.c needs gcc and libxen-dev")
    whole = "-Wl,--whole-archive -lxenguest -Wl,--no-whole-archive"  # the loaders register themselves
    xen = "-lxenctrl -lxencall -lxenforeignmemory -lxendevicemodel -lxenevtchn -lxengnttab -lxentoollog -lxentoolcore"
    libraries = f"{whole} -Wl,--start-group {xen} -lz -llzma -lzstd -lbz2 -Wl,--end-group"
    subprocess.run(["gcc", "-O1", "-static", "-o", program, HERE / "vmvctl.c", *libraries.split()], check=True)
    return program.read_bytes()


def pack_vmvctl(program):
    """An archive that adds the program to a guest."""
    return pack_cpio({"bin/vmvctl": Entry.file(program)})


class Policies:
    """Policies that polpkg makes for one hypervisor, each in a target of its own."""

    def __init__(self, hypervisor, folder):
        self._hypervisor, self._folder = hypervisor, folder

    def root(self, name):
        return self._folder / name / "root"

    def install(self, name, *commands):
        """Run `polpkg COMMAND --root ...` on the target `name`; the policy that it then has.

        A command that is no verb is what to install.
        """
        root = self.root(name)
        if not root.exists():
            (root / "boot").mkdir(parents=True)
            packed = self._hypervisor.suffix == ".gz"
            shutil.copyfile(self._hypervisor, root / "boot" / ("xen.gz" if packed else "xen"))
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("POLPKG_CACHE", str(self._folder / "cache"))
            patch.chdir(self._folder)
            for command in commands:
                words = shlex.split(command)
                words = words if words[0] in ("install", "remove") else ["install", *words]
                assert boundary.run([*words, "--root", str(root), "--quiet", "--yes"]) == 0
        (policy,) = (root / "boot").glob("xenpolicy-*")
        return policy.read_bytes()

    def link(self, xen):
        """A policy of the bundled packages for another hypervisor."""
        path = self._folder / f"linked-{xen}"
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("POLPKG_CACHE", str(self._folder / "cache"))
            assert boundary.run(["link", "dom0", "domu", "--xen", xen, "-o", str(path), "--quiet"]) == 0
        return path.read_bytes()
