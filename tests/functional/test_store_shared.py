"""Several processes use one cache at once."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from misbehaving import MisbehavingServer

from polpkg.packages.archive import pack
from polpkg.packages.housekeeping import verify_cache
from polpkg.packages.index.building import add_archive

WORKER = """
import sys
from pathlib import Path
from polpkg.packages.index.opening import open_index
from polpkg.packages.source import sha256_of
from polpkg.packages.store import ArchiveStore
from polpkg.packages.transport.settings import NetworkSettings

url, cache, names = sys.argv[1], Path(sys.argv[2]), sys.argv[3:]
store = ArchiveStore(cache)
print(flush=True)
sys.stdin.readline()
for _ in range(3):
    index = open_index("site", url, trust="none", network=NetworkSettings(cache=cache))
    index.prefetch(names)
    for name in names:
        (release,) = index.releases(name)
        store.path(release.sha256).unlink(missing_ok=True)
        archive = store.obtain(release.sha256, lambda: index.fetch(release), label=str(release))
        assert sha256_of(archive) == release.sha256
"""


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch):
    for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)


def test_processes_share_a_cache(tmp_path):
    names = [f"package-{number}" for number in range(6)]
    for name in names:
        manifest = f'[package]\nname = "{name}"\nversion = "1.0"\n'.encode()
        add_archive(tmp_path / "tree", pack({"polpkg.toml": manifest, "policy/a.te": b"#\n" * 100_000}))
    with MisbehavingServer(tmp_path / "tree") as server:
        words = [sys.executable, "-c", WORKER, server.url, str(tmp_path / "cache"), *names]
        workers = [
            subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            for _ in range(3)
        ]
        for worker in workers:
            worker.stdout.readline()
        ended = [worker.communicate("go\n", timeout=120) for worker in workers]
    assert [worker.returncode for worker in workers] == [0, 0, 0], ended
    assert verify_cache(tmp_path / "cache") == ()
