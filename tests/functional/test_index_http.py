"""Indexes over http, and a server that does everything wrong."""

from __future__ import annotations

import json
import threading
from email.utils import formatdate
from types import SimpleNamespace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from misbehaving import Fault, MisbehavingServer

from polpkg.errors import NetworkError, PolpkgError, TrustError, UsageError
from polpkg.packages.archive import pack
from polpkg.packages.index.building import add_archive
from polpkg.packages.index.catalog import Catalog
from polpkg.packages.index.opening import open_index
from polpkg.packages.source import sha256_of
from polpkg.packages.store import ArchiveStore
from polpkg.packages.transport.retry import Clock, RetryPolicy
from polpkg.packages.transport.settings import NetworkSettings, Timeouts

NOW = 1_800_000_000.0
DEMO = "index/demo.jsonl"
FAST = Timeouts(connect=5.0, read=0.3, body=0.3, slowest=1e9)


def archive_of(name="demo", version="1.0", more="", padding=0):
    manifest = f'[package]\nname = "{name}"\nversion = "{version}"\n{more}'
    return pack({"polpkg.toml": manifest.encode(), "policy/a.te": b"# " + bytes(range(32, 127)) * padding + b"\n"})


ARCHIVE = archive_of(padding=3000)
BLOB = f"blobs/sha256/{sha256_of(ARCHIVE)}"


@pytest.fixture(autouse=True)
def no_surroundings(monkeypatch, tmp_path):
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "SSL_CERT_FILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("POLPKG_CREDENTIALS", str(tmp_path / "credentials.toml"))


@pytest.fixture
def folder(tmp_path):
    """A tree with `demo 1.0`."""
    add_archive(tmp_path / "tree", ARCHIVE)
    return tmp_path / "tree"


@pytest.fixture
def server(folder):
    with MisbehavingServer(folder) as found:
        yield found


@pytest.fixture
def site(server, tmp_path):
    """Opens the index of the server; what is waited for is noted, not waited for."""
    waits, told = [], []

    async def sleep(seconds):
        waits.append(seconds)

    def open_site(url="", *, name="site", ca_file="", **settings):
        clock = Clock(now=lambda: NOW, sleep=sleep, random=lambda: 0.5)
        network = NetworkSettings(
            cache=tmp_path / "cache", clock=clock, progress=lambda *seen: told.append(seen), **settings
        )
        return open_index(name, url or server.url, trust="none", ca_file=ca_file, network=network)

    return SimpleNamespace(open=open_site, waits=waits, told=told, store=ArchiveStore(tmp_path / "cache"))


def fetched(index):
    (release,) = index.releases("demo")
    return index.fetch(release)


# What works


def test_a_tree_over_http(site):
    index = site.open()
    assert fetched(index) == ARCHIVE
    assert index.names() == ("demo",)
    assert index.releases("missing") == ()


def test_every_file_is_asked_for_once(site, server):
    index = site.open()
    for _ in range(3):
        index.prefetch(["demo", "missing"])
        index.releases("demo")
        index.releases("missing")
    assert sorted(asked.path for asked in server.requests) == ["config.json", DEMO, "index/missing.jsonl"]


def test_an_unchanged_file_is_not_sent_again(site, server):
    site.open().releases("demo")
    again = site.open().releases("demo")
    assert [release.version for release in again] == ["1.0"]
    assert "if-none-match" not in server.asked(DEMO)[0].headers
    assert server.asked(DEMO)[1].headers["if-none-match"]
    assert server.asked(DEMO)[1].headers["if-modified-since"]


def test_a_changed_file_is_sent_again(site, folder):
    site.open().releases("demo")
    add_archive(folder, archive_of(version="1.1"))
    assert [release.version for release in site.open().releases("demo")] == ["1.0", "1.1"]


def test_a_package_that_comes_later_is_found(site, folder):
    assert site.open().releases("other") == ()
    add_archive(folder, archive_of("other"))
    assert len(site.open().releases("other")) == 1


def test_a_damaged_cache_is_no_cache(site, server, tmp_path):
    site.open().releases("demo")
    for file in (tmp_path / "cache" / "index").rglob("*.json*"):
        file.write_bytes(file.read_bytes()[:-3])
    assert len(site.open().releases("demo")) == 1
    assert "if-none-match" not in server.asked(DEMO)[1].headers


