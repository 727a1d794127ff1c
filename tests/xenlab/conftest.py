"""The machine of these tests: made once, from the hypervisor and the Debian packages that there are.

POLPKG_XEN           the hypervisor file: with XSM, of the release that the Xen tools are for
POLPKG_XENLAB_DEBS   the folder of Debian packages; `make xenlab` fills build/xenlab
"""

import os
import shlex
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest
from xenlab.machine import QEMU, boot, pack_cpio
from xenlab.system import (
    FILE,
    HERE,
    MissingPackagesError,
    build_vmvctl,
    dom0_files,
    guest_files,
    one,
    unpack,
    unpack_kernel,
)

from polpkg.cli import boundary
from polpkg.policy.abi.hypervisor import resolve_xen

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def hypervisor():
    """The hypervisor file."""
    name = os.environ.get("POLPKG_XEN", "")
    if not name:
        pytest.skip("POLPKG_XEN names no hypervisor")
    if not shutil.which(QEMU):
        pytest.skip(f"{QEMU} is not installed")
    return Path(name)


@pytest.fixture(scope="session")
def system(hypervisor, tmp_path_factory):
    """Kernel and files of dom0, which hold those of its guests."""
    folder = tmp_path_factory.mktemp("system")
    archives = Path(os.environ.get("POLPKG_XENLAB_DEBS") or ROOT / "build/xenlab")
    try:
        root = unpack(archives, folder / "root")
        kernel = folder / "vmlinux"
        kernel.write_bytes(unpack_kernel(one(root, "boot/vmlinuz-*").read_bytes()))
        vmvctl = build_vmvctl(folder).read_bytes()
        guest = pack_cpio(guest_files(root, "guest-init.sh"))
        vmv = pack_cpio(guest_files(root, "vmv-init.sh") | {"bin/vmvctl": (FILE, vmvctl)})
        inside = {
            "boot/vmlinux": kernel.read_bytes(),
            "boot/guest.cpio": guest,
            "boot/vmv.cpio": vmv,
            "bin/vmvctl": vmvctl,
        }
        files = dom0_files(root) | {name: (FILE, content) for name, content in inside.items()}
    except MissingPackagesError as missing:
        pytest.skip(str(missing))
    release = one(root, "usr/lib/xen-*/bin/xl").parts[-3].removeprefix("xen-")
    return SimpleNamespace(kernel=kernel, files=files, release=release)


@pytest.fixture(scope="session")
def target(hypervisor, tmp_path_factory):
    """A target with the hypervisor, two verifiers, a network and a storage domain; its policy and its labels."""
    folder = tmp_path_factory.mktemp("target")
    root = folder / "root"
    (root / "boot").mkdir(parents=True)
    shutil.copyfile(hypervisor, root / "boot" / ("xen.gz" if hypervisor.suffix == ".gz" else "xen"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("POLPKG_CACHE", str(folder / "cache"))
        patch.chdir(folder)
        for words in ("vmv", "vmv --instance other --set guests=web,db", "netdom", "stordom"):
            assert boundary.run(["install", *words.split(), "--root", str(root), "--quiet", "--yes"]) == 0
    (policy,) = (root / "boot").glob("xenpolicy-*")
    return SimpleNamespace(root=root, policy=policy)


@pytest.fixture(scope="session")
def labels():
    """The labels of the domains of the scenario."""
    types = {"VMV": "vmv_t", "GUEST": "vmv_guest_t", "PLAIN": "domU_t"}
    others = ("vmv_t", "domU_t", "dom0_t", "netdom_t", "vmv_other_t", "vmv_other_web_t", "xen_t")
    found = {name: f"system_u:system_r:{label}" for name, label in types.items()}
    return found | {"OTHERS": " ".join(f"system_u:system_r:{label}" for label in others)}


@pytest.fixture(scope="session")
def fits(hypervisor, system):
    """Whether the Xen tools are for the hypervisor: their interface changes with every release."""
    return resolve_xen(str(hypervisor)).version.startswith(f"{system.release}.")


@pytest.fixture(scope="session")
def console(hypervisor, system, target, labels, fits, tmp_path_factory):
    """What one run wrote, of the scenario where the tools fit; also in a file `console`, which pytest keeps."""
    folder = tmp_path_factory.mktemp("machine")
    assignments = "".join(f"{name}={shlex.quote(label)}\n" for name, label in labels.items())
    script = assignments + (HERE / "scenario.sh").read_text(encoding="ascii") if fits else "true\n"
    initramfs = folder / "initramfs"
    initramfs.write_bytes(pack_cpio(system.files | {"scenario.sh": (FILE, script.encode())}))
    found = boot(folder, hypervisor, target.policy, system.kernel, initramfs, timeout=600)
    (folder / "console").write_text(found.text, encoding="utf-8")
    return found


@pytest.fixture
def scenario(console, fits):
    """The same, for tests of what the scenario did."""
    if not fits:
        pytest.skip("the Xen tools are for another release")
    return console
