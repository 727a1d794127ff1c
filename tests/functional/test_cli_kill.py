"""Whole commands are killed at any moment, several at once on one cache: no file is ever wrong, and the next run works.

`POLPKG_KILLS` says how often (four times, unless it does), `POLPKG_KILL_SEED` where chance begins.
"""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
import time

import pytest
from misbehaving import MisbehavingServer

from polpkg.packages.archive import pack
from polpkg.packages.housekeeping import verify_cache
from polpkg.packages.index.building import add_archive

KILLS = int(os.environ.get("POLPKG_KILLS", "4"))
SEED = int(os.environ.get("POLPKG_KILL_SEED", "1"))

LARGE = tuple(f"large-{number}" for number in range(4))
COMMANDS = (
    ("lock", "--project", "changing"),
    ("export", "--project", "locked", "--bundle", "out.tar"),
    ("export", "--project", "locked", "--vendor", "out"),
    ("sync", "--locked", "--project", "locked", "--root", "root", "--xen", "4.17"),
)


@pytest.fixture
def run(tmp_path, monkeypatch):
    """`run("lock")`: starts polpkg in a process of its own."""
    for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("POLPKG_CACHE", str(tmp_path / "cache"))

    def start(*words):
        command = [sys.executable, "-m", "polpkg", *words]
        return subprocess.Popen(
            command, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, start_new_session=True
        )

    return start


def finish(run, *words):
    process = run(*words)
    _, talk = process.communicate()
    assert process.returncode == 0, talk


@pytest.fixture
def site(run, tmp_path):
    """A server with `vmv`, all that it requires, and large archives."""
    finish(run, "export", "vmv", "--vendor", "vendored")
    for archive in (tmp_path / "vendored").iterdir():
        add_archive(tmp_path / "tree", archive.read_bytes())
    for number, name in enumerate(LARGE):
        manifest = f'[package]\nname = "{name}"\nversion = "1.0"\n'.encode()
        content = random.Random(number).randbytes(3_000_000)
        add_archive(tmp_path / "tree", pack({"polpkg.toml": manifest, "docs/large": content}))
    with MisbehavingServer(tmp_path / "tree") as server:
        yield server


def project(server, names):
    lines = ["[packages]", 'vmv = "*"', *(f'{name} = "*"' for name in names)]
    return "\n".join([*lines, "[indexes.site]", f'url = "{server.url}"', 'trust = "none"', ""])


def test_killed_commands_leave_nothing_wrong(run, site, tmp_path):
    chance = random.Random(SEED)
    texts, locks = [project(site, LARGE), project(site, LARGE[:2])], set()
    for folder in ("changing", "locked"):
        (tmp_path / folder).mkdir()
    for text in texts:
        (tmp_path / "locked/policy.toml").write_text(text)
        finish(run, "lock", "--project", "locked")
        locks.add((tmp_path / "locked/policy.lock").read_bytes())
    (tmp_path / "changing/policy.toml").write_text(texts[0])
    finish(run, "lock", "--project", "changing")
    killed, bundles = 0, set()
    while killed < KILLS:
        if chance.random() < 0.6:
            shutil.rmtree(tmp_path / "cache", ignore_errors=True)
        (tmp_path / "changing/policy.toml").write_text(chance.choice(texts))
        killed += kill_at_random(run, chance)
        assert verify_cache(tmp_path / "cache") == ()
        assert (tmp_path / "changing/policy.lock").read_bytes() in locks
        bundles |= {path.read_bytes() for path in tmp_path.glob("*.tar")}
    for words in COMMANDS:
        finish(run, *words)
    finish(run, "lock", "--check", "--project", "changing")
    finish(run, "verify", "--root", "root")
    assert bundles <= {(tmp_path / "out.tar").read_bytes()}


def kill_at_random(run, chance):
    """Run one to three commands at once and kill each; how many had not ended by themselves, which is well."""
    processes = [run(*chance.choice(COMMANDS)) for _ in range(chance.choice((1, 2, 3)))]
    killed = 0
    for process in processes:
        time.sleep(chance.uniform(0.1, 1.2))
        if process.poll() is None:
            process.kill()
            killed += 1
        _, talk = process.communicate()
        assert process.returncode in (-9, 0), talk
    return killed
