"""The parts of the transport that need no network."""

from __future__ import annotations

import asyncio
import gc
import os
import sys
import threading
import warnings
from email.utils import formatdate
from types import ModuleType, SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from polpkg.errors import PolicyError, PolpkgError, TrustError, UsageError
from polpkg.packages.project import read_project
from polpkg.packages.transport.background import Background
from polpkg.packages.transport.cache import CachedFile, HttpCache, read_cached
from polpkg.packages.transport.credentials import Credentials, credentials_path, find_credentials
from polpkg.packages.transport.partial import Partial
from polpkg.packages.transport.retry import RetryPolicy, read_retry_after
from polpkg.packages.transport.urls import is_below, server_of, what_is_wrong, without_credentials

URL = "https://host.example/tree"


# URLs


@pytest.mark.parametrize(
    ("url", "wrong"),
    [
        (URL, ""),
        ("http://[::1]:8000/x", ""),
        ("https://user@host/x", "user name"),
        ("https://user:pass@host/x", "password"),
        ("https://:pass@host/x", "password"),
        ("https://host/x?token=1", "query"),
        ("https://host/x#f", "fragment"),
        ("https://", "no server"),
        ("https://host:port/", "no server"),
        ("https://[::1/", "no server"),
        ("ftp://host/", "no server"),
    ],
)
def test_which_urls_are_refused(url, wrong):
    assert wrong in what_is_wrong(url)
    assert bool(what_is_wrong(url)) == bool(wrong)


def test_credentials_do_not_show():
    assert without_credentials("https://u:p@host:8/x?token=1#f") == "https://host:8/x"
    assert "secret" not in without_credentials("https://u:secret@[::1/x")


def test_the_same_server():
    assert server_of("https://HOST/x") == server_of("https://host:443")
    assert server_of("https://host") != server_of("http://host")
    assert is_below("https://host:443/a/b", "https://host/a/")
    assert is_below("https://host/a", "https://host/a")
    assert not is_below("https://host/ab", "https://host/a")
    assert not is_below("https://host.evil/a", "https://host/a")


@pytest.mark.parametrize(
    "text", ['[indexes.site]\nurl = "https://u:secret@h/x"', '[indexes]\nsite = {url = "https://u:secret@h", odd = 1}']
)
def test_credentials_in_policy_toml_are_refused_and_not_shown(text):
    with pytest.raises(PolicyError) as caught:
        read_project(text)
    assert "project-bad-url" in [found.code for found in caught.value.diagnostics]
    assert "secret" not in repr(caught.value.diagnostics)
    assert any("keyring" in found.hint for found in caught.value.diagnostics)


def test_policy_toml_names_a_ca_file():
    setting = read_project(f'[indexes.site]\nurl = "{URL}"\ntrust = "none"\nca-file = "our.pem"').indexes["site"]
    assert setting.ca_file == "our.pem"


# Retries


@given(st.integers(1, 20), st.floats(0, 0.999), st.one_of(st.none(), st.floats(0, 1e6)))
def test_waits_are_bounded(failed, chance, asked):
    policy = RetryPolicy()
    wait = policy.wait(failed, asked, chance)
    if failed >= policy.attempts or (asked or 0) > policy.longest_asked:
        assert wait is None
    else:
        assert (asked or 0) <= wait <= max(policy.longest, asked or 0)


def test_waits_double_and_vary():
    policy = RetryPolicy(attempts=10)
    assert [policy.wait(n, None, 0) for n in range(1, 7)] == [0.125, 0.25, 0.5, 1.0, 2.0, 2.0]
    assert policy.wait(1, None, 0.999) > policy.wait(1, None, 0.1)


@given(st.text())
def test_any_retry_after_can_be_read(value):
    assert (read_retry_after(value, 0.0) or 0.0) >= 0


def test_a_retry_after_in_seconds_or_as_a_date():
    assert read_retry_after(" 12 ", 0) == 12
    assert read_retry_after(formatdate(1000, usegmt=True), 990) == 10
    assert read_retry_after(formatdate(1000, usegmt=True), 2000) == 0


