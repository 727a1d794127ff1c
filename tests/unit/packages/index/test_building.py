from __future__ import annotations

import json

import pytest

from polpkg.errors import PolpkgError, TrustError, UsageError
from polpkg.packages.index.building import add_archive, build_index, remove_release
from polpkg.packages.index.opening import open_index
from polpkg.packages.source import sha256_of


def snapshot(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def archives(tmp_path, make_archive):
    """A directory of archives of `a 1.9`, `a 1.10` and `b 1.0`."""
    folder = tmp_path / "archives"
    folder.mkdir()
    for name, version in (("a", "1.9"), ("a", "1.10"), ("b", "1.0")):
        (folder / f"{name}-{version}.polpkg").write_bytes(make_archive(name, version))
    return folder


def listed(tree):
    index = open_index("site", str(tree))
    return [str(release) for name in index.names() for release in index.releases(name)]


def test_a_tree_of_a_directory(archives, tmp_path):
    change = build_index(archives, tmp_path / "out")
    assert sorted(map(str, change.added)) == ["a 1.10", "a 1.9", "b 1.0"]
    assert listed(tmp_path / "out") == ["a 1.9", "a 1.10", "b 1.0"]
    index = open_index("site", str(tmp_path / "out"))
    (release,) = index.releases("b")
    assert sha256_of(index.fetch(release)) == release.sha256 == sha256_of((archives / "b-1.0.polpkg").read_bytes())
    assert json.loads((tmp_path / "out" / "config.json").read_text()) == {
        "format": 1,
        "api": None,
        "auth-required": False,
    }
    assert json.loads((tmp_path / "out" / "index" / "names.json").read_text()) == ["a", "b"]


def test_the_same_archives_give_the_same_bytes(archives, tmp_path, make_archive):
    build_index(archives, tmp_path / "one")
    for file in sorted(archives.iterdir(), reverse=True):
        add_archive(tmp_path / "two", file.read_bytes())
    (archives / "copy.polpkg").write_bytes((archives / "b-1.0.polpkg").read_bytes())
    build_index(archives, tmp_path / "three")
    assert snapshot(tmp_path / "one") == snapshot(tmp_path / "two") == snapshot(tmp_path / "three")


def test_a_directory_can_become_a_tree_itself(archives):
    build_index(archives, archives)
    assert listed(archives) == ["a 1.9", "a 1.10", "b 1.0"]


def test_building_again_changes_nothing(archives, tmp_path):
    out = tmp_path / "out"
    build_index(archives, out)
    times = {path: path.stat().st_mtime_ns for path in out.rglob("*") if path.is_file()}
    assert build_index(archives, out) == ((), ())
    assert times == {path: path.stat().st_mtime_ns for path in out.rglob("*") if path.is_file()}


def test_a_tree_follows_its_directory(archives, tmp_path, make_archive):
    out = tmp_path / "out"
    build_index(archives, out)
    for name in ("b-1.0", "a-1.9"):
        (archives / f"{name}.polpkg").unlink()
    (archives / "c.polpkg").write_bytes(make_archive("c"))
    change = build_index(archives, out)
    assert (list(map(str, change.added)), sorted(map(str, change.removed))) == (["c 1.0"], ["a 1.9", "b 1.0"])
    build_index(archives, tmp_path / "fresh")
    assert snapshot(out) == snapshot(tmp_path / "fresh")


def test_what_was_added_to_an_entry_is_kept(archives, tmp_path, make_archive):
    out = tmp_path / "out"
    build_index(archives, out)
    path = out / "index" / "b.jsonl"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"yanked": "a hole", "future": 3}) + "\n")
    add_archive(out, make_archive("b", "1.1"), published="2026-01-05T00:00:00Z")
    (archives / "b-1.1.polpkg").write_bytes(open_index("x", str(out)).fetch(open_index("x", str(out)).releases("b")[1]))
    build_index(archives, out)
    first, second = open_index("site", str(out)).releases("b")
    assert (first.yanked, first.extra) == ("a hole", {"future": 3})
    assert second.published == "2026-01-05T00:00:00Z"


