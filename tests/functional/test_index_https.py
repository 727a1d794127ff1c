"""Indexes over https: whose certificates count, where redirects may lead, HTTP/2, and proxies."""

from __future__ import annotations

import os
import ssl

import pytest
from misbehaving import Fault, MisbehavingServer

from polpkg.errors import NetworkError, TrustError, UsageError
from polpkg.packages.archive import pack
from polpkg.packages.index.building import add_archive
from polpkg.packages.index.opening import open_index
from polpkg.packages.transport.retry import RetryPolicy
from polpkg.packages.transport.settings import NetworkSettings

trustme = pytest.importorskip("trustme")

DEMO = "index/demo.jsonl"


@pytest.fixture(autouse=True)
def no_surroundings(monkeypatch, tmp_path):
    for name in [name for name in os.environ if name.lower().endswith("_proxy") or name.startswith("SSL_CERT")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("POLPKG_CREDENTIALS", str(tmp_path / "credentials.toml"))


@pytest.fixture
def folder(tmp_path):
    for name in ("demo", "a", "b", "c", "d"):
        manifest = f'[package]\nname = "{name}"\nversion = "1.0"\n'
        add_archive(tmp_path / "tree", pack({"polpkg.toml": manifest.encode()}))
    return tmp_path / "tree"


@pytest.fixture(scope="module")
def authority():
    return trustme.CA()


@pytest.fixture
def ca_file(authority, tmp_path):
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    return str(tmp_path / "ca.pem")


@pytest.fixture
def tls(authority):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    return context


@pytest.fixture
def open_site(tmp_path):
    def open_site(url, ca_file="", **settings):
        network = NetworkSettings(cache=tmp_path / "cache", retries=RetryPolicy(attempts=1), **settings)
        return open_index("site", url, trust="none", ca_file=ca_file, network=network)

    return open_site


def test_an_authority_that_policy_toml_names(open_site, folder, tls, ca_file):
    with MisbehavingServer(folder, tls=tls) as server:
        assert len(open_site(server.url, ca_file).releases("demo")) == 1


def test_an_authority_that_the_environment_names(open_site, folder, tls, ca_file, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", ca_file)
    with MisbehavingServer(folder, tls=tls) as server:
        assert len(open_site(server.url).releases("demo")) == 1


def test_an_unknown_authority_is_a_matter_of_trust(open_site, folder, tls):
    with MisbehavingServer(folder, tls=tls) as server, pytest.raises(TrustError) as caught:
        open_site(server.url).releases("demo")
    assert caught.value.code == "certificate-refused"
    assert "ca-file" in caught.value.hint


def test_another_host_than_the_certificate_says(open_site, folder, tls, ca_file):
    with MisbehavingServer(folder, tls=tls) as server, pytest.raises(TrustError) as caught:
        open_site(server.url.replace("localhost", "127.0.0.1"), ca_file).releases("demo")
    assert caught.value.code == "certificate-refused"


@pytest.mark.parametrize("content", [None, "no certificate"])
def test_a_ca_file_that_is_none(open_site, tmp_path, content):
    if content:
        (tmp_path / "bad.pem").write_text(content)
    with pytest.raises(UsageError) as caught:
        open_site("https://localhost:1/tree", str(tmp_path / "bad.pem")).releases("demo")
    assert caught.value.code == "bad-ca-file"


def test_a_server_that_speaks_no_tls(open_site, folder):
    with MisbehavingServer(folder) as server, pytest.raises(NetworkError):
        open_site(server.url.replace("http:", "https:")).releases("demo")


def test_a_redirect_from_https_to_http_is_refused(open_site, folder, tls, ca_file):
    with MisbehavingServer(folder, tls=tls) as server, MisbehavingServer(folder) as plain:
        server.always(DEMO, Fault(status=302, headers={"Location": f"{plain.url}/{DEMO}"}))
        with pytest.raises(TrustError) as caught:
            open_site(server.url, ca_file).releases("demo")
        assert caught.value.code == "insecure-redirect"
        assert plain.requests == []


def test_http2_shares_one_connection(open_site, folder, tls, ca_file):
    """The server answers only when all four requests are there, so they are on their way together."""
    pytest.importorskip("h2")
    from http2_server import Http2Server

    with Http2Server(folder, tls, hold=4) as server:
        index = open_site(server.url, ca_file)
        _ = index.auth_required
        index.prefetch(["a", "b", "c", "d"])
        assert all(index.releases(name) for name in "abcd")
        assert server.connections == 1


def test_a_proxy_of_the_environment(open_site, folder, monkeypatch):
    """A proxy is asked for whole URLs."""
    with MisbehavingServer(folder) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url.removesuffix("/tree"))
        monkeypatch.setenv("http_proxy", proxy.url.removesuffix("/tree"))
        with pytest.raises(TrustError):
            open_site("http://index.invalid/tree").releases("demo")
        assert "http://index.invalid/tree/config.json" in [asked.path for asked in proxy.requests]


def test_a_proxy_that_is_none(open_site, monkeypatch):
    monkeypatch.setenv("http_proxy", "gopher://user:secret@nowhere")
    monkeypatch.setenv("HTTP_PROXY", "gopher://user:secret@nowhere")
    with pytest.raises(UsageError) as caught:
        open_site("http://index.invalid/tree").releases("demo")
    assert caught.value.code == "bad-proxy"
    assert "secret" not in caught.value.message