# The cache


@settings(deadline=None)
@given(st.binary(), st.integers(0, 400), st.integers(1, 255))
def test_a_damaged_cache_file_is_missing(tmp_path_factory, body, at, change):
    cache = HttpCache(tmp_path_factory.mktemp("cache"), URL)
    kept = CachedFile(body, '"e"', "yesterday")
    cache.keep("index/a.jsonl", kept)
    assert cache.load("index/a.jsonl") == kept
    stored = bytearray(cache.path("index/a.jsonl").read_bytes())
    stored[at % len(stored)] ^= change
    assert read_cached(bytes(stored)) is None


def test_a_cache_that_cannot_be_written_does_no_harm(tmp_path):
    (tmp_path / "index").write_text("a file where a directory should be")
    HttpCache(tmp_path, URL).keep("x", CachedFile(b""))
    assert HttpCache(tmp_path, URL).load("x") is None


# Credentials


@pytest.fixture
def home(tmp_path, monkeypatch):
    """An environment with a credentials file, and without a keyring."""
    monkeypatch.setitem(sys.modules, "keyring", None)
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    path = tmp_path / "polpkg" / "credentials.toml"
    path.parent.mkdir()

    def write(text, mode=0o600):
        path.write_text(text)
        path.chmod(mode)
        return {"XDG_CONFIG_HOME": str(tmp_path)}

    return write


def test_there_may_be_none(tmp_path, home):
    assert find_credentials("site", URL, {"XDG_CONFIG_HOME": str(tmp_path)}) is None


def test_where_the_file_is(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", "/home/u")
    assert str(credentials_path({})) == "/home/u/.config/polpkg/credentials.toml"
    assert str(credentials_path({"XDG_CONFIG_HOME": "/c"})) == "/c/polpkg/credentials.toml"
    assert str(credentials_path({"POLPKG_CREDENTIALS": "/own"})) == "/own"


def test_the_environment_goes_before_the_file(home):
    environment = home(f'[site]\nurl = "{URL}"\ntoken = "of-the-file"')
    assert find_credentials("site", URL, environment).header == "Bearer of-the-file"
    environment["POLPKG_INDEX_SITE_TOKEN"] = "of-the-environment"
    assert find_credentials("site", URL, environment).header == "Bearer of-the-environment"
    assert find_credentials("other", URL, environment) is None


def test_user_and_password_of_the_file(home):
    environment = home(f'[site]\nurl = "{URL}"\nusername = "ü"\npassword = "p"')
    assert find_credentials("site", URL, environment).header == "Basic w7w6cA=="


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o660])
def test_a_file_that_others_can_read_is_refused(home, mode):
    with pytest.raises(TrustError) as caught:
        find_credentials("site", URL, home("", mode))
    assert caught.value.code == "credentials-exposed"
    assert "chmod 600" in caught.value.hint


@pytest.mark.parametrize(
    "place", ["https://other.example/tree", "http://host.example/tree", "https://host.example/other"]
)
def test_credentials_go_nowhere_else(home, place):
    with pytest.raises(TrustError) as caught:
        find_credentials("site", URL, home(f'[site]\nurl = "{place}"\ntoken = "secret"'))
    assert caught.value.code == "credentials-for-another-url"


@pytest.mark.parametrize(
    "text", ["token = secret", '[site]\ntoken = "secret"\n', f'[site]\nurl = "{URL}"\nsecret = "x"', "\xff"]
)
def test_a_file_that_is_wrong_is_not_quoted(home, text):
    with pytest.raises(PolpkgError) as caught:
        find_credentials("site", URL, home(text) if text != "\xff" else _latin(home))
    assert all(not found.excerpt for found in caught.value.diagnostics)


def _latin(home):
    environment = home("")
    credentials_path(environment).write_bytes(b"\xff")
    return environment


