"""A directory tree: links stay inside, writes appear at one instant, and what cannot be is said before."""

from __future__ import annotations

import os
from pathlib import Path
from stat import S_IMODE

import pytest

from polpkg.errors import TargetError
from polpkg.targets import preflight
from polpkg.targets.target import FileKind
from polpkg.targets.tree import TreeTarget, open_tree


def test_reads_what_it_wrote(tree, root):
    tree.write("/boot/xenpolicy-4.17.7", b"policy")
    assert tree.read("/boot/xenpolicy-4.17.7") == b"policy"
    assert (root / "boot/xenpolicy-4.17.7").read_bytes() == b"policy"
    assert tree.list("/boot") == ("xenpolicy-4.17.7",)


def test_modes_do_not_depend_on_the_umask(tree, root):
    before = os.umask(0o077)
    try:
        tree.write("/etc/polpkg/policy.toml", b"")
        tree.write_tree("/var/lib/polpkg/x", {"a/b": b""})
    finally:
        os.umask(before)
    modes = {str(p.relative_to(root)): S_IMODE(p.stat().st_mode) for p in root.rglob("*")}
    assert {modes["etc"], modes["etc/polpkg"], modes["var/lib/polpkg/x/a"]} == {0o755}
    assert {modes["etc/polpkg/policy.toml"], modes["var/lib/polpkg/x/a/b"]} == {0o644}


@pytest.mark.parametrize("link", ["/outside", "../../../../../outside", "/../outside", "etc/../../../outside"])
def test_links_never_lead_out_of_the_tree(tree, root, link):
    outside = root.parent / "outside"
    outside.mkdir()
    (outside / "secret").write_text("secret")
    (root / "boot").symlink_to(link)
    tree.write("/boot/xenpolicy-1", b"inside")
    assert [path.name for path in outside.iterdir()] == ["secret"]
    assert tree.read("/boot/xenpolicy-1") == b"inside"
    with pytest.raises(TargetError) as caught:
        tree.read("/boot/secret")
    assert caught.value.code == "no-such-file"
    with pytest.raises(TargetError):
        tree.read("/../outside/secret")


def test_absolute_links_mean_the_root_of_the_tree(tree, root):
    (root / "usr/lib").mkdir(parents=True)
    (root / "usr/lib/xen.gz").write_bytes(b"xen")
    (root / "xen.gz").symlink_to("/usr/lib/xen.gz")
    assert tree.read("/xen.gz") == b"xen"
    assert tree.stat("/xen.gz").identity == tree.stat("/usr/lib/xen.gz").identity
    assert tree.read_link("/xen.gz") == "/usr/lib/xen.gz"
    assert tree.read_link("/usr/lib/xen.gz") is None


def test_writing_replaces_a_link_and_leaves_what_it_led_to(tree, root):
    (root / "other").write_bytes(b"other")
    (root / "file").symlink_to("other")
    tree.write("/file", b"new")
    assert not (root / "file").is_symlink()
    assert (root / "other").read_bytes() == b"other"


def test_removing_a_directory_does_not_follow_links(tree, root):
    outside = root.parent / "precious"
    outside.mkdir()
    (outside / "file").touch()
    tree.write_tree("/generations/1", {"a": b"", "b/c": b""})
    (root / "generations/1/link").symlink_to(outside)
    tree.remove("/generations/1")
    assert tree.list("/generations") == ()
    assert (outside / "file").exists()


def test_a_loop_of_links_is_an_error(tree, root):
    (root / "a").symlink_to("b")
    (root / "b").symlink_to("a")
    with pytest.raises(TargetError) as caught:
        tree.read("/a/x")
    assert caught.value.code == "link-loop"


def test_a_temporary_file_never_looks_like_a_policy(tree, root, monkeypatch):
    seen = []
    rename = os.rename

    def spy(old, new, **kwargs):
        seen.append(old)
        rename(old, new, **kwargs)

    monkeypatch.setattr(os, "rename", spy)
    tree.write("/boot/xenpolicy-1", b"")
    assert seen
    assert not any(name.startswith("xen") for name in seen)


def test_a_planted_temporary_link_is_not_written_through(tree, root):
    (root / "boot").mkdir()
    (root / "precious").write_bytes(b"precious")
    (root / "boot/.polpkg-new").symlink_to("../precious")
    tree.write("/boot/xenpolicy-1", b"new")
    assert (root / "precious").read_bytes() == b"precious"
    assert tree.list("/boot") == ("xenpolicy-1",)


