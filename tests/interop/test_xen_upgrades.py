"""Upgrades of Xen with the real dpkg and the real rpm: the triggers of examples/xen-upgrades, in roots of their own."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from hypervisors import build_hypervisor

from polpkg.policy.abi import load_abi
from polpkg.policy.abi.model import Abi

EXAMPLE = Path(__file__).parents[2] / "examples/xen-upgrades"
POLPKG = Path(sys.executable).with_name("polpkg")


def can_unshare(*flags):
    """Whether a user namespace may be made: packages are unpacked as root in it."""
    if not shutil.which("unshare"):
        return False
    return subprocess.run(["unshare", *flags, "true"], capture_output=True, check=False).returncode == 0


pytestmark = pytest.mark.interop

needs_dpkg = pytest.mark.skipif(
    not (shutil.which("dpkg-deb") and shutil.which("dpkg") and can_unshare("-Ur")), reason="no dpkg, or no namespaces"
)
needs_rpm = pytest.mark.skipif(
    not (shutil.which("rpmbuild") and shutil.which("rpm") and can_unshare("-Urm")), reason="no rpm, or no namespaces"
)


@pytest.fixture
def settings(tmp_path):
    """The variables of every program here."""
    mine = {"HOME": str(tmp_path), "POLPKG_CACHE": str(tmp_path / "cache"), "POLPKG": str(POLPKG), "LC_ALL": "C"}
    return {**os.environ, **mine}


@pytest.fixture
def run(settings):
    """Runs a program that succeeds; what it says."""

    def go(*words, cwd=None):
        done = subprocess.run(
            list(map(str, words)), env=settings, cwd=cwd, capture_output=True, text=True, check=False, timeout=120
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    return go


@pytest.fixture
def root(tmp_path):
    """A root with GRUB's folder of scripts, and nothing else."""
    path = tmp_path / "root"
    (path / "etc/grub.d").mkdir(parents=True)
    (path / "etc/grub.d/00_header").write_text("#!/bin/sh\n")
    return path


def unknown_abi():
    """A hypervisor with tables for which the policy does not compile: a permission that it needs is not there."""
    known = load_abi("4.17")
    fewer = known.classes[3]._replace(permissions=known.classes[3].permissions[:3])
    return Abi((*known.classes[:3], fewer, *known.classes[4:]), known.initial_sids)


class Dpkg:
    """A root with packages, whose scripts run outside it (`--force-script-chrootless`)."""

    def __init__(self, root, scratch, run):
        self.root, self.scratch, self.run = root, scratch, run
        (root / "var/lib/dpkg/info").mkdir(parents=True)
        (root / "var/lib/dpkg/updates").mkdir()
        (root / "var/lib/dpkg/status").touch()

    def install(self, package):
        """What dpkg says while it installs a package."""
        force = "--force-script-chrootless,not-root,bad-path"
        return self.run("unshare", "-Ur", "dpkg", f"--root={self.root}", force, "-i", package)

    def install_xen(self, name, content, version="1"):
        """Install a package `xen-hypervisor-NAME` with a hypervisor file."""
        tree = self.scratch / f"deb-{name}-{version}"
        (tree / "DEBIAN").mkdir(parents=True)
        (tree / "boot").mkdir()
        (tree / f"boot/xen-{name}.gz").write_bytes(content)
        text = f"Package: xen-hypervisor-{name}\nVersion: {version}\nArchitecture: all\nMaintainer: x\nDescription: x\n"
        (tree / "DEBIAN/control").write_text(text)
        package = self.scratch / f"{tree.name}.deb"
        self.run("dpkg-deb", "--root-owner-group", "-Znone", "--build", tree, package)
        return self.install(package)

    def status(self):
        """The states of all packages."""
        words = ("dpkg-query", f"--admindir={self.root}/var/lib/dpkg", "-W", "-f", "${Status}\\n")
        return set(self.run(*words).split("\n")) - {""}


@pytest.fixture
def dpkg(root, tmp_path, run):
    """dpkg on that root, with the hook and a first Xen, and a policy for it."""
    installed = Dpkg(root, tmp_path, run)
    package = run(EXAMPLE / "build-deb.sh", tmp_path / "debs").strip()
    installed.install_xen("4.17-amd64", build_hypervisor("4.17"))
    run(POLPKG, "install", "dom0", "--root", root)
    installed.install(package)
    return installed


def fits(run, root):
    """For each hypervisor, whether its policy is there and fits."""
    import json

    probed = json.loads(run(POLPKG, "probe", "--root", root, "--json"))["hypervisors"]
    return {each["file"]: bool(each["policy"] and each["policy"]["fits"]) for each in probed}


@needs_dpkg
def test_dpkg_brings_a_new_xen_and_its_policy(dpkg, run):
    said = dpkg.install_xen("4.20-amd64", build_hypervisor("4.20"))
    assert "Processing triggers for polpkg-xen-upgrades" in said
    assert "/boot/xen-4.20-amd64.gz has no policy yet" in said
    assert fits(run, dpkg.root) == {"/boot/xen-4.17-amd64.gz": True, "/boot/xen-4.20-amd64.gz": True}
    assert "xen-4.20-amd64.gz xenpolicy-4.20-amd64" in (dpkg.root / "etc/grub.d/09_polpkg").read_text()
    assert dpkg.status() == {"install ok installed"}
    run(POLPKG, "verify", "--root", dpkg.root)


@needs_dpkg
def test_dpkg_replaces_xen_in_place(dpkg, run):
    """A point release under the same name, with other tables."""
    dpkg.install_xen("4.17-amd64", build_hypervisor("4.18.5"), version="2")
    assert fits(run, dpkg.root) == {"/boot/xen-4.17-amd64.gz": True}
    run(POLPKG, "verify", "--root", dpkg.root)


