"""Changes of an image are killed at any moment: it is what it was, byte for byte, or it has all of the change.

`POLPKG_KILLS` says how often for each kind (six times, unless it does), `POLPKG_KILL_SEED` where chance begins.
"""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
import time
from hashlib import sha256

import pytest
from disk_images import ImageKind, build_image, dirty_journal
from hypervisors import build_hypervisor

KILLS = int(os.environ.get("POLPKG_KILLS", "6"))
SEED = int(os.environ.get("POLPKG_KILL_SEED", "1"))
KINDS = (ImageKind("gpt", 512, "ext4", boot="vfat"), ImageKind("mbr", 512, "ext4"), ImageKind(format="qcow2"))


def digest(path):
    return sha256(path.read_bytes()).hexdigest()


def start(folder, *words):
    environment = {**os.environ, "POLPKG_CACHE": str(folder / "cache"), "SOURCE_DATE_EPOCH": "1700000000"}
    command = [sys.executable, "-m", "polpkg", *map(str, words)]
    return subprocess.Popen(
        command,
        cwd=folder,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )


def finish(folder, *words):
    process = start(folder, *words)
    _, talk = process.communicate()
    assert process.returncode == 0, talk


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_killed_at_any_moment(tmp_path, kind):
    files = {"/boot/xen-4.17-amd64.gz": build_hypervisor("4.17")}
    image = build_image(tmp_path / "before.img", kind, files)
    if kind.table == "mbr":
        dirty_journal(image, "/etc/from-the-journal", b"journal")
    path = tmp_path / "disk.img"
    shutil.copy(image.path, path)
    words = ("install", "vmv", "--image", path)
    begun = time.monotonic()
    finish(tmp_path, *words)
    took = time.monotonic() - begun
    states = {digest(image.path): "before", digest(path): "after"}
    chance = random.Random(SEED)
    seen = set()
    for _ in range(KILLS):
        shutil.copy(image.path, path)
        process = start(tmp_path, *words)
        time.sleep(chance.uniform(took * 0.2, took))
        process.kill()
        process.communicate()
        assert digest(path) in states
        seen.add(states[digest(path)])
        finish(tmp_path, *words)
        assert states[digest(path)] == "after"
        assert [each.name for each in tmp_path.iterdir() if each.name.endswith(".polpkg-new")] == []
    assert "before" in seen
    image._replace(path=path).fsck()
