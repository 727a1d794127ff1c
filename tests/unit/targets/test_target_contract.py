"""What every target promises (`polpkg.targets.target.Target`), of a tree, this machine and hosts behind a shell.

A host is a session with a POSIX sh: of this machine, once with the programs of Debian, once with those of busybox,
both with a directory for `/`; and one behind a real sshd, whose `/` is a directory of ours.
"""

from __future__ import annotations

import os
import shutil
from contextlib import ExitStack
from stat import S_IMODE
from threading import Event, Thread
from typing import NamedTuple

import pytest
from image_places import MirroredImage
from ssh_hosts import ssh_host, why_no_host

from polpkg.errors import TargetError
from polpkg.targets.host.local import LocalHost
from polpkg.targets.host.open import open_host
from polpkg.targets.host.remote import RemoteHost
from polpkg.targets.host.session import Session
from polpkg.targets.host.ssh import checked
from polpkg.targets.layout import LOCK
from polpkg.targets.target import FileKind
from polpkg.targets.tree import TreeTarget

EVERY_BYTE = bytes(range(256))
LARGE = EVERY_BYTE * 12_001
"""More than one block of a transfer, and not a whole number of them."""

KINDS = ("tree", "local", "dash", "busybox", "bash", "ssh", "image")


class Place(NamedTuple):
    """A target, the directory that is its `/`, and how to open the same target once more."""

    target: object
    root: object
    again: object

    def names(self):
        return sorted(str(path.relative_to(self.root)) for path in self.root.rglob("*"))


def busybox(folder):
    """A folder in which all programs are busybox."""
    program = shutil.which("busybox")
    if program is None:
        pytest.skip("needs busybox")
    folder.mkdir()
    for name in "sh cat chmod dd id ln mkdir mv readlink rm rmdir sleep stat sync timeout true wc".split():
        (folder / name).symlink_to(program)
    (folder / "flock").symlink_to(shutil.which("flock"))  # Debian's busybox comes without
    return ["env", f"PATH={folder}", "sh"]


def shell_of(kind, folder):
    if kind == "busybox":
        return busybox(folder / "busybox")
    if shutil.which(kind) is None:
        pytest.skip(f"needs {kind}")
    return [kind, "--posix"] if kind == "bash" else [kind]


@pytest.fixture(scope="module")
def machine(tmp_path_factory):
    if reason := why_no_host():
        pytest.skip(reason)
    with ssh_host(tmp_path_factory.mktemp("ssh") / "host") as host:
        yield host


@pytest.fixture(params=KINDS)
def place(request, tmp_path, monkeypatch):
    kind = request.param
    root = tmp_path / "root"
    if kind == "ssh":
        machine = request.getfixturevalue("machine")
        machine.patch_path(monkeypatch)
        yield from opened_by_ssh(machine)
        return
    if kind == "image":
        mirrored = MirroredImage(tmp_path)
        yield Place(mirrored, root, lambda: mirrored.target)
        return
    root.mkdir()
    if kind in {"tree", "local"}:
        make = TreeTarget if kind == "tree" else LocalHost
        yield Place(make(str(root)), root, lambda: make(str(root)))
        return
    argv = shell_of(kind, tmp_path)
    with ExitStack() as stack:

        def connect():
            session = Session(["sh", "-c", 'umask 077; exec "$@"', "sh", *argv])
            stack.callback(session.close)
            return RemoteHost(checked(session, "the host"), "the host", top=str(root))

        yield Place(connect(), root, connect)


def opened_by_ssh(machine):
    """The machine behind sshd; what a test leaves there is taken away."""
    kept = set(machine.root.iterdir())
    with ExitStack() as stack:

        def connect():
            host = open_host(machine.address)
            stack.callback(host.session.close)
            return host

        yield Place(connect(), machine.root, connect)
    for path in set(machine.root.iterdir()) - kept:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()


@pytest.fixture
def target(place):
    return place.target


@pytest.fixture
def root(place):
    return place.root


def code_of(action, *arguments, **options):
    with pytest.raises(TargetError) as caught:
        action(*arguments, **options)
    assert caught.value.exit_code == 6
    assert "Traceback" not in caught.value.message
    return caught.value.code


@pytest.mark.parametrize("content", [b"", b"\n", b"no newline", EVERY_BYTE, LARGE], ids=len)
def test_reads_what_it_wrote(target, root, content):
    target.write("/boot/xenpolicy-4.17.7", content)
    assert target.read("/boot/xenpolicy-4.17.7") == content
    assert (root / "boot/xenpolicy-4.17.7").read_bytes() == content
    assert target.list("/boot") == ("xenpolicy-4.17.7",)
    assert target.stat("/boot/xenpolicy-4.17.7").size == len(content)


