"""The first file system of the box: what Linux and cpio(1) would unpack."""

import shutil
import stat
import subprocess

import pytest

from polpkg.targets.lab.cpio import Entry, pack_cpio

FILES = {
    "etc/xen/xl.conf": Entry.file(b"autoballoon\n"),
    "bin/sh": Entry.link("busybox"),
    "dev": Entry.folder(),
    "odd": Entry.file(b"x" * 5),
}


def unpack(archive):
    """An independent reader of newc: name to mode and content."""
    found, at = {}, 0
    while True:
        assert archive[at : at + 6] == b"070701"
        fields = [int(archive[at + 6 + 8 * n : at + 14 + 8 * n], 16) for n in range(13)]
        mode, size, length = fields[1], fields[6], fields[11]
        name = archive[at + 110 : at + 110 + length - 1].decode()
        at = (at + 110 + length + 3) // 4 * 4
        content = archive[at : at + size]
        at = (at + size + 3) // 4 * 4
        if name == "TRAILER!!!":
            assert at == len(archive)
            return found
        found[name] = (mode, content)


def test_holds_files_links_and_folders():
    found = unpack(pack_cpio(FILES))
    assert found["odd"] == (stat.S_IFREG | 0o755, b"x" * 5)
    assert found["bin/sh"] == (stat.S_IFLNK | 0o777, b"busybox")
    assert found["dev"] == (stat.S_IFDIR | 0o755, b"")


def test_folders_are_added_and_come_before_what_is_in_them():
    names = list(unpack(pack_cpio(FILES)))
    assert names.index("etc") < names.index("etc/xen") < names.index("etc/xen/xl.conf")


def test_the_same_files_give_the_same_bytes_in_any_order():
    assert pack_cpio(FILES) == pack_cpio(dict(reversed(FILES.items())))


@pytest.mark.interop
@pytest.mark.skipif(not shutil.which("cpio"), reason="cpio is not installed")
def test_cpio_lists_the_same(tmp_path):
    listed = subprocess.run(["cpio", "-t", "--quiet"], input=pack_cpio(FILES), capture_output=True, check=True)
    assert listed.stdout.decode().split() == ["bin", "bin/sh", "dev", "etc", "etc/xen", "etc/xen/xl.conf", "odd"]
