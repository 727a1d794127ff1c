"""A cache that cannot be written or read costs time, and nothing else; a user without a home directory is told."""

import errno
import os
import pathlib

import pytest


@pytest.fixture
def unwritable(monkeypatch, tmp_path):
    """Whatever is written below the cache finds a full device."""
    opened = pathlib.Path.open

    def full(path, mode="r", *rest, **more):
        if path.is_relative_to(tmp_path / "cache") and mode != "rb":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return opened(path, mode, *rest, **more)

    monkeypatch.setattr(pathlib.Path, "open", full)


def test_a_full_device_does_not_stop_an_install(call, publish, unwritable, tmp_path):
    publish("app", "1.0")
    done = call("install", "app", "vmv", "--index", "site=dist", "--root", "r", "--xen", "4.17")
    assert done.code == 0
    assert done.err.count("warning[cache-unusable]") == 1
    assert "No space left on device" in done.told
    assert not [path for path in (tmp_path / "cache").rglob("*") if path.is_file()]
    assert call("verify", "--index", "site=dist", "--root", "r").code == 0
    assert call("export", "app", "--index", "site=dist", "--bundle", "b.tar").code == 0


def test_a_cache_that_may_not_be_read(call, publish, tmp_path, monkeypatch):
    publish("app", "1.0")
    assert call("export", "app", "--index", "site=dist", "--vendor", "one").code == 0
    read = pathlib.Path.read_bytes

    def denied(path):
        if path.is_relative_to(tmp_path / "cache"):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        return read(path)

    monkeypatch.setattr(pathlib.Path, "read_bytes", denied)
    done = call("export", "app", "--index", "site=dist", "--vendor", "two")
    assert (done.code, done.err.count("warning[cache-unusable]")) == (0, 1)


def test_a_user_without_a_home_directory(call, publish, monkeypatch):
    def nowhere():
        raise RuntimeError("Could not determine home directory.")

    publish("app", "1.0")
    monkeypatch.delenv("POLPKG_CACHE")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(pathlib.Path, "home", nowhere)
    assert call("lock", "app", "--index", "site=dist").code == 0
    for words in (("info", "app", "--index", "site=dist"), ("cache", "info")):
        done = call(*words, "--json")
        assert (done.code, done.document["error"]["code"]) == (2, "no-home")
        assert "POLPKG_CACHE" in done.document["error"]["hint"]
