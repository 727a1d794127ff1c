"""A directory tree: links stay inside, and nothing is left open; what every target does: `test_target_contract.py`."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from polpkg.errors import TargetError
from polpkg.targets import preflight
from polpkg.targets.tree import TreeTarget, open_tree


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
