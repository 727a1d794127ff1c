from __future__ import annotations

import os
from pathlib import Path

import pytest

from polpkg.errors import PolpkgError, TrustError
from polpkg.packages.source import sha256_of
from polpkg.packages.store import ArchiveStore, DerivedStore, cache_directory, write_atomically


def test_keeps_archives_by_digest(tmp_path):
    store = ArchiveStore(tmp_path)
    assert store.get(sha256_of(b"x")) is None
    assert store.put(b"x") == sha256_of(b"x")
    assert store.get(sha256_of(b"x")) == b"x"
    assert store.path(sha256_of(b"x")) == tmp_path / "store" / "v1" / "sha256" / sha256_of(b"x")


def test_a_damaged_archive_is_named_and_healed(tmp_path):
    store = ArchiveStore(tmp_path)
    digest = store.put(b"x")
    store.path(digest).write_bytes(b"y")
    with pytest.raises(TrustError) as caught:
        store.get(digest)
    assert caught.value.code == "store-corrupt"
    assert str(store.path(digest)) in caught.value.message
    store.put(b"x")
    assert store.get(digest) == b"x"


def test_derived_data(tmp_path):
    store, newer = DerivedStore(tmp_path, "module", "1"), DerivedStore(tmp_path, "module", "2")
    key = sha256_of(b"key")
    assert store.get(key) is None
    store.put(key, b"data")
    assert (store.get(key), newer.get(key)) == (b"data", None)


@pytest.mark.parametrize("damage", [b"", b"short", b"x" * 40])
def test_damaged_derived_data_are_absent(tmp_path, damage):
    store = DerivedStore(tmp_path, "module", "1")
    key = sha256_of(b"key")
    store.put(key, b"data")
    store.path(key).write_bytes(damage)
    assert store.get(key) is None


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o664])
def test_a_file_that_is_replaced_keeps_its_mode(tmp_path, mode):
    path = tmp_path / "policy.toml"
    path.write_bytes(b"old")
    path.chmod(mode)
    write_atomically(path, b"new")
    assert (path.read_bytes(), path.stat().st_mode & 0o777) == (b"new", mode)


def test_derived_data_that_another_could_have_written_are_not_our_own(tmp_path, monkeypatch):
    store = DerivedStore(tmp_path, "module", "1")
    key = sha256_of(b"key")
    assert store.get_own(key) is None
    store.put(key, b"data")
    assert store.get_own(key) == b"data"
    for mode, data in ((0o640, b"data"), (0o660, None), (0o602, None)):
        store.path(key).chmod(mode)
        assert store.get_own(key) == data
    store.path(key).chmod(0o600)
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    assert store.get_own(key) is None


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    path = tmp_path / "file"
    write_atomically(path, b"old")

    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(PolpkgError) as caught:
        write_atomically(path, b"new")
    assert caught.value.code == "cannot-write"
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_where_the_cache_is(monkeypatch):
    monkeypatch.setenv("HOME", "/home/u")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.delenv("POLPKG_CACHE", raising=False)
    assert cache_directory() == Path("/home/u/.cache/polpkg")
    monkeypatch.setenv("XDG_CACHE_HOME", "relative/is/ignored")
    assert cache_directory() == Path("/home/u/.cache/polpkg")
    monkeypatch.setenv("XDG_CACHE_HOME", "/c")
    assert cache_directory() == Path("/c/polpkg")
    monkeypatch.setenv("POLPKG_CACHE", "/own")
    assert cache_directory() == Path("/own")


def test_what_a_killed_process_left_is_cleared_away(tmp_path):
    import fcntl

    dead, alive, new, other = (tmp_path / f".{name}.tmp" for name in ("lock.a", "lock.b", "lock.c", "lock2.d"))
    for path in (dead, alive, new, other):
        path.write_bytes(b"half")
    for path in (dead, alive, other):
        os.utime(path, (0, 0))
    with alive.open("rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        write_atomically(tmp_path / "lock", b"whole")
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(["lock", alive.name, new.name, other.name])


def test_an_interrupted_write_leaves_nothing(tmp_path, monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_atomically(tmp_path / "file", b"new")
    assert list(tmp_path.iterdir()) == []
