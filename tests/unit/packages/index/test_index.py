from __future__ import annotations

import json
from dataclasses import replace

import pytest

from polpkg.errors import PolicyError, TrustError, UsageError
from polpkg.packages.index.catalog import Catalog
from polpkg.packages.index.opening import open_index, open_path
from polpkg.packages.index.release import Release, entry_of
from polpkg.packages.source import build_archive, read_archive, sha256_of

REQUIRES = '[functions]\nprovides = ["console"]\nclients = "*"\n'


def change_entry(tree, **changes):
    path = tree / "index" / "demo.jsonl"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes) + "\n")


def test_a_static_tree(tree):
    index = open_index("site", str(tree))
    (release,) = index.releases("demo")
    assert index.names() == ("demo",)
    assert (str(release), release.index, release.requires) == ("demo 1.0", "site", {"xen-base": ">=1"})
    assert index.sealed(release) == release
    assert read_archive(index.fetch(release)).manifest.name == "demo"
    assert index.releases("other") == ()


def test_a_directory_without_a_list_of_names_is_looked_at(tree):
    (tree / "index" / "names.json").unlink()
    assert open_index("site", str(tree)).names() == ("demo",)


def test_unknown_keys_of_an_entry_are_kept(tree):
    change_entry(tree, future={"x": 1})
    (release,) = open_index("site", str(tree)).releases("demo")
    assert release.extra == {"future": {"x": 1}}
    assert entry_of(release)["future"] == {"x": 1}


def test_a_yanked_release_has_its_reason(tree):
    change_entry(tree, yanked="opens a hole")
    (release,) = open_index("site", str(tree)).releases("demo")
    assert release.yanked == "opens a hole"


@pytest.mark.parametrize(
    "changes",
    [
        {"name": "other"},
        {"version": "one"},
        {"version": 1},
        {"requires": {"b": "1"}},
        {"requires": {"../b": ""}},
        {"requires": []},
        {"sha256": "ABC"},
        {"functions": ["nonsense"]},
        {"xen": "4"},
    ],
)
def test_a_malformed_entry_is_refused_with_its_line(tree, changes):
    change_entry(tree, **changes)
    with pytest.raises(TrustError) as caught:
        open_index("site", str(tree)).releases("demo")
    assert caught.value.origin.file.endswith("index/demo.jsonl")
    assert caught.value.origin.line == 1


@pytest.mark.parametrize("text", ["{", "[]", "3", "[" * 100_000])
def test_what_is_not_json_is_refused(tree, text):
    (tree / "index" / "demo.jsonl").write_text(text)
    with pytest.raises(TrustError):
        open_index("site", str(tree)).releases("demo")


def test_a_version_listed_twice_is_refused(tree):
    path = tree / "index" / "demo.jsonl"
    path.write_text(path.read_text() * 2)
    with pytest.raises(TrustError) as caught:
        open_index("site", str(tree)).releases("demo")
    assert caught.value.code == "index-duplicate"


def test_another_archive_than_the_listed_one_is_refused(tree):
    index = open_index("site", str(tree))
    (release,) = index.releases("demo")
    blob = tree / "blobs" / "sha256" / release.sha256
    blob.write_bytes(blob.read_bytes()[:-1] + b"x")
    with pytest.raises(TrustError) as caught:
        index.fetch(release)
    assert caught.value.code == "digest-mismatch"


def test_a_longer_archive_than_the_listed_one_is_not_read(tree):
    index = open_index("site", str(tree))
    (release,) = index.releases("demo")
    blob = tree / "blobs" / "sha256" / release.sha256
    blob.write_bytes(blob.read_bytes() + b"x")
    with pytest.raises(TrustError) as caught:
        index.fetch(release)
    assert caught.value.code == "index-too-large"


def test_a_missing_archive_is_an_error(tree):
    index = open_index("site", str(tree))
    (release,) = index.releases("demo")
    (tree / "blobs" / "sha256" / release.sha256).unlink()
    with pytest.raises(TrustError) as caught:
        index.fetch(release)
    assert caught.value.code == "blob-missing"


def test_a_newer_format_is_refused(tree):
    (tree / "config.json").write_text('{"format": 2}')
    with pytest.raises(TrustError):
        open_index("site", str(tree)).releases("demo")


def test_signed_metadata_is_never_ignored(tree):
    (tree / "metadata").mkdir()
    with pytest.raises(TrustError):
        open_index("site", str(tree))


def test_a_directory_of_archives(tmp_path, write_package):
    folder = tmp_path / "archives"
    folder.mkdir()
    for version in ("1.0", "1.1"):
        archive = build_archive(write_package(version=version, folder=version))
        (folder / f"demo-{version}.polpkg").write_bytes(archive)
    index = open_index("site", str(folder))
    assert [r.version for r in index.releases("demo")] == ["1.0", "1.1"]
    assert sha256_of(index.fetch(index.releases("demo")[1])) == index.releases("demo")[1].sha256


def test_an_archive_that_changes_while_in_use_is_refused(tmp_path, write_package):
    folder = tmp_path / "archives"
    folder.mkdir()
    (folder / "demo.polpkg").write_bytes(build_archive(write_package()))
    index = open_index("site", str(folder))
    (release,) = index.releases("demo")
    (folder / "demo.polpkg").write_bytes(b"other")
    with pytest.raises(TrustError):
        index.fetch(release)


