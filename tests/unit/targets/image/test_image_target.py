"""`ImageTarget`: what is staged, when it becomes part of the image, and the lock."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from threading import Event, Thread

import pytest
from disk_images import ImageKind, build_image, run

from polpkg.errors import TargetError
from polpkg.targets.image.replacing import copy_name
from polpkg.targets.image.target import ImageTarget, open_image


@pytest.fixture
def image(tmp_path):
    return build_image(
        tmp_path / "disk.img", ImageKind(""), {"/boot/file": b"old", "/boot/link": "file", "/boot/other": b""}
    )


def test_a_change_is_visible_to_others_only_when_the_lock_is_let_go(image):
    ours, theirs = open_image(str(image.path)), open_image(str(image.path))
    with ours.lock():
        ours.write("/boot/file", b"new")
        assert ours.read("/boot/link") == b"new"
        assert theirs.read("/boot/link") == b"old"
        assert image.read("/boot/file") == b"old"
    assert ours.read("/boot/link") == theirs.read("/boot/link") == b"new"
    assert image.read("/boot/file") == b"new"


@pytest.mark.parametrize("error", [TargetError("x", "x"), OSError("x"), KeyboardInterrupt()], ids=repr)
def test_an_error_takes_everything_back(image, error):
    before = image.path.read_bytes()
    target = open_image(str(image.path))

    def fail():
        with target.lock():
            target.write("/boot/file", b"new")
            target.remove("/boot/link")
            raise error

    with pytest.raises(type(error)) as caught:
        fail()
    assert caught.value is error
    assert image.path.read_bytes() == before
    assert target.read("/boot/link") == b"old"


def test_what_is_changed_and_changed_back_is_no_change(image):
    before = image.path.stat().st_ino
    target = open_image(str(image.path))
    with target.lock():
        target.write("/boot/file", b"new")
        target.write_tree("/var/lib/polpkg/x", {"a": b"1"})
        target.rename("/var/lib/polpkg/x", "/var/lib/polpkg/y")
        target.write("/boot/file", b"old")
        target.remove("/var/lib/polpkg")
        target.write_link("/boot/link", "file")
    assert image.path.stat().st_ino == before


def test_directories_move_with_what_is_in_them(image):
    target = open_image(str(image.path))
    target.write_tree("/srv/one", {"a/b": b"1", "c": b"2"})
    target.rename("/srv/one", "/srv/two")
    assert image.read("/srv/two/a/b") == b"1"
    assert image.read("/srv/one/c") is None
    image.fsck()
    target.remove("/srv")
    image.fsck()
    assert target.stat("/srv") is None


def test_the_image_is_named_in_errors(image):
    with pytest.raises(TargetError) as caught:
        open_image(str(image.path)).read("/nowhere")
    assert str(image.path) in caught.value.message


def test_locks_wait_for_each_other_and_see_what_was_done(image):
    first, second = ImageTarget(str(image.path)), ImageTarget(str(image.path))
    waiting, seen, said = Event(), [], []

    def take():
        with second.lock(lambda line: (said.append(line), waiting.set())):
            seen.append(second.read("/boot/file"))
            second.write("/boot/file", b"second")

    with first.lock():
        thread = Thread(target=take)
        thread.start()
        assert waiting.wait(30)
        first.write("/boot/file", b"first")
    thread.join(60)
    assert (seen, len(said)) == ([b"first"], 1)
    assert first.read("/boot/file") == b"second"
    image.fsck()


def test_what_a_killed_change_left_is_swept(image):
    left = Path(copy_name(str(image.path)))
    left.write_bytes(b"half a copy")
    target = open_image(str(image.path))
    with target.lock():
        assert not left.exists()
        target.write("/boot/file", b"new")
    assert not left.exists()
    assert image.read("/boot/file") == b"new"


def test_no_descriptor_is_left_open(image):
    def count():
        return len(list(Path("/proc/self/fd").iterdir()))

    before = count()
    target = open_image(str(image.path))
    target.write("/a/b/c", b"x")
    with pytest.raises(TargetError):
        target.read("/a/b/c/d")
    with target.lock():
        target.write("/boot/file", b"new")
    del target
    assert count() == before


def test_an_image_that_changes_under_the_change_is_left_alone(image):
    target = open_image(str(image.path))

    def change():
        with target.lock():
            target.write("/boot/file", b"new")
            with image.path.open("r+b") as file:
                file.seek(100)
                file.write(b"somebody else")
            os.utime(image.path, ns=(1, 1))

    with pytest.raises(TargetError) as caught:
        change()
    assert caught.value.code == "target-changed"
    assert image.read("/boot/file") == b"old"


def test_progress_is_told(image):
    told = []
    target = open_image(str(image.path), progress=lambda *each: told.append(each))
    target.write("/boot/file", b"new")
    label, done, total = told[-1]
    assert "disk.img" in label
    assert done == total == image.path.stat().st_size


@pytest.mark.parametrize("where", ["/boot/file/x", "/boot"])
def test_what_cannot_be_written_is_said_before(image, where):
    with pytest.raises(TargetError):
        open_image(str(image.path)).check_writable({where: 1})


def test_links_on_fat_are_refused(tmp_path):
    image = build_image(tmp_path / "disk.img", ImageKind("gpt", boot="vfat"), {"/boot/file": b""})
    before = image.path.read_bytes()
    target = open_image(str(image.path))
    with pytest.raises(TargetError) as caught:
        target.write_link("/boot/link", "file")
    assert "FAT" in caught.value.message
    with pytest.raises(TargetError) as caught:
        target.write("/boot/a*b", b"")
    assert caught.value.code == "odd-name"
    assert image.path.read_bytes() == before


def test_names_on_fat_are_the_same_in_capitals(tmp_path):
    image = build_image(tmp_path / "disk.img", ImageKind("gpt", boot="vfat"), {"/boot/XEN.CFG": b"old"})
    target = open_image(str(image.path))
    assert target.read("/boot/xen.cfg") == b"old"
    target.write("/boot/xen.cfg", b"new")
    assert image.read("/XEN.CFG", "boot") == b"new"
    assert len(target.list("/boot")) == 1
    image.fsck()


def test_attributes_of_other_files_stay(image):
    """Labels of SELinux among them; a file that is replaced has those of a new one, as on a host."""
    label = "system_u:object_r:boot_t:s0"
    run("debugfs", "-w", "-R", f"ea_set /boot/other security.selinux {label}", image.path)
    target = open_image(str(image.path))
    target.write("/boot/file", b"new")
    assert label in image.debugfs("ea_get /boot/other security.selinux")
    image.fsck()


class TestFailures:
    """Whatever fails, the image is as it was, and nothing lies beside it."""

    @pytest.fixture
    def fails(self, image):
        before, names = image.path.read_bytes(), sorted(image.path.parent.iterdir())

        def check(code):
            target = open_image(str(image.path))
            with pytest.raises(TargetError) as caught:
                target.write("/boot/file", b"new")
            assert caught.value.code == code, caught.value
            assert image.path.read_bytes() == before
            assert sorted(image.path.parent.iterdir()) == names

        return check

    @pytest.mark.parametrize("function", ["fsync", "fchown", "fchmod", "ftruncate"])
    @pytest.mark.parametrize(("number", "code"), [(errno.EIO, "target-failed"), (errno.ENOSPC, "target-full")])
    def test_of_the_copy(self, fails, monkeypatch, function, number, code):
        def fail(*_):
            raise OSError(number, os.strerror(number))

        monkeypatch.setattr(os, function, fail)
        fails(code)

    def test_of_the_rename(self, fails, monkeypatch):
        def fail(*_):
            raise OSError(errno.EACCES, "no")

        monkeypatch.setattr(Path, "rename", fail)
        fails("target-permission")

    @pytest.mark.parametrize("pieces", [0, 1, 3])
    def test_of_a_full_disk(self, fails, monkeypatch, pieces):
        real, left = os.copy_file_range, [pieces]

        def some(source, copy, length, *offsets):
            if left[0] <= 0:
                raise OSError(errno.ENOSPC, "full")
            left[0] -= 1
            return real(source, copy, length, *offsets)

        def full(*_):
            raise OSError(errno.ENOSPC, "full")

        monkeypatch.setattr(os, "copy_file_range", some)
        monkeypatch.setattr(os, "pwrite", full)
        fails("target-full")

    @pytest.mark.parametrize("tool", ["debugfs", "e2fsck"])
    def test_of_a_program(self, fails, monkeypatch, tmp_path_factory, tool):
        """One that fails, or that does nothing and says that all is well."""
        folder = tmp_path_factory.mktemp("bin")
        (folder / tool).write_text(f"#!/bin/sh\nexit {0 if tool == 'debugfs' else 8}\n")
        (folder / tool).chmod(0o755)
        monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
        fails("write-failed" if tool == "debugfs" else "damaged-image")

    def test_of_what_is_written(self, fails, monkeypatch):
        from polpkg.targets.image import writing

        real = writing.change_ext

        def other(place, operations, **options):
            return real(place, [each._replace(content=b"other") for each in operations], **options)

        monkeypatch.setattr(writing, "change_ext", other)
        fails("write-failed")


def test_a_circle_of_directories_is_refused(image):
    """mke2fs makes none; debugfs does."""
    open_image(str(image.path)).write_tree("/srv/a", {"b/c": b""})
    run("debugfs", "-w", "-R", "link /srv/a /srv/a/b/again", image.path)
    target = open_image(str(image.path))
    with pytest.raises(TargetError) as caught:
        target.remove("/srv/a")
    assert caught.value.code == "damaged-image"


def test_who_reads_a_qcow2_does_not_use_it(tmp_path):
    image = build_image(tmp_path / "disk.img", ImageKind(format="qcow2"), {"/boot/file": b"old"})
    reader, writer = open_image(str(image.path)), open_image(str(image.path))
    assert reader.read("/boot/file") == b"old"
    writer.write("/boot/file", b"new")
    assert reader.read("/boot/file") == b"new"
    assert image.read("/boot/file") == b"new"
