"""The collection as an archive: it can be built and installed, and its documentation be read."""

import os
import subprocess
import tarfile

import pytest
from ansible_collection import COLLECTION, find_ansible

MODULES = ("boolean", "confirm", "facts", "policy", "rollback")


@pytest.mark.parametrize("ansible", find_ansible() or [None], ids=lambda path: str(path).strip("/").replace("/", "-"))
def test_built_installed_and_documented(ansible, tmp_path):
    if ansible is None:
        pytest.skip("ansible-galaxy is missing")
    place = tmp_path / "collections"
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "LC_ALL": "C.UTF-8",
        "ANSIBLE_HOME": str(tmp_path / "ansible"),
        "ANSIBLE_COLLECTIONS_PATH": str(place),
    }

    def run(program, *words):
        command = [ansible / program, *words]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=120)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    run("ansible-galaxy", "collection", "build", COLLECTION, "--output-path", tmp_path)
    (archive,) = tmp_path.glob("polpkg-xen-*.tar.gz")
    with tarfile.open(archive) as found:
        names = found.getnames()
    assert not [name for name in names if name.startswith("tests") or "__pycache__" in name]
    run("ansible-galaxy", "collection", "install", archive, "-p", place)
    told = run("ansible-doc", "--json", *(f"polpkg.xen.{name}" for name in MODULES))
    assert all(f'"polpkg.xen.{name}"' in told for name in MODULES)
    text = " ".join(run("ansible-doc", "polpkg.xen.policy").split())
    assert "Whether the change counts at once, on a running host." in text
    assert "ssh://[user@]host[:port]" in text


def test_every_module_is_in_the_group_of_defaults():
    text = (COLLECTION / "meta/runtime.yml").read_text()
    found = {path.stem for path in (COLLECTION / "plugins/modules").glob("*.py")}
    assert found == set(MODULES)
    assert [line.strip(" -") for line in text.splitlines() if line.startswith("    - ")] == sorted(MODULES)


def test_the_version_is_that_of_polpkg():
    from polpkg import __version__

    assert f"\nversion: {__version__}\n" in (COLLECTION / "galaxy.yml").read_text()