def test_the_cache_says_what_it_holds(site, server, tmp_path):
    site.open().releases("demo")
    (file,) = (tmp_path / "cache" / "index" / "v1" / sha256_of(server.url.encode())).rglob("demo.jsonl")
    head = json.loads(file.read_bytes().split(b"\n")[1])
    assert head["url"] == f"{server.url}/{DEMO}"
    assert not head["absent"]


def test_packages_are_asked_for_in_parallel(site, folder, server):
    """Every request but that for config.json is held back until all of them have come."""
    names = [f"pkg-{number}" for number in range(8)]
    for name in names:
        add_archive(folder, archive_of(name))
    everybody = threading.Barrier(len(names), timeout=20)
    for name in names:
        server.plan(f"index/{name}.jsonl", Fault(before=everybody.wait))
    catalog = Catalog([site.open()])
    catalog.prefetch(names)
    assert all(catalog.releases(name) for name in names)


def test_the_body_of_what_is_not_there_does_not_matter(site, server):
    server.always("index/missing.jsonl", Fault(cut=3))
    assert site.open().releases("missing") == ()
    assert len(server.asked("index/missing.jsonl")) == 1


def test_progress_is_told(site):
    fetched(site.open())
    assert {(label, total) for label, _, total in site.told} == {("demo 1.0", len(ARCHIVE))}
    assert [done for _, done, _ in site.told] == sorted(done for _, done, _ in site.told)
    assert site.told[-1][1] == len(ARCHIVE)


# Offline


def test_offline_works_from_the_cache(site, server):
    site.open().releases("demo")
    site.open().releases("missing")
    before = len(server.requests)
    index = site.open(offline=True)
    assert len(index.releases("demo")) == 1
    assert index.releases("missing") == ()
    assert len(server.requests) == before


def test_offline_names_what_is_missing(site, server):
    site.open().releases("demo")
    index = site.open(offline=True)
    with pytest.raises(NetworkError) as caught:
        index.releases("other")
    assert caught.value.code == "offline"
    assert "index/other.jsonl" in caught.value.message
    with pytest.raises(NetworkError) as caught:
        fetched(index)
    assert "demo 1.0" in caught.value.message
    assert index.names() == ()
    assert [a.path for a in server.requests] == ["config.json", DEMO]


# What may pass is tried again, what cannot is not


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_a_status_that_may_pass(site, server, status):
    server.plan(DEMO, Fault(status=status), Fault(status=status))
    assert len(site.open().releases("demo")) == 1
    assert site.waits == [0.1875, 0.375]


@pytest.mark.parametrize("fault", [Fault(cut=20), Fault(refuse=True), Fault(silent=True), Fault(length=10_000)])
def test_an_answer_that_breaks_off(site, server, fault):
    server.plan(DEMO, fault)
    assert len(site.open(timeouts=FAST).releases("demo")) == 1
    assert len(site.waits) == 1


@pytest.mark.parametrize("fault", [Fault(status=503), Fault(cut=20), Fault(refuse=True)])
def test_it_is_given_up_in_the_end(site, server, fault):
    server.always(DEMO, fault)
    with pytest.raises(NetworkError) as caught:
        site.open().releases("demo")
    assert caught.value.code == "index-unreachable"
    assert "demo.jsonl" in caught.value.message
    assert "4 times" in caught.value.message
    assert len(server.asked(DEMO)) == 4


def test_the_server_says_how_long_to_wait(site, server):
    later = formatdate(NOW + 7, usegmt=True)
    server.plan(
        DEMO, Fault(status=429, headers={"Retry-After": "3"}), Fault(status=503, headers={"Retry-After": later})
    )
    assert len(site.open().releases("demo")) == 1
    assert site.waits == [3.0, 7.0]


@pytest.mark.parametrize("value", ["86400", "9" * 400, formatdate(NOW + 86400, usegmt=True)])
def test_nobody_waits_for_a_day(site, server, value):
    server.always(DEMO, Fault(status=503, headers={"Retry-After": value}))
    with pytest.raises(NetworkError) as caught:
        site.open().releases("demo")
    assert "asks to wait" in caught.value.message
    assert site.waits == []


@pytest.mark.parametrize("value", ["soon", "-5", "1.5", formatdate(NOW - 86400, usegmt=True), ""])
def test_a_useless_retry_after_is_ignored(site, server, value):
    server.plan(DEMO, Fault(status=503, headers={"Retry-After": value}))
    assert len(site.open().releases("demo")) == 1
    assert site.waits == [0.1875]


