"""What a user sees of a server that misbehaves: the exit code, the words, and that nothing half is left."""

import json
import os
import socket
from functools import cached_property

import pytest
from misbehaving import Fault, MisbehavingServer

from polpkg.ops.context import Context
from polpkg.packages.archive import pack
from polpkg.packages.index.building import add_archive
from polpkg.packages.source import sha256_of
from polpkg.packages.transport.retry import Clock
from polpkg.packages.transport.settings import NetworkSettings, Timeouts

LINES = b"".join(b"# line %d of what makes the archive large\n" % n for n in range(4000))
ARCHIVE = pack({"polpkg.toml": b'[package]\nname = "demo"\nversion = "1.0"\n', "policy/a.te": LINES})
CONFIG, ENTRIES, BLOB = "config.json", "index/demo.jsonl", f"blobs/sha256/{sha256_of(ARCHIVE)}"
PAGE = b"<!DOCTYPE html><title>Welcome to the hotel</title>"
TOKEN = "s3cret-t0ken"


@pytest.fixture(autouse=True)
def surroundings(monkeypatch, tmp_path):
    """No proxy, no waiting, and a credential that must never show."""
    for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("POLPKG_CREDENTIALS", str(tmp_path / "credentials.toml"))
    monkeypatch.setenv("POLPKG_INDEX_HUB_TOKEN", TOKEN)
    waited = []

    async def sleep(seconds):
        waited.append(seconds)

    def network(context):
        timeouts = Timeouts(connect=5.0, read=0.3, body=0.5, slowest=1e9)
        return NetworkSettings(offline=context.offline, clock=Clock(sleep=sleep, random=lambda: 0.5), timeouts=timeouts)

    patched = cached_property(network)
    patched.__set_name__(Context, "network")
    monkeypatch.setattr(Context, "network", patched)
    return waited


@pytest.fixture
def server(tmp_path):
    add_archive(tmp_path / "tree", ARCHIVE)
    with MisbehavingServer(tmp_path / "tree") as found:
        yield found


@pytest.fixture
def export(call, server, tmp_path):
    """`export()`: asks the index, locks and fetches; `policy.toml` names the server as the index `hub`."""

    def run(*words, url=""):
        text = (
            f'[target]\nbase = []\n[packages]\ndemo = "*"\n[indexes.hub]\nurl = "{url or server.url}"\ntrust = "none"\n'
        )
        (tmp_path / "policy.toml").write_text(text)
        done = call("export", "demo", "--vendor", "out", "--json", *words)
        for place in (
            done.out,
            done.err,
            *(path.read_text("latin-1") for path in tmp_path.rglob("*") if path.is_file()),
        ):
            assert TOKEN not in place
        assert (tmp_path / "out").exists() == (done.code == 0)
        return done

    return run


def refused(done, exit_code, code, *words):
    error = done.document["error"]
    assert (done.code, error["code"]) == (exit_code, code), error
    for word in words:
        assert word in f"{error['message']} {error['hint']}"


@pytest.mark.parametrize("path", [CONFIG, ENTRIES, BLOB])
@pytest.mark.parametrize(
    "fault",
    [
        Fault(status=503, headers={"Retry-After": "2"}),
        Fault(status=429, headers={"Retry-After": "1"}),
        Fault(status=500),
        Fault(cut=10),
        Fault(refuse=True),
        Fault(silent=True),
        Fault(drip=True),
    ],
    ids=["503", "429", "500", "cut", "refused", "silent", "drip"],
)
def test_what_passes_is_tried_again(export, server, path, fault, surroundings):
    server.plan(path, fault)
    assert export().code == 0
    asked = fault.headers.get("Retry-After")
    assert asked is None or float(asked) in surroundings


