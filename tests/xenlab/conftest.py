"""One box for all scenarios, from the hypervisor and the Debian packages that there are.

POLPKG_XEN           the hypervisor file, with XSM; the scenarios need Xen tools of the same release
POLPKG_XENLAB_DEBS   a folder of Debian packages; default build/xenlab, which `make xenlab` fills; what is not there
                     is taken from this machine
"""

import os
from pathlib import Path

import pytest
from xenlab.lab import Lab, Policies, build_vmvctl, pack_vmvctl

from polpkg.errors import PolpkgError
from polpkg.policy.abi.hypervisor import read_hypervisor
from polpkg.targets.lab.box import run_box
from polpkg.targets.lab.pieces import find_pieces, unpack_debs
from polpkg.targets.lab.system import make_system

ROOT = Path(__file__).resolve().parents[2]
DRIVERS = ("vmv", "vmv --instance other --set guests=web,db", "netdom", "stordom")
LATER = "vmv --instance later"


@pytest.fixture(scope="session")
def hypervisor():
    """The hypervisor file."""
    name = os.environ.get("POLPKG_XEN", "")
    if not name:
        pytest.skip("POLPKG_XEN names no hypervisor")
    return Path(name)


@pytest.fixture(scope="session")
def version(hypervisor):
    """The version of the hypervisor."""
    return read_hypervisor(hypervisor).version


@pytest.fixture(scope="session")
def pieces(hypervisor, version, tmp_path_factory):
    """What the box is made of."""
    given = os.environ.get("POLPKG_XENLAB_DEBS", "")
    folder = Path(given) if given else ROOT / "build/xenlab"
    try:
        roots = [unpack_debs(folder, tmp_path_factory.mktemp("pieces"))] if given or any(folder.glob("*.deb")) else []
        return find_pieces((*roots, Path("/")), version)
    except PolpkgError as error:
        pytest.skip(f"{error.message}; {error.diagnostics[0].hint}")


@pytest.fixture(scope="session")
def system(pieces):
    """Kernel and files of dom0 and of its guests."""
    return make_system(pieces)


@pytest.fixture(scope="session")
def policies(hypervisor, tmp_path_factory):
    """Makes policies for the hypervisor."""
    return Policies(hypervisor, tmp_path_factory.mktemp("policies"))


@pytest.fixture(scope="session")
def drivers(policies):
    """The policy of the scenarios: two verifiers, a network domain and a storage domain."""
    return policies.install("drivers", *DRIVERS)


@pytest.fixture(scope="session")
def boot(hypervisor, system, tmp_path_factory):
    """`with boot(policy, files) as box`: a box with further files in dom0."""

    def start(policy, files=(), network=()):
        folder = tmp_path_factory.mktemp("box")  # pytest keeps it, the console among it
        initramfs = system.initramfs(dict(files))
        return run_box(folder, hypervisor.read_bytes(), policy, system.kernel, initramfs, network)

    return start


@pytest.fixture(scope="session")
def fits(pieces, version):
    """Skips where the Xen tools are for another release: their interface changes with every one."""
    if not pieces.fits(version):
        pytest.skip(f"the tools of Xen {pieces.release} do not work with Xen {version}")


@pytest.fixture(scope="session")
def files(drivers, policies, tmp_path_factory):
    """What is in dom0: vmvctl, and all policies that the scenarios load."""
    vmvctl = build_vmvctl(tmp_path_factory.mktemp("vmvctl"))
    return {
        "bin/vmvctl": vmvctl,
        "boot/vmvctl.cpio": pack_vmvctl(vmvctl),
        "lab/drivers": drivers,
        "lab/upgraded": policies.install("upgraded", *DRIVERS, LATER),
        "lab/removed": policies.install("removed", *DRIVERS, "remove stordom"),
    }


@pytest.fixture(scope="session")
def running(fits, boot, drivers, files):
    """The box of the scenarios."""
    with boot(drivers, files) as box:
        box.wait_for_dom0(180)
        assert box.start_tools().status == 0
        yield Lab(box)


@pytest.fixture
def lab(running):
    """The box, for one test: what was denied and not asked for fails it."""
    yield running
    assert running.denied() == set(), "denied, and not expected"
