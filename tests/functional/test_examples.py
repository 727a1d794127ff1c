"""Every folder of examples/ does what it says."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"
SAYS = {
    "site-package": [
        "domU_t log_collector_t:grant copy: allowed",
        "package log-collector 1.0.0, policy/collector.if:",
    ],
    "two-verifiers": [
        'seclabel="system_u:system_r:vmv_acme_db_t"',
        "allow vmv_umbrella_t vmv_umbrella_wiki_t:domain {",
        "vmv_acme_t vmv_umbrella_mail_t:domain pause: not allowed",
    ],
    "xen-upgrades": [
        "nothing changed, so nothing is said",
        "nothing is installed, so nothing is done",
    ],
    "image-build": [
        "functions moved out of dom0: net-backend to netdom",
        "both images have the same policy",
    ],
    "ansible": [
        "-function net-backend: dom0\n",
        "+function net-backend: netdom\n",
        "-Xen 4.17.7: allow domU_t dom0_t:grant { copy } [domu 1.0.0]",
        "alpha                      : ok=4    changed=2    unreachable=0    failed=0",
        "beta                       : ok=3    changed=2    unreachable=0    failed=1",
        "* 3  ",
    ],
}
NEEDS = {"ansible": "ansible-playbook"}
PLACES = {"POLPKG_COLLECTION": str(EXAMPLES.parent / "plugins/ansible"), "LC_ALL": "C.UTF-8"}

BUILDERS = ("mmdebstrap", "mkosi", "packer", "yocto", "imagebuilder", "chroot", "other-builders")
"""Those are run by test_builders.py."""


@pytest.fixture
def example(tmp_path):
    """Copies the example of a name to a place of its own and runs a script of it."""

    def run(name, script="./run.sh", **variables):
        folder = tmp_path / name
        if not folder.exists():
            shutil.copytree(EXAMPLES / name, folder, ignore=shutil.ignore_patterns("build"))
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        if shutil.which(NEEDS.get(name, "sh"), path=path) is None:
            pytest.skip(f"{NEEDS[name]} is missing")
        settings = {"HOME": str(tmp_path), "PATH": path, "POLPKG_CACHE": str(tmp_path / "cache"), **PLACES, **variables}
        return subprocess.run([script], cwd=folder, env=settings, capture_output=True, text=True, check=False)

    return run


def test_every_example_is_known_here_and_listed():
    folders = {path.name for path in EXAMPLES.iterdir() if path.is_dir()}
    listed = (EXAMPLES / "README.md").read_text()
    assert folders == {*SAYS, *BUILDERS}
    assert all(f"`{name}/`" in listed for name in folders)


@pytest.mark.parametrize("name", SAYS)
def test_example(example, name):
    done = example(name)
    assert done.returncode == 0, done.stderr
    assert [text for text in SAYS[name] if text not in done.stdout] == []
    assert done.stderr == ""


def test_an_example_can_be_run_again(example):
    first, second = example("site-package"), example("site-package")
    assert (first.returncode, first.stdout) == (second.returncode, second.stdout) == (0, second.stdout)


def test_the_hook_refuses_a_lock_that_does_not_fit(example, tmp_path):
    assert example("image-build").returncode == 0
    folder = tmp_path / "image-build"
    project = folder / "build/project/policy.toml"
    project.write_text(project.read_text().replace("[packages]\n", '[packages]\nstordom = "*"\n'))
    tree = folder / "build/third"
    tree.mkdir()
    done = example("image-build", "./finalize", BUILDROOT=str(tree), POLPKG_PROJECT=str(project.parent))
    assert done.returncode == 10
    assert "stordom" in done.stderr
    assert not list(tree.rglob("xenpolicy-*"))