@needs_dpkg
def test_dpkg_goes_on_when_the_policy_cannot_be_made(dpkg, run):
    script = (dpkg.root / "etc/grub.d/09_polpkg").read_text()
    said = dpkg.install_xen("4.20-amd64", build_hypervisor(unknown_abi()))
    assert "THE POLICY COULD NOT BE FITTED" in said
    assert "NO POLICY FITS /boot/xen-4.20-amd64.gz" in " ".join(said.split())
    assert dpkg.status() == {"install ok installed"}
    assert fits(run, dpkg.root) == {"/boot/xen-4.17-amd64.gz": True, "/boot/xen-4.20-amd64.gz": False}
    assert (dpkg.root / "etc/grub.d/09_polpkg").read_text() == script, "the old default entry"


@needs_dpkg
def test_a_xen_without_flask_changes_nothing(dpkg, run):
    dpkg.install_xen("4.20-amd64", build_hypervisor("4.20", flask=False))
    assert fits(run, dpkg.root) == {"/boot/xen-4.17-amd64.gz": True, "/boot/xen-4.20-amd64.gz": False}
    assert not (dpkg.root / "boot/xenpolicy-4.20-amd64").exists()
    assert dpkg.status() == {"install ok installed"}


@needs_dpkg
def test_another_file_in_boot_is_no_reason(dpkg, tmp_path):
    tree = tmp_path / "linux"
    (tree / "DEBIAN").mkdir(parents=True)
    (tree / "boot").mkdir()
    (tree / "boot/vmlinuz-6").write_text("kernel")
    text = "Package: linux-image\nVersion: 1\nArchitecture: all\nMaintainer: x\nDescription: x\n"
    (tree / "DEBIAN/control").write_text(text)
    dpkg.run("dpkg-deb", "--root-owner-group", "-Znone", "--build", tree, tmp_path / "linux.deb")
    said = dpkg.install(tmp_path / "linux.deb")
    assert "Processing triggers for polpkg-xen-upgrades" in said
    assert "generation" not in said


DATABASE = "/var/lib/rpm"
IN_ROOT = """
set -e
root=$1
shift
for folder in /*; do
  case "$folder" in /boot | /etc | /var | /lost+found) continue ;; esac
  if test -L "$folder"; then
    ln -sfn "$(readlink "$folder")" "$root$folder"
  elif test -d "$folder"; then
    mkdir -p "$root$folder"
    mount --rbind "$folder" "$root$folder"
  fi
done
mount -o remount,bind,ro "$root/usr"
exec "$@"
"""


class Rpm:
    """A root with packages, whose scripts run inside it, with this machine's programs."""

    def __init__(self, root, scratch, run):
        self.root, self.scratch, self.run = root, scratch, run
        (root / "var/lib/rpm").mkdir(parents=True)
        (root / "var/tmp").mkdir()

    def install(self, package):
        """What rpm says while it installs a package."""
        words = ("rpm", "--root", self.root, "--dbpath", DATABASE, "-U", "--nodeps", "--noverify", package)
        return self.run("unshare", "-Urm", "sh", "-c", IN_ROOT, "sh", self.root, *words)

    def install_xen(self, name, content, version="1"):
        """Install a package with a hypervisor file."""
        file = self.scratch / f"xen-{name}-{version}.gz"
        file.write_bytes(content)
        spec = self.scratch / f"xen-{name}-{version}.spec"
        spec.write_text(
            f"Name: xen-hypervisor-{name}\nVersion: {version}\nRelease: 1\nSummary: x\nLicense: x\n"
            f"BuildArch: noarch\n%description\nx\n%install\ninstall -D {file} %{{buildroot}}/boot/xen-{name}.gz\n"
            f"%files\n/boot/xen-{name}.gz\n"
        )
        out = self.scratch / f"out-{name}-{version}"
        self.run("rpmbuild", "--quiet", "-bb", "-D", f"_topdir {out}/b", "-D", f"_rpmdir {out}", spec)
        return self.install(next(out.glob("noarch/*.rpm")))


@pytest.fixture
def rpm(root, tmp_path, run):
    """rpm on that root, with the hook and a first Xen, and a policy for it."""
    installed = Rpm(root, tmp_path, run)
    package = run(EXAMPLE / "build-rpm.sh", tmp_path / "rpms", "-D", "folder /var/lib/hook").strip()
    installed.install_xen("4.17", build_hypervisor("4.17"))
    run(POLPKG, "install", "dom0", "--root", root)
    installed.install(package.splitlines()[-1])
    return installed


@needs_rpm
def test_rpm_brings_a_new_xen_and_its_policy(rpm, run):
    said = rpm.install_xen("4.20", build_hypervisor("4.20"))
    assert fits(run, rpm.root) == {"/boot/xen-4.17.gz": True, "/boot/xen-4.20.gz": True}, said
    rpm.install_xen("4.17", build_hypervisor("4.18.5"), version="2")
    assert fits(run, rpm.root) == {"/boot/xen-4.17.gz": True, "/boot/xen-4.20.gz": True}
    run(POLPKG, "verify", "--root", rpm.root)


@needs_rpm
def test_rpm_goes_on_when_the_policy_cannot_be_made(rpm, run):
    said = rpm.install_xen("4.20", build_hypervisor(unknown_abi()))
    assert "NO POLICY FITS /boot/xen-4.20.gz" in " ".join(said.split())
    assert "xen-hypervisor-4.20" in run("rpm", "--root", rpm.root, "--dbpath", DATABASE, "-qa")