@pytest.mark.parametrize("status", [400, 405, 418, 505, 206, 304, 302])
def test_a_status_that_cannot_pass(site, server, status):
    server.always(DEMO, Fault(status=status))
    with pytest.raises(NetworkError):
        site.open().releases("demo")
    assert len(server.asked(DEMO)) == 1


@pytest.mark.parametrize("status", [401, 403])
def test_a_refusal_is_final_and_stops_everything(site, server, status):
    server.always(DEMO, Fault(status=status))
    index = site.open()
    with pytest.raises(TrustError) as caught:
        index.releases("demo")
    assert caught.value.code == "access-refused"
    assert "POLPKG_INDEX_SITE_TOKEN" in caught.value.hint
    with pytest.raises(TrustError):
        index.releases("other")
    assert [asked.path for asked in server.requests if asked.path != "config.json"] == [DEMO]


def test_an_unreachable_index_is_given_up_once(site, folder):
    with MisbehavingServer(folder) as gone:
        url = gone.url
    index = site.open(url)
    for name in ("demo", "other"):
        with pytest.raises(NetworkError) as caught:
            index.releases(name)
        assert caught.value.code == "index-unreachable"
    assert len(site.waits) <= 6


@pytest.mark.parametrize(("status", "error"), [(401, TrustError), (403, TrustError), (503, NetworkError)])
def test_no_other_index_is_asked_instead(site, server, tmp_path, status, error):
    add_archive(tmp_path / "second", archive_of())
    server.always("*", Fault(status=status))
    catalog = Catalog([site.open(), open_index("second", str(tmp_path / "second"))])
    with pytest.raises(error):
        catalog.releases("demo")


# What is not what it must be


def test_a_body_that_is_too_large_is_not_read(site, server):
    server.always("config.json", Fault(length=1 << 40))
    with pytest.raises(TrustError) as caught:
        site.open().releases("demo")
    assert caught.value.code == "index-too-large"


def test_a_body_that_turns_out_too_large_is_not_read_on(site, server):
    server.always("config.json", Fault(body=b" " * (1 << 17), headers={"Content-Length": None}))
    with pytest.raises(TrustError) as caught:
        site.open().releases("demo")
    assert caught.value.code == "index-too-large"


@pytest.mark.parametrize("kind", ["text/html", "image/png", None])
def test_the_content_type_does_not_matter(site, server, kind):
    server.always(DEMO, Fault(headers={"Content-Type": kind}))
    assert len(site.open().releases("demo")) == 1


@pytest.mark.parametrize("path", [DEMO, "config.json", BLOB])
def test_a_web_page_is_recognised(site, server, path):
    page = b"\n<!DOCTYPE html><title>Log in</title>"
    server.always(path, Fault(body=page + b" " * (len(ARCHIVE) - len(page)) if path == BLOB else page))
    with pytest.raises(NetworkError) as caught:
        fetched(site.open())
    assert caught.value.code == "web-page"
    assert caught.value.hint


@pytest.mark.parametrize("body", [b'{"name": "demo", "version": "\xff"}', b"{", b"[1]", b"\x00\x01", b"{}"])
def test_what_is_no_entry_is_refused_with_its_place(site, server, body):
    server.always(DEMO, Fault(body=b"\n" + body + b"\n"))
    with pytest.raises(TrustError) as caught:
        site.open().releases("demo")
    assert caught.value.origin.file == f"{server.url}/{DEMO}"
    assert caught.value.origin.line == 2


# Redirects


def test_a_redirect_is_followed(site, server):
    server.plan(DEMO, Fault(status=302, headers={"Location": f"{server.url}/{DEMO}?again"}))
    server.always(f"{DEMO}?again", Fault(status=200, body=server.folder.joinpath(DEMO).read_bytes()))
    assert len(site.open().releases("demo")) == 1


def test_a_loop_of_redirects_ends(site, server):
    server.always(DEMO, Fault(status=301, headers={"Location": f"/tree/{DEMO}"}))
    with pytest.raises(NetworkError) as caught:
        site.open().releases("demo")
    assert caught.value.code == "too-many-redirects"
    assert len(server.asked(DEMO)) == 6