def test_a_directory_of_package_directories(tmp_path, write_package):
    write_package("a", folder="all/a")
    write_package("b", folder="all/b", more=REQUIRES)
    index = open_index("site", f"file://{tmp_path}/all")
    assert index.names() == ("a", "b")
    (release,) = index.releases("b")
    assert (release.sha256, release.functions, release.clients) == ("", ("console",), "*")
    sealed = index.sealed(release)
    assert sealed.sha256 == sha256_of(index.fetch(release)) == sha256_of(build_archive(tmp_path / "all" / "b"))
    assert sealed.size == len(index.fetch(release))


def test_the_same_release_in_two_directories_is_an_error(tmp_path, write_package):
    write_package("a", folder="all/x")
    write_package("a", folder="all/y")
    with pytest.raises(UsageError) as caught:
        open_index("site", str(tmp_path / "all")).names()
    assert caught.value.code == "duplicate-release"


def test_a_path_is_an_index_of_one_package(tmp_path, write_package):
    folder = write_package()
    archive = tmp_path / "demo-1.0.polpkg"
    archive.write_bytes(build_archive(folder))
    assert open_path(folder).names() == open_path(archive).names() == ("demo",)
    with pytest.raises(UsageError):
        open_path(tmp_path / "nothing")


def test_a_broken_package_in_a_path_says_where(write_package):
    folder = write_package()
    (folder / "polpkg.toml").write_text("package = 3")
    with pytest.raises(PolicyError) as caught:
        open_path(folder).names()
    assert caught.value.origin.file == str(folder / "polpkg.toml")


@pytest.mark.parametrize("location", ["ftp://x/y", "/nowhere/at/all"])
def test_other_places_are_no_index(location):
    with pytest.raises(UsageError):
        open_index("site", location)


def test_an_index_over_http_needs_trust():
    with pytest.raises(TrustError) as caught:
        open_index("site", "https://example.invalid/x")
    assert caught.value.code == "no-pinned-root"
    assert open_index("site", "https://example.invalid", trust="none").name == "site"


def test_the_same_archives_in_two_indexes_are_one_package(memory_index):
    """Whose they are then depends on names alone, and not on the order of anything."""
    one, other = (Release("a", version, "", sha256=version * 64) for version in "12")
    site, mirror, bundled = ("site", one), ("mirror", one), ("bundled", one)
    for indexes in ((site, mirror, bundled), (bundled, mirror, site)):
        catalog = Catalog([memory_index(name, release) for name, release in indexes])
        assert catalog.home("a").name == "mirror"
    assert Catalog([memory_index("z", one), memory_index("bundled", one)]).home("a").name == "z"
    for first, second in ((one, other), (one, replace(one, yanked="broken")), (one, replace(one, sha256="2" * 64))):
        with pytest.raises(TrustError):
            Catalog([memory_index("site", first), memory_index("mirror", second)]).home("a")


def test_a_name_belongs_to_one_index(memory_index):
    release = Release("a", "1", "")
    catalog = Catalog([memory_index("one", release), memory_index("two", release)])
    with pytest.raises(TrustError) as caught:
        catalog.releases("a")
    assert caught.value.code == "ambiguous-name"
    assert "`one` and `two`" in caught.value.message


def test_a_mapping_settles_it(memory_index):
    indexes = [memory_index("one", Release("a", "1", "")), memory_index("two", Release("a", "2", ""))]
    assert [r.version for r in Catalog(indexes, mapping={"a": "two"}).releases("a")] == ["2"]
    with pytest.raises(UsageError):
        Catalog(indexes, mapping={"a": "three"}).releases("a")


def test_a_mapped_name_is_never_sought_elsewhere(memory_index):
    indexes = [memory_index("one", Release("a", "1", "")), memory_index("two")]
    assert Catalog(indexes, mapping={"a": "two"}).releases("a") == ()


def test_an_index_given_for_the_call_goes_before_bundled_only(memory_index):
    release = Release("a", "1", "")
    bundled, given, site = memory_index("bundled", release), memory_index("x", release, override=True), None
    assert Catalog([bundled, given]).releases("a")[0].index == "x"
    site = memory_index("site", release)
    with pytest.raises(TrustError):
        Catalog([bundled, given, site]).releases("a")


def test_what_will_be_asked_is_told_to_the_indexes_that_may_have_it(memory_index):
    one, two, path = (memory_index(name, Release("a", "1", "")) for name in ("one", "two", "path"))
    told = {index.name: [] for index in (one, two, path)}
    for index in (one, two, path):
        index.prefetch = told[index.name].extend
    catalog = Catalog([one, two], mapping={"b": "two", "c": "nowhere"}, paths={"d": path})
    catalog.prefetch(["a", "b", "c", "d"])
    assert told == {"one": ["a"], "two": ["a", "b"], "path": []}
    assert catalog.releases("b") == ()
    catalog.prefetch(["b"])
    assert told["two"] == ["a", "b"]


def test_a_path_goes_before_every_index(memory_index):
    release = Release("a", "1", "")
    catalog = Catalog([memory_index("one", release)], paths={"a": memory_index("path", release)})
    assert catalog.releases("a")[0].index == "path"
    assert catalog.names() == ("a",)


def test_two_indexes_of_one_name_are_refused(memory_index):
    with pytest.raises(UsageError):
        Catalog([memory_index("one"), memory_index("one")])