def test_what_is_not_there(tree, root):
    (root / "file").touch()
    assert tree.stat("/nowhere/at/all") is None
    assert tree.stat("/file/below") is None
    assert tree.list("/nowhere") == ()
    assert tree.list("/file") == ()
    assert tree.read_link("/nowhere") is None
    tree.remove("/nowhere/at/all")


def test_kinds(tree, root):
    os.mkfifo(root / "fifo")
    assert tree.stat("/").kind is FileKind.DIRECTORY
    assert tree.stat("/fifo").kind is FileKind.OTHER
    with pytest.raises(TargetError) as caught:
        tree.read("/fifo")
    assert caught.value.code == "not-a-file"
    with pytest.raises(TargetError):
        tree.read("/")


def test_links_are_switched(tree):
    tree.write_link("/var/lib/polpkg/current", "generations/1")
    tree.write_link("/var/lib/polpkg/current", "generations/2")
    assert tree.read_link("/var/lib/polpkg/current") == "generations/2"


def test_rename_does_not_replace(tree):
    tree.write_tree("/g/.new-1", {"a": b"1"})
    tree.rename("/g/.new-1", "/g/1")
    assert tree.read("/g/1/a") == b"1"
    tree.write_tree("/g/.new-1", {})
    with pytest.raises(TargetError) as caught:
        tree.rename("/g/.new-1", "/g/1")
    assert caught.value.code == "already-there"


def test_no_descriptor_is_left_open(tree):
    before = len(list(Path("/proc/self/fd").iterdir()))
    tree.write("/a/b/c", b"x")
    tree.write_tree("/t", {"a/b": b"", "c": b""})
    tree.stat("/a/b/c")
    tree.read_link("/a/b")
    tree.remove("/t")
    tree.check_writable({"/q/w/e": 1})
    with tree.lock():
        pass
    with pytest.raises(TargetError):
        tree.read("/a/b/c/d")
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_a_root_that_does_not_exist(tmp_path):
    with pytest.raises(TargetError) as caught:
        open_tree(str(tmp_path / "new"))
    assert caught.value.code == "no-such-target"
    made = open_tree(str(tmp_path / "new/deeper"), create=True)
    assert made.list("/") == ()
    assert made.stat("/boot") is None
    made.check_writable({"/boot/x": 10})
    assert not (tmp_path / "new").exists()
    made.write("/boot/x", b"")
    assert (tmp_path / "new/deeper/boot/x").exists()


def test_a_root_that_is_a_file(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(TargetError) as caught:
        open_tree(str(tmp_path / "file"))
    assert caught.value.code == "not-a-directory"


class TestPreflight:
    def refusal(self, tree, path="/boot/xenpolicy-1", size=100):
        with pytest.raises(TargetError) as caught:
            tree.check_writable({path: size})
        assert caught.value.exit_code == 6
        return caught.value.code

    def test_changes_nothing(self, tree, root):
        tree.check_writable({"/boot/xenpolicy-1": 100, "/var/lib/polpkg/x/y": 5})
        assert list(root.iterdir()) == []

    def test_file_in_the_way(self, tree, root):
        (root / "boot").touch()
        assert self.refusal(tree) == "not-a-directory"

    def test_directory_in_the_way(self, tree, root):
        (root / "boot/xenpolicy-1").mkdir(parents=True)
        assert self.refusal(tree) == "not-a-file"

    def test_no_room(self, tree):
        assert self.refusal(tree, size=1 << 60) == "target-full"

    def test_no_inodes(self, tree, monkeypatch):
        real = os.statvfs("/")
        values = list(real)
        values[5:8] = [1000, 0, 0]
        monkeypatch.setattr(os, "statvfs", lambda path: os.statvfs_result(values))
        assert self.refusal(tree) == "target-full"

    def test_read_only(self, tree, monkeypatch):
        class ReadOnly:
            f_flag = os.ST_RDONLY

        monkeypatch.setattr(os, "access", lambda *_, **__: False)
        monkeypatch.setattr(preflight.os, "statvfs", lambda path: ReadOnly)
        assert self.refusal(tree) == "read-only-target"

    @pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
    def test_no_permission(self, tree, root):
        root.chmod(0o555)
        assert self.refusal(tree) == "target-permission"

    def test_no_permission_as_told(self, tree, monkeypatch):
        monkeypatch.setattr(os, "access", lambda *_, **__: False)
        assert self.refusal(tree) == "target-permission"


def test_the_root_may_be_relative(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sub").mkdir()
    target = TreeTarget("sub")
    monkeypatch.chdir("/")
    target.write("/x", b"1")
    assert (tmp_path / "sub/x").exists()