@pytest.mark.parametrize(
    "name", ["a b", "a'b", 'a"b', "$(id)", "`id`", "a\nb", "a\\b", "*", "-n", ".hidden", "é", "\udcff", "a;b", "!x"]
)
def test_any_name_is_only_a_name(target, root, name):
    if isinstance(target, MirroredImage) and not name.isprintable() and name.isascii():
        assert code_of(target.write, f"/boot/{name}", b"1") == "odd-name", "debugfs takes commands by lines"
        return
    target.write(f"/boot/{name}", b"1")
    assert target.list("/boot") == (name,)
    assert target.read(f"/boot/{name}") == b"1"
    assert target.stat(f"/boot/{name}").kind is FileKind.FILE
    target.write_link(f"/link {name}", name)
    assert target.read_link(f"/link {name}") == name.removesuffix("\n")
    target.remove(f"/boot/{name}")
    assert list((root / "boot").iterdir()) == []


def test_modes_do_not_depend_on_the_umask(target, root):
    before = os.umask(0o077)
    try:
        target.write("/srv/polpkg/policy.toml", b"")
        target.write("/srv/script", b"", executable=True)
        target.write_tree("/srv/x", {"a/b": b""})
    finally:
        os.umask(before)
    modes = {str(p.relative_to(root)): S_IMODE(p.stat().st_mode) for p in (root / "srv").rglob("*")}
    assert modes == {
        "srv/polpkg": 0o755,
        "srv/polpkg/policy.toml": 0o644,
        "srv/script": 0o755,
        "srv/x": 0o755,
        "srv/x/a": 0o755,
        "srv/x/a/b": 0o644,
    }


def test_writing_replaces_a_link_and_leaves_what_it_led_to(target, root):
    (root / "srv").mkdir()
    (root / "srv/other").write_bytes(b"other")
    (root / "srv/file").symlink_to("other")
    target.write("/srv/file", b"new")
    assert not (root / "srv/file").is_symlink()
    assert (root / "srv/other").read_bytes() == b"other"


def test_writing_replaces_a_link_to_a_directory(target, root, request):
    (root / "srv/directory").mkdir(parents=True)
    (root / "srv/file").symlink_to("directory")
    if "busybox" in request.node.name:  # its mv refuses, which harms nobody: nothing else is written there
        assert code_of(target.write, "/srv/file", b"new") == "not-a-file"
        assert target.list("/srv") == ("directory", "file")
        return
    target.write("/srv/file", b"new")
    assert target.read("/srv/file") == b"new"
    assert list((root / "srv/directory").iterdir()) == []


def test_a_directory_is_not_replaced_by_a_file(target, root):
    (root / "boot/xenpolicy-1").mkdir(parents=True)
    (root / "boot/xenpolicy-1/file").touch()
    assert code_of(target.write, "/boot/xenpolicy-1", b"new") in {"not-a-file", "target-failed"}
    assert target.list("/boot") == ("xenpolicy-1",)
    assert target.list("/boot/xenpolicy-1") == ("file",)


def test_links_are_followed_and_are_the_same_file(target, root):
    (root / "srv/real").mkdir(parents=True)
    (root / "srv/real/xen.gz").write_bytes(b"xen")
    (root / "srv/short").symlink_to("real")
    assert target.read("/srv/short/xen.gz") == b"xen"
    assert target.list("/srv/short") == ("xen.gz",)
    assert target.stat("/srv/short/xen.gz").identity == target.stat("/srv/real/xen.gz").identity
    assert target.stat("/srv/short").kind is FileKind.DIRECTORY
    assert target.read_link("/srv/short") == "real"
    assert target.read_link("/srv/real") is None


def test_removing_a_directory_does_not_follow_links(target, root, tmp_path):
    outside = tmp_path / "precious"
    outside.mkdir()
    (outside / "file").touch()
    target.write_tree("/generations/1", {"a": b"", "b/c": b""})
    (root / "generations/1/link").symlink_to(outside)
    target.remove("/generations/1")
    assert target.list("/generations") == ()
    assert (outside / "file").exists()


def test_removing_a_link_leaves_what_it_leads_to(target, root):
    target.write("/srv/directory/file", b"1")
    target.write_link("/srv/link", "directory")
    target.remove("/srv/link")
    assert target.list("/srv") == ("directory",)
    target.write_link("/srv/dangling", "nowhere")
    target.remove("/srv/dangling")
    assert target.list("/srv") == ("directory",)


def test_a_loop_of_links_is_an_error(target, root):
    (root / "a").symlink_to("b")
    (root / "b").symlink_to("a")
    assert code_of(target.read, "/a/x") == "link-loop"


def test_a_planted_temporary_link_is_not_written_through(target, root):
    (root / "boot").mkdir()
    (root / "precious").write_bytes(b"precious")
    (root / "boot/.polpkg-new").symlink_to("../precious")
    target.write("/boot/xenpolicy-1", b"new")
    assert (root / "precious").read_bytes() == b"precious"
    assert target.list("/boot") == ("xenpolicy-1",)


def test_what_is_not_there(target, root):
    (root / "file").touch()
    assert target.stat("/nowhere/at/all") is None
    assert target.stat("/file/below") is None
    assert target.list("/nowhere") == ()
    assert target.list("/file") == ()
    assert target.read_link("/nowhere") is None
    assert code_of(target.read, "/nowhere") == "no-such-file"
    target.remove("/nowhere/at/all")


