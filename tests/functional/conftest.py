"""polpkg in this process, as the shell would call it, and a target that has something."""

import json
import re
import shutil
from typing import NamedTuple

import pytest
from hypervisors import build_hypervisor

from polpkg.cli import boundary
from polpkg.packages.archive import pack


class Done(NamedTuple):
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def document(self):
        return json.loads(self.out)

    @property
    def told(self):
        """What went to stderr, however it was wrapped."""
        return " ".join(self.err.split())


@pytest.fixture
def call(capsys, monkeypatch, tmp_path):
    """`call("status", "--root", root)`: runs a command, and fails when a bug shows."""
    monkeypatch.setenv("POLPKG_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.delenv("SOURCE_DATE_EPOCH", raising=False)
    monkeypatch.chdir(tmp_path)
    capsys.readouterr()

    def run(*words):
        code = boundary.run([str(word) for word in words])
        output = capsys.readouterr()
        done = Done(code, output.out, output.err)
        assert code != 70, output.err
        assert "Traceback" not in output.err
        if "--json" in words:
            assert re.fullmatch(f"polpkg.{words[0]}(-[a-z]+)?/1", done.document["schema"])
        return done

    return run


@pytest.fixture(scope="session")
def _installed(tmp_path_factory):
    """Two generations on a tree with one hypervisor: `vmv`, then `netdom`."""
    base = tmp_path_factory.mktemp("installed")
    root = base / "root"
    (root / "boot").mkdir(parents=True)
    (root / "boot/xen-4.17-amd64.gz").write_bytes(build_hypervisor("4.17"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("POLPKG_CACHE", str(base / "cache"))
        patch.chdir(base)
        for package in ("vmv", "netdom"):
            assert boundary.run(["install", package, "--root", str(root), "--quiet"]) == 0
    return root


@pytest.fixture
def installed(_installed, tmp_path):
    """A copy of that tree for one test."""
    root = tmp_path / "target"
    shutil.copytree(_installed, root, symlinks=True)
    return root


@pytest.fixture
def empty(tmp_path):
    """A tree that has nothing."""
    root = tmp_path / "empty"
    root.mkdir()
    return root


@pytest.fixture
def publish(tmp_path):
    """`publish("a", "1.0", requires={"b": ">=1"})`: one more archive in `dist`, which is an index."""

    def add(name, version, requires=None, more="", folder="dist"):
        lines = [f'{required} = "{specifier}"' for required, specifier in (requires or {}).items()]
        manifest = f'[package]\nname = "{name}"\nversion = "{version}"\nsummary = "The {name}"\n[requires]\n'
        archive = pack({"polpkg.toml": ("\n".join([manifest, *lines, more, ""])).encode()})
        path = tmp_path / folder / f"{name}-{version}.polpkg"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(archive)
        return path

    return add
