"""A change of a host that runs, ended at any step: by a kill of polpkg, and by a connection that is lost.

Whatever the step: what boots is one of the two policies, whole, and so is what runs once the guard had its time.  The
next command brings both together.  `POLPKG_CUTS=all` tries every step; otherwise a sample is tried.
"""

import os
import shutil
from pathlib import Path

import pytest
from live_hosts import LiveHostFiles

from polpkg.cli import boundary
from polpkg.errors import HostError
from polpkg.targets.live import trial

BOOT = "boot/xenpolicy-4.17-amd64"
STEPS = ("write", "write_tree", "write_link", "rename", "remove", "run", "connect_again")
CHANGE = ("install", "stordom", "--host", "ssh://box", "--yes", "--quiet")


class Killed(BaseException):
    """polpkg is gone."""


class CutHost(LiveHostFiles):
    """Ends everything at one step, before or after it is done."""

    def __init__(self, root, folder):
        super().__init__(root, folder)
        self.steps = 0
        self.cut_at = None
        self.after = False
        self.error = Killed

    def _step(self, name, *args, **kwargs):
        self.steps += 1
        here = self.cut_at is not None and self.steps == self.cut_at
        if here and not self.after:
            self._cut()
        found = getattr(super(), name)(*args, **kwargs)
        if here and self.after:
            self._cut()
        return found

    def _cut(self):
        if self.error is HostError:
            self.lost = True
            self._check()
        raise self.error

    def _check(self):
        super()._check()

    def read(self, path):
        self._check()
        return super().read(path)

    def stat(self, path):
        self._check()
        return super().stat(path)


def _forward(name):
    def step(self, *args, **kwargs):
        self._check()
        return self._step(name, *args, **kwargs)

    return step


for _name in STEPS:
    setattr(CutHost, _name, _forward(_name))


@pytest.fixture
def make(_installed, tmp_path, monkeypatch):
    """`make()`: a host that runs generation 2."""
    monkeypatch.setenv("POLPKG_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    count = 0

    def new():
        nonlocal count
        count += 1
        root = tmp_path / f"host{count}"
        shutil.copytree(_installed, root, symlinks=True)
        host = CutHost(root, tmp_path / f"xen{count}")
        host.xen.boot((root / BOOT).read_bytes())
        host.xen.start("web", "domU_t")
        monkeypatch.setattr("polpkg.targets.host.open.open_ssh_host", lambda address: host)
        return host

    return new


def boot_file(host):
    return (Path(host.root) / BOOT).read_bytes()


def chosen(count, step=9):
    return range(1, count + 1) if os.environ.get("POLPKG_CUTS") == "all" else range(2, count + 1, step)


@pytest.fixture
def whole(make, monkeypatch):
    """The old policy, the new one, and the steps of a change that nothing disturbs."""
    host = make()
    old = boot_file(host)
    assert boundary.run([*CHANGE]) == 0
    assert old != boot_file(host) == host.xen.loaded
    return old, boot_file(host), host.steps


def check_together(host, old, new):
    """The next command brings what boots and what runs together."""
    assert {boot_file(host), host.xen.loaded} <= {old, new}
    host.cut_at, host.lost = None, False
    assert boundary.run(["sync", "--host", "ssh://box", "--yes", "--quiet"]) == 0
    assert host.xen.loaded == boot_file(host) in (old, new)
    assert [row[2].split(":")[2] for row in host.xen.state["domains"]] == ["dom0_t", "domU_t"]
    live = Path(host.root) / "var/lib/polpkg/live"
    assert not {"armed", "reverting", "candidate"} & {path.name for path in live.glob("*")}
    assert boundary.run(["verify", "--host", "ssh://box", "--quiet"]) == 0


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_polpkg_is_killed_at_a_step(make, whole, after):
    old, new, steps = whole
    for step in chosen(steps):
        host = make()
        host.cut_at, host.after = step, after
        try:
            boundary.run([*CHANGE])
        except Killed:
            check_together(host, old, new)


def test_the_connection_is_lost_at_a_step(make, whole, monkeypatch):
    """The guard has its time; it is short here."""
    monkeypatch.setattr(trial, "LOOKING", 1)
    monkeypatch.setattr(trial, "_GRACE", 1)
    monkeypatch.setattr(trial, "_BETWEEN", 0.5)
    old, new, steps = whole
    for step in chosen(steps, 13):
        host = make()
        host.cut_at, host.after, host.error = step, True, HostError
        code = boundary.run([*CHANGE])
        assert code in (0, 1, 8), (step, code)
        check_together(host, old, new)
