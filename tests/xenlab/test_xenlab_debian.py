"""Debian with a policy from its first moment: mmdebstrap with polpkg's hook, made a disk, booted by its default entry.

Needs root, mmdebstrap, and a mirror of Debian 12, whose Xen tools are those of 4.17: POLPKG_MIRROR, or apt's own.
"""

import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

import pytest
from xenlab.disk import ROOT_UUID, make_disk, missing_tools

from polpkg.cli import boundary
from polpkg.policy.policydb import read_policydb
from polpkg.targets.lab.transcript import Transcript

pytestmark = pytest.mark.xenlab

HERE = Path(__file__).parent / "debian"
EXAMPLE = Path(__file__).parents[2] / "examples/mmdebstrap"
PACKAGES = "linux-image-amd64,initramfs-tools,xen-utils-4.17,xenstore-utils,grub2-common,grub-pc-bin,grub-efi-amd64-bin"
UNUSED = ("sound", "net", "drivers/gpu", "drivers/net", "drivers/media")
LEFT_OUT = [f"/usr/share/{name}/*" for name in ("doc", "locale", "man")] + [
    f"/lib/modules/*/kernel/{n}/*" for n in UNUSED
]
QEMU = "-accel tcg,thread=multi -cpu qemu64 -smp 2 -m 2048 -nic none -display none -monitor none -serial stdio"
OVMF = Path("/usr/share/OVMF/OVMF_CODE_4M.fd"), Path("/usr/share/OVMF/OVMF_VARS_4M.fd")
BOOT_LIMIT = 600
"""Seconds for all boots of one run of the machine: emulated, each takes about one minute."""


class Boot(NamedTuple):
    """What one boot said: Xen's words, and those of dom0 by their kind."""

    xen: Transcript
    dom0: dict[str, list[str]]

    @classmethod
    def of(cls, text):
        xen, dom0 = Transcript.of(text), {}
        for line in xen.lines:
            if found := re.match(r"##LAB (\w+) (.*)", line):
                dom0.setdefault(found[1], []).append(found[2])
        return cls(xen, dom0)

    @property
    def policy(self):
        """Users, roles, types and booleans, and rules, as Xen counted them in the policy that it took."""
        (counts,) = {line.partition("Flask:  ")[2] for line in self.xen.lines if re.search(r"Flask:  \d+ users", line)}
        (rules,) = {found[1] for line in self.xen.lines if (found := re.search(r"classes, (\d+) rules", line))}
        return *(int(number) for number in re.findall(r"\d+", counts)), int(rules)


def counted(policy):
    """What Xen counts in a policy (`policydb_index_others` of xen/xsm/flask/ss/policydb.c)."""
    db = read_policydb(policy)
    tables = (db.users, db.roles, db.types, db.booleans)
    return *(table.primary for table in tables), len(db.rules)


class Machine:
    """The tree, the disk that is made of it, and the machine that boots the disk."""

    def __init__(self, root, folder, project):
        self.root, self.folder, self.project = root, folder, project
        self.image = folder / "disk.img"

    def polpkg(self, *words):
        return boundary.run([*words, "--root", str(self.root)])

    @property
    def policy(self):
        (path,) = (self.root / "boot").glob("xenpolicy-*")
        return path

    def make_disk(self):
        make_disk(self.root, self.image)

    def boot(self, firmware):
        """Switch the machine on until dom0 has switched it off; what each boot said."""
        if firmware == "uefi":
            if not OVMF[0].exists():
                pytest.skip("OVMF is not installed")
            shutil.copyfile(OVMF[1], self.folder / "vars.fd")
            drives = f"-drive if=pflash,format=raw,readonly=on,file={OVMF[0]} -drive if=pflash,format=raw,file=vars.fd"
            machine = (
                f"-machine q35 {drives} -drive file={self.image},format=raw,if=none,id=disk -device ide-hd,drive=disk"
            )
        else:
            machine = f"-machine pc -drive file={self.image},format=raw,if=ide"
        console = self.folder / "console"
        with console.open("wb") as output:
            done = subprocess.Popen(
                ["qemu-system-x86_64", *machine.split(), *QEMU.split()],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=self.folder,
            )
            try:
                self._wait(done, console)
            finally:
                done.kill()
                done.wait()
        text = console.read_text(encoding="utf-8", errors="replace")
        parts = re.split(r"(?=\(XEN\) Xen version )", text)
        return [Boot.of(part) for part in parts[1:]]

    def _wait(self, process, console):
        end = time.monotonic() + BOOT_LIMIT
        while process.poll() is None and time.monotonic() < end:
            time.sleep(1)
        text = console.read_text(errors="replace")
        assert "##LAB done" in text, f"dom0 did not come up: {text[-3000:]}"


def find_mirror():
    """The mirror that POLPKG_MIRROR names, or one of Debian 12 that apt has."""
    words = ["apt-get", "indextargets", "--format", "$(REPO_URI) $(CODENAME) $(COMPONENT)", "Created-By: Packages"]
    listed = subprocess.run(words, capture_output=True, text=True, check=True).stdout.splitlines()
    found = (line.split()[0] for line in listed if line.endswith(" bookworm main"))
    return os.environ.get("POLPKG_MIRROR") or next(found, None) or pytest.skip("there is no mirror of Debian 12")