@pytest.mark.parametrize("location", ["ftp://x/y", "file:///etc/passwd", "http://u:p@host/", "http://[", None])
def test_a_redirect_to_nowhere(site, server, location):
    server.always(DEMO, Fault(status=301, headers={"Location": location}))
    with pytest.raises(NetworkError) as caught:
        site.open().releases("demo")
    assert caught.value.code == "bad-redirect"


def test_credentials_stay_with_their_server(site, server, folder, monkeypatch):
    monkeypatch.setenv("POLPKG_INDEX_SITE_TOKEN", "secret-token")
    with MisbehavingServer(folder) as other:
        server.always(DEMO, Fault(status=307, headers={"Location": f"{other.url}/{DEMO}"}))
        assert len(site.open().releases("demo")) == 1
        assert server.asked(DEMO)[0].headers["authorization"] == "Bearer secret-token"
        assert "authorization" not in other.asked(DEMO)[0].headers


# Credentials


def test_user_and_password(site, server, monkeypatch):
    monkeypatch.setenv("POLPKG_INDEX_MY_SITE_USERNAME", "user")
    monkeypatch.setenv("POLPKG_INDEX_MY_SITE_PASSWORD", "pass")
    site.open(name="my-site").releases("demo")
    assert server.asked(DEMO)[0].headers["authorization"] == "Basic dXNlcjpwYXNz"


@pytest.mark.parametrize("status", [401, 503, 404])
def test_a_token_never_shows(site, server, monkeypatch, status):
    monkeypatch.setenv("POLPKG_INDEX_SITE_TOKEN", "secret-token")
    server.always("*", Fault(status=status))
    with pytest.raises(PolpkgError) as caught:
        site.open().releases("demo")
    error = caught.value
    while error is not None:
        assert "secret" not in f"{error!r} {error} {getattr(error, 'hint', '')}"
        error = error.__cause__ or error.__context__


def test_a_token_that_no_header_can_hold(site, monkeypatch):
    monkeypatch.setenv("POLPKG_INDEX_SITE_TOKEN", "secret\ntoken")
    with pytest.raises(UsageError) as caught:
        site.open().releases("demo")
    assert "secret" not in caught.value.message


def test_a_url_with_credentials_is_refused(site, server):
    with pytest.raises(UsageError) as caught:
        site.open(server.url.replace("127", "user:secret@127"))
    assert caught.value.code == "bad-index-url"
    assert "secret" not in str(caught.value.diagnostics)


# Whatever a server does


FAULTS = st.lists(
    st.one_of(
        st.builds(Fault, status=st.sampled_from([200, 204, 206, 304, 404, 429, 500, 503])),
        st.builds(Fault, cut=st.integers(0, 400)),
        st.builds(Fault, flip=st.integers(0, 10**6)),
        st.builds(Fault, length=st.integers(0, 10**6)),
        st.builds(Fault, body=st.binary(max_size=50), no_validators=st.booleans()),
        st.builds(Fault, no_range=st.just(True)),
        st.builds(Fault, wrong_range=st.just(True), cut=st.integers(0, 100_000)),
        st.builds(Fault, headers=st.just({"Content-Range": "bytes 7-8/9"}), status=st.just(206)),
        st.builds(Fault, headers=st.just({"Content-Encoding": "gzip"})),
    ),
    max_size=4,
)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(entries=FAULTS, blobs=FAULTS)
def test_the_answer_is_right_or_an_error(site, server, entries, blobs):
    """What lies in the cache from the examples before makes it no easier."""
    server.plan(DEMO, *entries)
    server.plan(BLOB, *blobs)
    assert outcome(site.open(timeouts=FAST)) in ([], [ARCHIVE], 4, 7)
    server.forget()


def outcome(index):
    try:
        return [index.fetch(release) for release in index.releases("demo")]
    except PolpkgError as error:
        return error.exit_code


# Archives


@pytest.mark.parametrize("at", [1, 50_000, len(ARCHIVE) - 1])
def test_a_download_goes_on_where_it_broke_off(site, server, at):
    server.plan(BLOB, Fault(cut=at))
    assert fetched(site.open()) == ARCHIVE
    second = server.asked(BLOB)[1].headers
    assert 0 < int(second["range"].removeprefix("bytes=").removesuffix("-")) <= at
    assert second["if-range"].startswith('"')


