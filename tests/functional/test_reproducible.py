"""One lock, two builds at other places, times, users, umasks and locales: the same trees, to the mode and the time."""

import os
import shutil
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from hypervisors import build_hypervisor

from polpkg.cli import boundary

EPOCH = 1700000000
PROJECT = """[packages]
netdom = ">=1,<2"
vmv = ">=1,<2"

[instances.netdom.netdom]
pci = ["0000:03:00.0"]
"""
USER = 65534
UNPRIVILEGED = [
    "setpriv",
    f"--reuid={USER}",
    f"--regid={USER}",
    "--clear-groups",
    "--bounding-set=-all,+dac_read_search",
]
UNPRIVILEGED += ["--inh-caps=-all,+dac_read_search", "--ambient-caps=+dac_read_search"]
"""Somebody who may write nothing of root's; reading, because this Python may be in a home that is closed to others."""


@pytest.fixture(scope="module")
def project():
    """What an image is to have, locked, where every user may read it: pytest's own directories are closed to others."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        (folder / "policy.toml").write_text(PROJECT)
        polpkg("lock", "--project", name, cache=folder / "cache")
        yield folder


def polpkg(*arguments, cache, user=(), umask=0o022, **variables):
    settings = {"HOME": str(cache), "PATH": os.environ["PATH"], "POLPKG_CACHE": str(cache), **variables}
    settings |= {name: os.environ[name] for name in ("PYTHONPATH",) if name in os.environ}
    command = [*user, sys.executable, "-m", "polpkg", *arguments]
    done = subprocess.run(command, env=settings, capture_output=True, text=True, check=False, cwd="/", umask=umask)
    assert done.returncode == 0, done.stderr
    return done


def snapshot(root):
    """Everything below a directory by its path: kind and mode, time, and content or destination."""
    found = {}
    for path in (root, *sorted(root.rglob("*"))):
        status = path.lstat()
        regular = path.read_bytes() if path.is_file() else None
        content = str(path.readlink()) if path.is_symlink() else regular
        found[str(path.relative_to(root))] = (stat.filemode(status.st_mode), status.st_mtime_ns, content)
    return found


def build(folder, project, furnish=None, **how):
    """The tree that polpkg makes in a folder in which a user may write, or what it makes of one that is there."""
    folder.mkdir()
    if furnish:
        furnish(folder / "image")
    if "user" in how:
        os.chown(folder, USER, USER)
    options = [
        "--locked",
        "--offline",
        "--yes",
        "--project",
        str(project),
        *(() if furnish else ("--xen", "4.17")),
        "--root",
    ]
    variables = {"SOURCE_DATE_EPOCH": str(EPOCH), **how}
    polpkg("sync", *options, str(folder / "image"), cache=folder / "cache", **variables)
    return snapshot(folder / "image")


@pytest.fixture(scope="module")
def first(project, tmp_path_factory):
    return build(tmp_path_factory.mktemp("first") / "work", project)


def test_what_is_written_has_the_time_of_the_source(first):
    assert {path for path, (_, time, _) in first.items() if time != EPOCH * 10**9} == set()
    assert first["."][0] == "drwxr-xr-x"
    assert first["var/lib/polpkg/current"][0] == "lrwxrwxrwx"
    assert "boot/xenpolicy-4.17.7" in first


@pytest.mark.parametrize(
    "how",
    [
        {"umask": 0o077},
        {"umask": 0o000, "LC_ALL": "C.UTF-8", "TZ": "Asia/Tokyo"},
        {"LC_ALL": "C", "PYTHONHASHSEED": "1", "PYTHONUTF8": "0"},
        {"PYTHONHASHSEED": "2", "COLUMNS": "40", "NO_COLOR": "1"},
    ],
    ids=str,
)
def test_another_build_is_the_same(first, project, tmp_path, how):
    assert build(tmp_path / "another place", project, **how) == first


@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("setpriv"), reason="only root can become somebody else")
def test_another_user_builds_the_same(first, project, tmp_path):
    assert build(tmp_path / "work", project, user=UNPRIVILEGED, umask=0o027) == first
    assert (tmp_path / "work/image/boot").stat().st_uid == USER


@pytest.mark.skipif(not shutil.which("faketime"), reason="faketime is not installed")
def test_another_day_builds_the_same(first, project, tmp_path):
    library = next(Path("/usr/lib").rglob("faketime/libfaketime.so.1"))
    how = {"LD_PRELOAD": str(library), "FAKETIME": "2031-05-06 07:08:09"}
    assert build(tmp_path / "later", project, **how) == first


def test_a_second_sync_changes_nothing(first, project, tmp_path):
    build(tmp_path / "work", project)
    root = (tmp_path / "work").rename(tmp_path / "moved") / "image"
    polpkg("sync", "--locked", "--offline", "--yes", "--root", str(root), cache=tmp_path / "cache")
    assert snapshot(root) == first


def test_a_time_that_is_none_is_refused_before_anything_is_made(project, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "soon")
    monkeypatch.setenv("POLPKG_CACHE", str(tmp_path / "cache"))
    options = ["--locked", "--offline", "--yes", "--project", str(project), "--xen", "4.17"]
    assert boundary.run(["sync", *options, "--root", str(tmp_path / "image")]) == 6
    assert "SOURCE_DATE_EPOCH is 'soon'" in capsys.readouterr().err
    assert not (tmp_path / "image").exists()


def furnish(root):
    """A tree with GRUB and two hypervisors, as old as the source."""
    (root / "boot/grub").mkdir(parents=True)
    (root / "etc/grub.d").mkdir(parents=True)
    (root / "etc/grub.d/20_linux_xen").write_text("#!/bin/sh\n")
    for version in ("4.17", "4.22"):
        (root / f"boot/xen-{version}.gz").write_bytes(build_hypervisor(version))
    for path in (*root.rglob("*"), root):
        path.chmod(0o755)
        os.utime(path, (EPOCH, EPOCH))


def test_what_it_makes_of_a_tree_that_boots_is_the_same(project, tmp_path):
    first = build(tmp_path / "first", project, furnish)
    assert build(tmp_path / "second", project, furnish, umask=0o077, PYTHONHASHSEED="3", TZ="Asia/Tokyo") == first
    assert {path for path, (_, time, _) in first.items() if time != EPOCH * 10**9} == set()
    assert {"etc/grub.d/09_polpkg", "boot/xenpolicy-4.17", "boot/xenpolicy-4.22"} <= first.keys()