def mmdebstrap(root, hypervisor, project):
    """Build the tree, with a package of the hypervisor; polpkg is a hook of it."""
    repository = root.with_name("repository")
    menu = f'"{HERE}/menu.sh" "$1" {ROOT_UUID}'
    words = ["mmdebstrap", "--mode=root", "--variant=minbase", f"--include={PACKAGES},xen-flask"]
    words += [f"--dpkgopt=path-exclude={path}" for path in LEFT_OUT]
    words += [f"--setup-hook={HERE}/setup.sh", f"--customize-hook=copy-in {HERE}/init.sh /sbin"]
    words += [
        '--customize-hook=mv "$1/sbin/init.sh" "$1/sbin/lab"',
        f"--hook-dir={EXAMPLE}/hooks",
        f"--customize-hook={menu}",
    ]
    sources = f"deb {find_mirror()} bookworm main", f"deb [trusted=yes] copy:{repository} ./"
    words += ["bookworm", str(root), *sources]
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    settings = {**os.environ, "PATH": path, "POLPKG_PROJECT": str(project)}
    for command in ([EXAMPLE / "repository.sh", hypervisor, repository], words):
        done = subprocess.run(command, env=settings, capture_output=True, text=True, check=False, timeout=900)
        assert done.returncode == 0, done.stderr[-3000:]


@pytest.fixture(scope="module")
def machine(hypervisor, version, tmp_path_factory):
    """A tree of Debian, with the policy of a verifier."""
    if missing := [*missing_tools(), *(["mmdebstrap"] if not shutil.which("mmdebstrap") else [])]:
        pytest.skip(f"needs {', '.join(missing)}")
    if os.geteuid() != 0 or not version.startswith("4.17.") or hypervisor.suffix != ".gz":
        pytest.skip("needs root, and xen.gz of 4.17, for which Debian 12 has the tools")
    folder = tmp_path_factory.mktemp("debian")
    project = folder / "project"
    project.mkdir()
    (project / "policy.toml").write_text('[packages]\nvmv = "*"\n')
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("POLPKG_CACHE", str(folder / "cache"))
        patch.chdir(folder)
        assert boundary.run(["lock", "--project", str(project)]) == 0
        mmdebstrap(folder / "root", hypervisor, project)
        yield Machine(folder / "root", folder, project)
        shutil.rmtree(folder / "root")
        (folder / "disk.img").unlink(missing_ok=True)


def check(boot, policy):
    """The boot went well, enforcing, with this policy."""
    assert boot.xen.mode == "enforcing"
    assert boot.policy == counted(policy)
    assert boot.dom0["mode"] == ["Enforcing"]
    (domain,) = (line.split() for line in boot.dom0["list"][1:])
    assert (domain[0], domain[-1]) == ("Domain-0", "system_u:system_r:dom0_t")
    assert "xsm=flask flask=enforcing" in boot.dom0["options"][0]
    assert boot.dom0["denials"] == ["0"]
    assert "error" not in boot.dom0


@pytest.mark.parametrize("firmware", ["bios", "uefi"])
def test_the_default_entry_enforces_the_policy(machine, firmware):
    machine.make_disk()
    (boot,) = machine.boot(firmware)
    check(boot, machine.policy.read_bytes())


def test_a_package_installed_into_the_image_is_enforced(machine, policies):
    """Nothing but the disk is there: polpkg finds Xen in it, and the next boot has the policy."""
    machine.make_disk()
    assert boundary.run(["install", "netdom", "--yes", "--image", str(machine.image)]) == 0
    (boot,) = machine.boot("bios")
    check(boot, policies.install("vmv-netdom", "vmv netdom"))
    assert boot.policy != counted(machine.policy.read_bytes())


@pytest.fixture(scope="module")
def foreign(machine):
    """An index with the policy of another hypervisor, tables and all, and that policy compiled."""
    folder = machine.folder / "foreign"
    folder.mkdir()
    for form in ("conf", "policydb"):
        words = ["link", "dom0", "domu", "--xen", "4.22", "--emit", form, "-o", str(folder / f"policy.{form}")]
        assert boundary.run(words) == 0
    conf = str(folder / "policy.conf")
    assert boundary.run(["import", conf, "--name", "foreign", "-o", str(folder / "packages")]) == 0
    (folder / "policy.toml").write_text('[packages]\nforeign = "*"\n[target]\nbase = []\n')
    return folder


@pytest.mark.parametrize("firmware", ["bios", "uefi"])
def test_what_the_hypervisor_would_refuse_is_refused_and_forced_falls_back(machine, foreign, firmware, capsys):
    """First polpkg refuses it; then somebody puts it in place all the same, and the machine comes back by itself."""
    assert machine.polpkg("confirm") == 0
    confirmed = machine.policy.read_bytes()
    assert machine.polpkg("install", "netdom", "--yes") == 0
    staged = machine.policy.read_bytes()
    project = ["--project", str(foreign), "--index", f"site={foreign / 'packages'}"]
    assert boundary.run(["lock", *project]) == 0
    capsys.readouterr()
    assert machine.polpkg("sync", "--locked", "--yes", *project) == 6
    assert "error[abi-mismatch]" in capsys.readouterr().err
    assert machine.policy.read_bytes() == staged != confirmed

    machine.policy.write_bytes((foreign / "policy.policydb").read_bytes())
    machine.make_disk()
    panicked, fallen_back = machine.boot(firmware)
    assert panicked.xen.panic
    assert "Unable to load FLASK policy" in " ".join(panicked.xen.panic)
    check(fallen_back, confirmed)
    assert fallen_back.dom0["record"] == ["polpkg_trial=failed"]

    machine.policy.write_bytes(staged)
    assert machine.polpkg("rollback", "--yes") == 0
    assert machine.policy.read_bytes() == confirmed