def test_another_run_goes_on_where_the_first_gave_up(site, server):
    server.always(BLOB, Fault(cut=60_000))
    with pytest.raises(NetworkError):
        fetched(site.open(retries=RetryPolicy(attempts=1)))
    server.always(BLOB, None)
    assert fetched(site.open()) == ARCHIVE
    assert server.asked(BLOB)[-1].headers["range"] != "bytes=0-"
    assert not site.store.partial_path(sha256_of(ARCHIVE)).exists()


def test_progress_counts_as_no_failure(site, server):
    """A line that breaks every 70,000 bytes brings a large archive all the same."""
    server.plan(BLOB, *[Fault(cut=70_000)] * 3)
    assert fetched(site.open(retries=RetryPolicy(attempts=2))) == ARCHIVE


@pytest.mark.parametrize("fault", [Fault(no_range=True), Fault(wrong_range=True), Fault(status=416)])
def test_a_server_that_cannot_resume(site, server, fault):
    server.plan(BLOB, Fault(cut=1000), fault)
    assert fetched(site.open()) == ARCHIVE


def test_without_validators_the_digest_decides(site, server):
    server.plan(BLOB, Fault(cut=1000, no_validators=True), Fault(no_validators=True))
    assert fetched(site.open()) == ARCHIVE
    assert "if-range" not in server.asked(BLOB)[1].headers


def test_a_wrong_partial_file_is_thrown_away(site, server):
    partial = site.store.partial_path(sha256_of(ARCHIVE))
    partial.parent.mkdir(parents=True)
    partial.write_bytes(b"\n" + b"x" * 1000)
    assert fetched(site.open()) == ARCHIVE
    assert [asked.headers.get("range") for asked in server.asked(BLOB)] == ["bytes=1000-", None]


@pytest.mark.parametrize("left", [b"", b"no line end", b"\xff\n", b'"etag"\n', b"\n" + bytes(10**6), b"\n" + ARCHIVE])
def test_whatever_a_killed_process_left(site, left):
    partial = site.store.partial_path(sha256_of(ARCHIVE))
    partial.parent.mkdir(parents=True)
    partial.write_bytes(left)
    assert fetched(site.open()) == ARCHIVE


def test_an_archive_that_another_process_is_fetching(site):
    from polpkg.packages.transport.partial import Partial

    with Partial(site.store.partial_path(sha256_of(ARCHIVE))) as other:
        other.append(b"theirs")
        assert fetched(site.open()) == ARCHIVE
        assert other.content() == b"theirs"
        assert site.store.partial_path(sha256_of(ARCHIVE)).exists()


def test_a_flipped_bit_is_final(site, server):
    server.always(BLOB, Fault(flip=5000))
    with pytest.raises(TrustError) as caught:
        fetched(site.open())
    assert caught.value.code == "digest-mismatch"
    assert len(server.asked(BLOB)) == 1
    assert not site.store.partial_path(sha256_of(ARCHIVE)).exists()


@pytest.mark.parametrize("fault", [Fault(body=ARCHIVE[:-1]), Fault(body=ARCHIVE + b"x"), Fault(length=5)])
def test_an_archive_of_another_length(site, server, fault):
    server.always(BLOB, fault)
    with pytest.raises(TrustError) as caught:
        fetched(site.open())
    assert caught.value.code == "wrong-length"
    assert len(server.asked(BLOB)) == 1


def test_an_archive_without_end(site, server):
    server.always(BLOB, Fault(body=ARCHIVE + ARCHIVE, headers={"Content-Length": None}))
    with pytest.raises(TrustError) as caught:
        fetched(site.open())
    assert caught.value.code == "index-too-large"


def test_an_archive_that_is_not_there(site, folder):
    (folder / BLOB).unlink()
    with pytest.raises(TrustError) as caught:
        fetched(site.open())
    assert caught.value.code == "blob-missing"


@pytest.mark.parametrize("path", [DEMO, BLOB])
def test_an_answer_that_drips_is_cut_short(site, server, path):
    """Every byte comes within the time for a read, and all of them would take hours."""
    server.plan(path, Fault(drip=True))
    assert fetched(site.open(timeouts=FAST)) == ARCHIVE
    assert len(server.asked(path)) == 2


@pytest.mark.parametrize("path", [DEMO, BLOB])
def test_a_server_that_never_answers(site, server, path):
    server.always(path, Fault(silent=True))
    with pytest.raises(NetworkError) as caught:
        fetched(site.open(timeouts=FAST, retries=RetryPolicy(attempts=2)))
    assert "took too long" in caught.value.message
