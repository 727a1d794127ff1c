from __future__ import annotations

import os

import pytest

from polpkg.errors import NetworkError, TrustError
from polpkg.packages.housekeeping import cache_info, prune_cache, verify_cache
from polpkg.packages.source import sha256_of
from polpkg.packages.store import ArchiveStore, DerivedStore
from polpkg.packages.transport.cache import CachedFile, HttpCache

NOW = 1_800_000_000.0
DAY = 86400.0


@pytest.fixture
def store(tmp_path):
    return ArchiveStore(tmp_path)


def never():
    raise AssertionError


def test_an_archive_is_fetched_once(store):
    digest = sha256_of(b"x")
    assert store.obtain(digest, lambda: b"x", label="demo 1.0") == b"x"
    assert store.obtain(digest, never, label="demo 1.0") == b"x"


def test_a_damaged_archive_heals(store):
    digest = store.put(b"x")
    store.path(digest).write_bytes(b"y")
    assert store.obtain(digest, lambda: b"x", label="demo 1.0") == b"x"
    assert store.get(digest) == b"x"


def test_a_damaged_archive_that_cannot_heal_is_named(store):
    digest = store.put(b"x")
    store.path(digest).write_bytes(b"y")

    def offline():
        raise NetworkError("offline", "the network is not to be used")

    with pytest.raises(TrustError) as caught:
        store.obtain(digest, offline, label="demo 1.0")
    assert caught.value.code == "store-corrupt"
    assert str(store.path(digest)) in caught.value.message
    assert "network" in caught.value.message


def test_another_archive_is_not_kept(store):
    digest = sha256_of(b"x")
    with pytest.raises(TrustError) as caught:
        store.obtain(digest, lambda: b"z", label="demo 1.0")
    assert caught.value.code == "digest-mismatch"
    assert not store.path(digest).exists()
    assert store.get(sha256_of(b"z")) is None


@pytest.fixture
def cache(tmp_path, store):
    """One entry of each kind, a day old, and what a killed process left."""
    store.put(b"archive")
    store.partial_path("0" * 64).parent.mkdir()
    store.partial_path("0" * 64).write_bytes(b"\nhalf")
    store.path(".0.tmp").write_bytes(b"left over")
    HttpCache(tmp_path, "https://host/").keep("index/a.jsonl", CachedFile(b"entry"))
    DerivedStore(tmp_path, "module", "1").put("ab" * 32, b"derived")
    for path in tmp_path.rglob("*"):
        os.utime(path, (NOW - DAY, NOW - DAY))
    return tmp_path


def test_what_is_in_the_cache(cache):
    sections = {section.name: section for section in cache_info(cache)}
    assert {name: section.entries for name, section in sections.items()} == {
        "archives": 2,
        "partial": 1,
        "indexes": 1,
        "derived": 1,
    }
    assert sections["partial"].size == 5
    assert sections["archives"].oldest == sections["archives"].newest == NOW - DAY


def test_an_empty_cache(tmp_path):
    assert {(section.entries, section.size, section.oldest) for section in cache_info(tmp_path / "none")} == {(0, 0, 0)}
    assert prune_cache(tmp_path / "none", now=NOW) == (0, 0)
    assert verify_cache(tmp_path / "none") == ()


def test_pruning_removes_what_is_old_and_not_locked(cache, store):
    assert prune_cache(cache, now=NOW, unused_for=2 * DAY).files == 0
    counted = prune_cache(cache, now=NOW, keep={sha256_of(b"archive")}, dry_run=True)
    assert counted == prune_cache(cache, now=NOW, keep={sha256_of(b"archive")})
    assert counted.files == 4
    assert store.get(sha256_of(b"archive")) == b"archive"
    assert prune_cache(cache, now=NOW).files == 1


def test_pruning_leaves_alone_what_is_being_written(cache, store):
    os.utime(store.partial_path("0" * 64), (NOW - 60, NOW - 60))
    prune_cache(cache, now=NOW)
    assert store.partial_path("0" * 64).exists()
    assert not store.path(".0.tmp").exists()


def test_damaged_entries_are_found_and_removed(cache, store):
    assert verify_cache(cache) == ()
    files = [path for path in cache.rglob("*") if path.is_file() and "partial" not in path.parts]
    for path in files:
        path.write_bytes(path.read_bytes() + b"!")
    found = verify_cache(cache, remove=True)
    assert [damaged.section for damaged in found] == ["archives", "indexes", "derived"]
    assert not any(damaged.path.exists() for damaged in found)
    assert verify_cache(cache) == ()