@pytest.mark.parametrize("path", [CONFIG, ENTRIES, BLOB])
@pytest.mark.parametrize(
    ("fault", "exit_code", "code", "words"),
    [
        (Fault(status=503), 7, "index-unreachable", "status 503, 4 times"),
        (Fault(status=429, headers={"Retry-After": "86400"}), 7, "index-unreachable", "asks to wait 86400 seconds"),
        (Fault(silent=True), 7, "index-unreachable", "too long to answer"),
        (Fault(refuse=True), 7, "index-unreachable", "4 times"),
        (Fault(status=418), 7, "index-unreachable", "status 418"),
        (Fault(status=302, headers={"Location": "/tree/x"}, body=b""), 7, None, ""),
        (Fault(status=302, headers={"Location": "/tree/{path}"}, body=b""), 7, "too-many-redirects", "more than 5"),
        (Fault(body=PAGE, no_validators=True), 7, "web-page", "web page"),
        (Fault(status=401), 4, "access-refused", "credentials for this index were sent"),
        (Fault(status=403), 4, "access-refused", "403"),
    ],
    ids=["503", "429", "silent", "refused", "418", "moved", "loop", "page", "401", "403"],
)
def test_what_does_not_pass_has_its_exit_code(export, server, path, fault, exit_code, code, words):
    if code is None:
        server.always("x", Fault(status=503))
        code, words = "index-unreachable", path
    headers = {name: value.format(path=path) for name, value in fault.headers.items()}
    server.always(path, Fault(**{**vars(fault), "headers": headers}))
    if path == BLOB and code == "web-page":
        exit_code, code = (4, "wrong-length")
        words = f"{len(ARCHIVE)} by the index"
    refused(export(), exit_code, code, words)


def test_a_list_of_names_that_fails_hides_nothing(call, export, server):
    assert export().code == 0
    for fault in (Fault(status=403), Fault(body=b'{"no": "list"}'), Fault(status=503)):
        server.always("index/names.json", fault)
        refused(call("lock", "dema", "--json"), 3, "unknown-package", "no index has a package named `dema`")


def test_an_archive_of_another_length_is_refused_at_once(export, server):
    server.always(BLOB, Fault(length=len(ARCHIVE) + 1))
    refused(export(), 4, "wrong-length", str(len(ARCHIVE)))
    assert len(server.asked(BLOB)) == 1


@pytest.mark.parametrize("path", [CONFIG, ENTRIES, BLOB])
def test_what_type_a_server_claims_does_not_matter(export, server, path):
    server.always(path, Fault(headers={"Content-Type": "text/html; charset=utf-16"}))
    assert export().code == 0


def test_a_flipped_bit_is_refused(export, server):
    server.always(BLOB, Fault(flip=70_000))
    refused(export(), 4, "digest-mismatch", "another archive")


@pytest.mark.parametrize("path", [CONFIG, ENTRIES])
def test_not_modified_without_having_been_asked(export, server, path):
    server.always(path, Fault(status=304, body=b""))
    refused(export(), 7, "index-unreachable", path)


def test_an_etag_that_stayed_while_the_file_changed(call, export, server, tmp_path):
    """Nobody can see through that; what is there then is the old list, and not a mixture."""
    etag = {"ETag": '"for-ever"'}
    server.always(ENTRIES, Fault(headers=etag))
    assert export().code == 0
    add_archive(tmp_path / "tree", pack({"polpkg.toml": b'[package]\nname = "demo"\nversion = "2.0"\n'}))
    server.always(ENTRIES, Fault(status=304, body=b"", headers=etag))
    found = call("lock", "demo", "--json").document["packages"]
    assert [(p["version"], p["sha256"]) for p in found] == [("1.0", sha256_of(ARCHIVE))]
    server.forget()
    assert call("lock", "demo", "--json").document["packages"][0]["version"] == "2.0"


def test_an_etag_that_changed_while_an_archive_was_fetched(export, server):
    server.plan(BLOB, Fault(cut=70_000), Fault(headers={"ETag": '"another"'}, no_range=True))
    assert export().code == 0


def test_a_port_where_nobody_listens(export, tmp_path):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        done = export(url=f"http://127.0.0.1:{unused.getsockname()[1]}/tree")
    refused(done, 7, "index-unreachable", "no connection", "--offline")


@pytest.mark.parametrize(("status", "exit_code"), [(401, 4), (403, 4), (503, 7)])
def test_no_other_index_is_asked_instead(export, server, tmp_path, status, exit_code):
    add_archive(tmp_path / "mirror", ARCHIVE)
    server.always(ENTRIES, Fault(status=status))
    assert export("--index", f"mirror={tmp_path / 'mirror'}").code == exit_code


def test_verbose_shows_no_credentials(export, server):
    done = export("--verbose")
    assert (done.code, "fetching demo 1.0 from hub" in done.told) == (0, True)
    assert {each.headers.get("authorization") for each in server.requests} == {f"Bearer {TOKEN}"}


def test_a_progress_line_is_no_part_of_the_answer(export):
    assert json.loads(export().out)["packages"][0]["name"] == "demo"
