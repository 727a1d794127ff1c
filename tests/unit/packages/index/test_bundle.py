from __future__ import annotations

import pytest

from polpkg.errors import TrustError, UsageError
from polpkg.packages.index.bundle import export_bundle, vendor
from polpkg.packages.index.opening import open_index
from polpkg.packages.lock import LockedPackage, Lockfile
from polpkg.packages.source import sha256_of


@pytest.fixture
def archives(make_archive):
    made = [make_archive("a", "1.0", '[requires]\nb = ">=1"\n'), make_archive("b", "2.0")]
    return {sha256_of(archive): archive for archive in made}


@pytest.fixture
def lock(archives):
    a, b = archives
    return Lockfile((LockedPackage("a", "1.0", a, "site"), LockedPackage("b", "2.0", b, "bundled")))


@pytest.fixture
def fetch(archives):
    return lambda package: archives[package.sha256]


@pytest.mark.parametrize("name", ["bundle", "bundle.tar"])
def test_a_bundle_is_an_index_of_what_is_locked(lock, fetch, archives, tmp_path, name):
    export_bundle(lock, fetch, tmp_path / name)
    index = open_index("site", str(tmp_path / name))
    found = [release for package in index.names() for release in index.releases(package)]
    assert [(str(release), release.sha256) for release in found] == [
        (str(package), package.sha256) for package in lock.packages
    ]
    assert found[0].requires == {"b": ">=1"}
    assert [index.fetch(release) for release in found] == list(archives.values())
    assert index.releases("c") == ()


def test_the_same_lock_gives_the_same_bundle(lock, fetch, tmp_path):
    for name in ("one", "two"):
        export_bundle(lock, fetch, tmp_path / f"{name}.tar")
    assert (tmp_path / "one.tar").read_bytes() == (tmp_path / "two.tar").read_bytes()
    export_bundle(Lockfile(lock.packages[::-1]), fetch, tmp_path / "two.tar")
    assert (tmp_path / "one.tar").read_bytes() == (tmp_path / "two.tar").read_bytes()


def test_archives_in_a_folder_are_an_index_too(lock, fetch, tmp_path):
    vendor(lock, fetch, tmp_path / "vendor")
    assert sorted(path.name for path in (tmp_path / "vendor").iterdir()) == ["a-1.0.polpkg", "b-2.0.polpkg"]
    assert open_index("site", str(tmp_path / "vendor")).names() == ("a", "b")


@pytest.mark.parametrize("write", [export_bundle, vendor])
def test_a_folder_with_something_else_is_refused(lock, fetch, tmp_path, write):
    write(lock, fetch, tmp_path / "out")
    write(lock, fetch, tmp_path / "out")
    (tmp_path / "out" / "mine.polpkg").write_bytes(b"dear to somebody")
    with pytest.raises(UsageError) as caught:
        write(lock, fetch, tmp_path / "out")
    assert caught.value.code == "not-empty"
    assert "mine.polpkg" in caught.value.message


@pytest.mark.parametrize("write", [export_bundle, vendor])
def test_another_archive_than_the_locked_one_is_refused(lock, archives, tmp_path, write):
    (other, _) = archives.values()
    with pytest.raises(TrustError) as caught:
        write(lock, lambda _: other, tmp_path / "out")
    assert caught.value.code == "digest-mismatch"
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("write", [export_bundle, vendor])
def test_an_archive_of_something_else_is_refused(archives, fetch, tmp_path, write):
    a, _ = archives
    with pytest.raises(TrustError) as caught:
        write(Lockfile((LockedPackage("b", "2.0", a, "site"),)), fetch, tmp_path / "out")
    assert caught.value.code == "wrong-archive"


@pytest.mark.parametrize("size", [0, 700, 5000])
def test_a_damaged_bundle_is_refused(lock, fetch, tmp_path, size):
    bundle = tmp_path / "bundle.tar"
    export_bundle(lock, fetch, bundle)
    bundle.write_bytes(bundle.read_bytes()[:size])
    with pytest.raises(TrustError):
        open_index("site", str(bundle)).releases("a")


def test_a_bundle_with_links_is_refused(lock, fetch, tmp_path):
    import tarfile

    bundle = tmp_path / "bundle.tar"
    export_bundle(lock, fetch, bundle)
    with tarfile.open(bundle, "a") as tar:
        link = tarfile.TarInfo("index/c.jsonl")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(link)
    with pytest.raises(TrustError) as caught:
        open_index("site", str(bundle)).releases("c")
    assert caught.value.code == "bundle-damaged"


def test_a_changed_archive_in_a_bundle_is_refused(lock, fetch, archives, tmp_path):
    bundle = tmp_path / "bundle.tar"
    export_bundle(lock, fetch, bundle)
    data = bytearray(bundle.read_bytes())
    archive = next(iter(archives.values()))
    data[data.index(archive) + len(archive) // 2] ^= 1
    bundle.write_bytes(data)
    index = open_index("site", str(bundle))
    with pytest.raises(TrustError) as caught:
        index.fetch(index.releases("a")[0])
    assert caught.value.code == "digest-mismatch"