def test_a_dangling_link_leads_to_nothing(target, root):
    (root / "link").symlink_to("nowhere")
    assert target.stat("/link") is None
    assert target.read_link("/link") == "nowhere"
    assert "link" in target.list("/")


def test_kinds(target, root):
    os.mkfifo(root / "fifo")
    assert target.stat("/").kind is FileKind.DIRECTORY
    assert target.stat("/fifo").kind is FileKind.OTHER
    assert code_of(target.read, "/fifo") == "not-a-file"
    assert code_of(target.read, "/") == "not-a-file"


def test_links_are_switched(target, root):
    target.write("/state/generations/1/file", b"1")
    target.write("/state/generations/2/file", b"2")
    for number in "1", "2":
        target.write_link("/state/current", f"generations/{number}")
        assert target.read_link("/state/current") == f"generations/{number}"
        assert target.read("/state/current/file") == number.encode()
    assert target.list("/state") == ("current", "generations")
    assert target.list("/state/generations/1") == ("file",)


def test_a_tree_replaces_what_was_there(target, root):
    target.write_tree("/g/.new-1", {"old": b"1", "deep/er/file": EVERY_BYTE, "empty": b""})
    target.write_tree("/g/.new-1", {"deep/other": LARGE, "a b'c": b"2"})
    assert sorted(p.name for p in (root / "g/.new-1").rglob("*")) == ["a b'c", "deep", "other"]
    assert target.read("/g/.new-1/deep/other") == LARGE
    target.write_tree("/g/.new-1", {})
    assert target.list("/g/.new-1") == ()


def test_rename_does_not_replace(target):
    target.write_tree("/g/.new-1", {"a": b"1"})
    target.rename("/g/.new-1", "/g/1")
    assert target.read("/g/1/a") == b"1"
    target.write_tree("/g/.new-1", {})
    assert code_of(target.rename, "/g/.new-1", "/g/1") == "already-there"
    assert target.read("/g/1/a") == b"1"


def test_a_file_in_the_way_of_a_directory(target, root):
    (root / "boot").touch()
    assert code_of(target.write, "/boot/xenpolicy-1", LARGE) == "not-a-directory"
    assert target.stat("/boot").size == 0, "and the next call is answered"


class TestPreflight:
    def refusal(self, target, path="/boot/xenpolicy-1", size=100):
        return code_of(target.check_writable, {"/srv/other": 1, path: size})

    def test_changes_nothing(self, target, place):
        before = sorted(place.root.iterdir())
        target.check_writable({"/boot/xenpolicy-1": 100, "/var/lib/polpkg/x/y": 5})
        target.check_writable({})
        assert sorted(place.root.iterdir()) == before

    def test_file_in_the_way(self, target, root):
        (root / "boot").touch()
        assert self.refusal(target) == "not-a-directory"

    def test_directory_in_the_way(self, target, root):
        (root / "boot/xenpolicy-1").mkdir(parents=True)
        assert self.refusal(target) == "not-a-file"

    def test_no_room(self, target):
        assert self.refusal(target, size=1 << 60) == "target-full"


class TestLock:
    @pytest.fixture(autouse=True)
    def _is_a_file(self, target):
        if isinstance(target, MirroredImage):
            pytest.skip("the lock of an image is on the file that it is in: see test_image_target.py")

    def test_leaves_nothing_when_nothing_was_changed(self, target, place):
        before = sorted(place.root.iterdir())
        with target.lock():
            assert target.stat(LOCK) is not None
            assert S_IMODE((place.root / LOCK[1:]).stat().st_mode) == 0o600
        assert sorted(place.root.iterdir()) == before

    def test_stays_when_something_was_written(self, target):
        with target.lock():
            target.write("/var/lib/polpkg/marks.json", b"{}")
        assert target.stat(LOCK) is not None
        with target.lock(pytest.fail):
            pass
        assert target.stat(LOCK) is not None

    def test_directories_that_were_there_stay(self, target, place):
        (place.root / "var/lib").mkdir(parents=True)
        with target.lock():
            pass
        assert sorted(p.name for p in (place.root / "var").rglob("*")) == ["lib"]

    def test_a_second_one_waits_and_says_so(self, target, place):
        other = place.again()
        waiting, held = Event(), Event()
        said = []

        def on_wait(line):
            said.append(line)
            waiting.set()

        def take():
            with other.lock(on_wait):
                held.set()

        with target.lock(pytest.fail):
            thread = Thread(target=take)
            thread.start()
            assert waiting.wait(30)
            assert not held.wait(0.1)
            target.write("/var/lib/polpkg/marks.json", b"{}")
        thread.join(30)
        assert held.is_set()
        assert len(said) == 1
        assert other.name in said[0]

    def test_one_that_cannot_be_made(self, target, root):
        (root / "var").touch()
        with pytest.raises(TargetError) as caught, target.lock():
            pass
        assert caught.value.exit_code == 6