def test_two_archives_of_one_version_are_refused(archives, tmp_path, make_archive):
    (archives / "other.polpkg").write_bytes(make_archive("b", "1.0", **{"policy/b.te": "type b_x_t;\n"}))
    with pytest.raises(UsageError) as caught:
        build_index(archives, tmp_path / "out")
    assert caught.value.code == "duplicate-release"
    assert not (tmp_path / "out" / "config.json").exists()


def test_a_version_never_changes(archives, tmp_path, make_archive):
    out = tmp_path / "out"
    build_index(archives, out)
    before = snapshot(out)
    other = make_archive("b", "1.0", **{"policy/b.te": "type b_x_t;\n"})
    with pytest.raises(UsageError) as caught:
        add_archive(out, other)
    assert caught.value.code == "release-exists"
    (archives / "b-1.0.polpkg").write_bytes(other)
    with pytest.raises(UsageError):
        build_index(archives, out)
    assert snapshot(out) == before


def test_a_release_is_removed_with_its_archive(archives, tmp_path):
    out = tmp_path / "out"
    build_index(archives, out)
    assert [str(release) for release in remove_release(out, "a", "1.9.0").removed] == ["a 1.9"]
    remove_release(out, "b", "1.0")
    assert listed(out) == ["a 1.10"]
    assert len(list((out / "blobs" / "sha256").iterdir())) == 1
    with pytest.raises(UsageError) as caught:
        remove_release(out, "b", "1.0")
    assert caught.value.code == "no-such-release"


def test_what_is_no_tree_has_no_releases_to_remove(tmp_path):
    with pytest.raises(UsageError) as caught:
        remove_release(tmp_path, "a", "1.0")
    assert caught.value.code == "not-an-index"


def test_a_signed_tree_is_left_alone(archives, tmp_path, make_archive):
    out = tmp_path / "out"
    build_index(archives, out)
    (out / "metadata").mkdir()
    with pytest.raises(TrustError) as caught:
        add_archive(out, make_archive("z"))
    assert caught.value.code == "signed-index"


def test_nothing_to_build_from(tmp_path):
    with pytest.raises(UsageError) as caught:
        build_index(tmp_path, tmp_path / "out")
    assert caught.value.code == "no-archives"


def test_a_damaged_archive_is_named(archives, tmp_path):
    (archives / "bad.polpkg").write_bytes(b"not an archive")
    with pytest.raises(TrustError) as caught:
        build_index(archives, tmp_path / "out")
    assert "bad.polpkg" in caught.value.message


@pytest.mark.parametrize("allowed", range(4))
def test_a_write_that_fails_leaves_a_tree_that_reads(archives, tmp_path, make_archive, monkeypatch, allowed):
    """At whatever write it stops: every listed archive is there, and the next run completes the tree."""
    from polpkg.packages.index import building

    out, write, done = tmp_path / "out", building.write_atomically, []
    build_index(archives, out)
    (archives / "c.polpkg").write_bytes(make_archive("c"))
    (archives / "b-1.0.polpkg").unlink()
    (archives / "a-1.9.polpkg").unlink()

    def some(path, data):
        if len(done) == allowed:
            raise PolpkgError("cannot-write", "no space")
        done.append(path)
        write(path, data)

    monkeypatch.setattr(building, "write_atomically", some)
    with pytest.raises(PolpkgError):
        build_index(archives, out)
    index = open_index("site", str(out))
    assert all(index.fetch(release) for name in ("a", "b", "c") for release in index.releases(name))
    monkeypatch.undo()
    build_index(archives, out)
    assert listed(out) == ["a 1.10", "c 1.0"]
    assert open_index("site", str(out)).releases("b") == ()