@pytest.mark.parametrize("name", ["TOKEN", "USERNAME", "PASSWORD"])
def test_what_no_header_can_hold(home, name):
    with pytest.raises(UsageError):
        find_credentials("site", URL, {**home(""), f"POLPKG_INDEX_SITE_{name}": "a\r\nX-Other: b"})


def test_credentials_are_never_shown():
    assert "secret" not in repr(Credentials(token="secret", username="secret", password="secret"))


@pytest.mark.parametrize(
    ("username", "header"), [("token", "Bearer secret"), ("", "Bearer secret"), ("u", "Basic dTpzZWNyZXQ=")]
)
def test_the_keyring_comes_last(tmp_path, monkeypatch, username, header):
    asked = []

    def get_credential(service, user):
        asked.append((service, user))
        return SimpleNamespace(username=username, password="secret")

    install_keyring(monkeypatch, get_credential)
    environment = {"XDG_CONFIG_HOME": str(tmp_path)}
    assert find_credentials("site", URL, environment).header == header
    assert asked == [("polpkg:https://host.example:443", None)]
    find_credentials("site", URL, {**environment, "POLPKG_INDEX_SITE_TOKEN": "t"})
    assert len(asked) == 1


def test_a_keyring_that_is_locked_or_empty_has_none(tmp_path, monkeypatch):
    def fail(*_):
        raise sys.modules["keyring.errors"].KeyringError

    for get_credential in (fail, lambda *_: None):
        install_keyring(monkeypatch, get_credential)
        assert find_credentials("site", URL, {"XDG_CONFIG_HOME": str(tmp_path)}) is None


def install_keyring(monkeypatch, get_credential):
    keyring, errors = ModuleType("keyring"), ModuleType("keyring.errors")
    keyring.get_credential, keyring.__spec__ = get_credential, SimpleNamespace(name="keyring")
    errors.KeyringError = type("KeyringError", (Exception,), {})
    monkeypatch.setitem(sys.modules, "keyring", keyring)
    monkeypatch.setitem(sys.modules, "keyring.errors", errors)


def test_only_root_may_read_what_is_not_its_own(home, monkeypatch):
    environment = home("")
    monkeypatch.setattr(os, "geteuid", lambda: 12345)
    with pytest.raises(TrustError):
        find_credentials("site", URL, environment)


# archives on their way


@pytest.mark.parametrize("room", [0, 5, 20])
def test_a_partial_file_on_a_full_device_goes_on_in_memory(tmp_path, room):
    path = tmp_path / "partial" / "x"
    with Partial(path) as partial:
        partial.restart('"v"')
        partial.append(b"first ")
        partial._file = full_after(partial._file, room)
        partial.append(b"second and ")
        partial.append(b"third")
        assert (partial.content(), partial.size) == (b"first second and third", 22)
        partial.restart("")
        assert (partial.content(), partial.size) == (b"", 0)
        partial.remove()
    assert not path.exists()


def full_after(file, room):
    """`file`, which takes `room` bytes more."""
    write, left = file.write, [room]

    def limited(data):
        taken = bytes(data[: left[0]])
        left[0] -= len(taken)
        if not taken:
            raise OSError(28, "No space left on device")
        return write(taken)

    return SimpleNamespace(
        **{name: getattr(file, name) for name in ("seek", "read", "close", "truncate")}, write=limited
    )


# the event loop


def test_work_that_is_given_up_leaves_nothing_behind():
    loop, begun = Background(), threading.Event()

    async def outer():
        begun.set()
        threading.Event().wait(
            0.2
        )  # in which the loop is told to stop, and that turn comes before the first of the inner task
        await asyncio.sleep(0)
        inner = asyncio.get_running_loop().create_task(late(unawaited()))
        try:
            await asyncio.sleep(60)
        finally:
            assert await inner

    async def late(work):
        return await work

    async def unawaited():
        return True

    under_way = loop.start(outer())
    begun.wait(10)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        loop.stop()
        gc.collect()
    assert under_way.cancelled()
    assert [str(each.message) for each in caught] == []
