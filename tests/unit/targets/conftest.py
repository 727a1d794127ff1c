"""Small wanted states, and a tree to apply them to."""

from __future__ import annotations

from hashlib import sha256

import pytest

from polpkg.targets.apply import apply_plan
from polpkg.targets.plan import compute_plan
from polpkg.targets.present import read_present
from polpkg.targets.receipt import BootFile, HypervisorRecord, PackageRecord
from polpkg.targets.tree import TreeTarget
from polpkg.targets.wanted import PolicyArtifact, WantedState

ABI_A = "a" * 64
ABI_B = "b" * 64
CREATED = "2020-01-01T00:00:00Z"


def package(name="vmv", version="1.0.0", content="one"):
    return PackageRecord(name, version, "bundled", sha256(f"{name} {version} {content}".encode()).hexdigest())


def boot_file(path="/boot/xenpolicy-4.17.7", hypervisor=None):
    if hypervisor is None:
        return BootFile(path)
    return BootFile(path, (HypervisorRecord(hypervisor, sha256(hypervisor.encode()).hexdigest(), "4.17.7"),))


def artifact(text, abi=ABI_A, boot_files=None):
    files = {
        "policydb": f"policydb of {text} for {abi}".encode() * 50,
        "policy.cil": f"(cil {text})".encode(),
        "policy.conf": f"conf {text}".encode(),
        "map.json": b"{}",
    }
    places = (boot_file(),) if boot_files is None else tuple(boot_files)
    return PolicyArtifact(abi, "4.17.7", 30, "builtin", "1", 3, 2, 1, files, places, "inputs")


def wanted(text, *, packages=None, artifacts=None, functions=None, action=None):
    return WantedState(
        f'[packages]\nvmv = "{text}"\n'.encode(),
        f"lock of {text}\n".encode(),
        (package(),) if packages is None else tuple(packages),
        {"net-backend": "dom0"} if functions is None else functions,
        (artifact(text),) if artifacts is None else tuple(artifacts),
        action or f"install {text}",
    )


def apply(target, state, *, keep=10):
    plan = compute_plan(state, read_present(target, state), keep=keep)
    return apply_plan(target, plan, state, created=CREATED, polpkg="0.1")


def files_of(root):
    """Every file and link below `root`, but for the lock."""
    found = {}
    for path in sorted(root.rglob("*")):
        name = str(path.relative_to(root))
        if path.is_symlink():
            found[name] = f"-> {path.readlink()}"
        elif path.is_file() and name != "var/lib/polpkg/lock":
            found[name] = path.read_bytes()
    return found


class Builders:
    """The functions above, for the tests."""

    ABI_A = ABI_A
    ABI_B = ABI_B
    CREATED = CREATED
    package = staticmethod(package)
    boot_file = staticmethod(boot_file)
    artifact = staticmethod(artifact)
    wanted = staticmethod(wanted)
    apply = staticmethod(apply)
    files_of = staticmethod(files_of)


@pytest.fixture
def make():
    return Builders


@pytest.fixture
def root(tmp_path):
    path = tmp_path / "root"
    path.mkdir()
    return path


@pytest.fixture
def tree(root):
    return TreeTarget(str(root))
