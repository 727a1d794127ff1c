"""A process is killed at any moment of a download, or of a write to store, cache or lock: no file is ever wrong.

`POLPKG_KILLS` says how often (three times four, unless it does), `POLPKG_KILL_SEED` where chance begins.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time

import pytest
from misbehaving import MisbehavingServer

from polpkg.packages.archive import pack
from polpkg.packages.housekeeping import prune_cache, verify_cache
from polpkg.packages.index.building import add_archive
from polpkg.packages.index.opening import open_index
from polpkg.packages.lock import LockedPackage, Lockfile, render_lock
from polpkg.packages.store import ArchiveStore, write_atomically
from polpkg.packages.transport.settings import NetworkSettings

KILLS = int(os.environ.get("POLPKG_KILLS", "4"))
SEED = int(os.environ.get("POLPKG_KILL_SEED", "1"))

WORKER = """
import sys
from pathlib import Path
from polpkg.packages.index.opening import open_index
from polpkg.packages.store import ArchiveStore, write_atomically
from polpkg.packages.transport.settings import NetworkSettings

url, cache, lock, *texts = sys.argv[1:]
store = ArchiveStore(Path(cache))
while True:
    index = open_index("site", url, trust="none", network=NetworkSettings(cache=Path(cache)))
    for release in index.releases("demo"):
        store.path(release.sha256).unlink(missing_ok=True)
        store.obtain(release.sha256, lambda: index.fetch(release), label=str(release))
    for text in texts:
        write_atomically(Path(lock), Path(text).read_bytes())
    print(flush=True)
"""


def archive_of(version):
    manifest = f'[package]\nname = "demo"\nversion = "{version}"\n'
    return pack({"polpkg.toml": manifest.encode(), "policy/a.te": f"# {version}\n".encode() * 60_000})


def lock_text(version):
    packages = tuple(LockedPackage(f"package-{n}", version, f"{n:064x}", "site") for n in range(2000))
    return render_lock(Lockfile(packages)).encode()


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A tree with three large archives, and two texts of a lock."""
    folder = tmp_path_factory.mktemp("kill")
    for version in ("1.0", "1.1", "1.2"):
        add_archive(folder / "tree", archive_of(version))
    for version in ("1", "2"):
        (folder / f"lock-{version}").write_bytes(lock_text(version))
    return folder


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch):
    for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)


@pytest.mark.parametrize("number", range(KILLS))
def test_a_kill_leaves_nothing_wrong(place, tmp_path, number):
    chance = random.Random(SEED * 1_000_003 + number)
    lock, texts = tmp_path / "policy.lock", [place / "lock-1", place / "lock-2"]
    with MisbehavingServer(place / "tree") as server:
        words = [sys.executable, "-c", WORKER, server.url, str(tmp_path / "cache"), str(lock), *map(str, texts)]
        for _ in range(3):
            kill_at_random(words, chance)
            check(tmp_path / "cache", lock, {text.read_bytes() for text in texts})
        network = NetworkSettings(cache=tmp_path / "cache")
        run_again(open_index("site", server.url, trust="none", network=network), tmp_path / "cache")
    write_atomically(lock, texts[0].read_bytes())
    assert lock.read_bytes() == texts[0].read_bytes()


def kill_at_random(words, chance):
    """Kill the worker some time after it began, or in one of its later rounds, when everything is warm."""
    with subprocess.Popen(words, stdout=subprocess.PIPE) as worker:
        if chance.random() < 0.7:
            worker.stdout.readline()
            time.sleep(chance.random() * 0.2)
        else:
            time.sleep(chance.random() * 0.8)
        assert worker.poll() is None, "the worker ended by itself"
        worker.send_signal(signal.SIGKILL)


def check(cache, lock, texts):
    """Whoever looks now sees whole files only."""
    assert verify_cache(cache) == ()
    assert not lock.exists() or lock.read_bytes() in texts


def run_again(index, cache):
    """The next run gets everything, and what the killed ones left can be cleared away."""
    store = ArchiveStore(cache)
    releases = index.releases("demo")
    assert len(releases) == 3
    for release in releases:
        archive = store.obtain(release.sha256, lambda release=release: index.fetch(release), label=str(release))
        assert archive == archive_of(release.version)
    prune_cache(cache, now=time.time() + 86400, keep={release.sha256 for release in releases})
    left = sorted(path.name for path in cache.rglob("*") if path.is_file())
    assert left == sorted(release.sha256 for release in releases)
