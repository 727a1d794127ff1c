"""ext2, ext3, ext4 and FAT as they are read here, beside debugfs and mtools; damaged ones never surprise."""

from __future__ import annotations

import os
import random

import pytest
from disk_images import MIB, ImageKind, build_image, need_image_tools, read_at, run
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from polpkg.errors import TargetError
from polpkg.targets.image.blocks import RawFile
from polpkg.targets.image.ext import ExtFileSystem
from polpkg.targets.image.fat import FatFileSystem
from polpkg.targets.image.file_system import NodeKind
from polpkg.targets.image.signatures import EXT, FAT, identify
from polpkg.targets.image.staged import all_below, existing, find_place

CHANCE = random.Random(1)


def files():
    """Empty, small, large and sparse files, long and short links, many entries, names of any kind."""
    content = CHANCE.randbytes(300_000)
    made = {
        "/empty": b"",
        "/one": b"1",
        "/block": content[:1024],
        "/large": content,
        "/sparse": bytes(40_000) + b"x" + bytes(200_000) + b"y",
        "/deep/er/and/deeper/file": b"deep",
        "/short": "one",
        "/exactly-59": "x" * 59,
        "/exactly-60": "x" * 60,
        "/long": "/deep/" + "y" * 200,
        "/räksmörgås": b"name",
        f"/{'n' * 255}": b"long name",
        "/with space": b"space",
    }
    return made | {f"/many/entry-{n:04}-{'z' * 40}": b"%d" % n for n in range(600)}


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tree")
    for path, content in files().items():
        place = folder / path[1:]
        place.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, str):
            place.symlink_to(content)
        else:
            place.write_bytes(content)
    os.mkfifo(folder / "fifo")
    (folder / "one").chmod(0o4751)
    os.link(folder / "one", folder / "hard-link")
    return folder


@pytest.mark.parametrize(
    ("block", "options"),
    [(1024, "ext2"), (4096, "ext3"), (1024, "ext4"), (4096, "ext4"), (2048, "ext4 -O ^64bit"),
     (1024, "ext4 -O ^extent,^64bit"), (1024, "ext4 -O bigalloc"),
     (1024, "ext4 -O bigalloc,meta_bg,^resize_inode"), (1024, "ext4 -O meta_bg,^resize_inode"), (4096, "ext4 -I 128"),
     (4096, "ext4 -O bigalloc -C 16384"),
     (1024, "ext4 -O metadata_csum_seed"), (1024, "ext2 -O ^filetype"), (1024, "ext2 -r 0")],
)  # fmt: skip
def test_ext_is_read_as_it_was_written(tmp_path, tree, block, options):
    need_image_tools()
    path = tmp_path / "fs"
    run("mke2fs", "-q", "-F", "-b", block, "-d", tree, "-t", *options.split(), path, f"{40960 // (block // 1024)}")
    read = ExtFileSystem(RawFile.open(str(path)), "fs")
    assert read.is_clean
    root = existing(read, read.root)
    found = dict(all_below(root))
    assert set(found) - {"lost+found"} == {str(each.relative_to(tree)) for each in tree.rglob("*")}
    for name, entry in found.items():
        there = tree / name
        if name == "lost+found":
            continue
        if there.is_symlink():
            assert (entry.kind, entry.read()) == (NodeKind.LINK, os.fsencode(there.readlink()))
        elif there.is_dir():
            assert entry.kind is NodeKind.DIRECTORY
        elif there.is_file():
            assert (entry.kind, entry.read()) == (NodeKind.FILE, there.read_bytes()), name
            assert entry.mode == there.stat().st_mode & 0o7777
        else:
            assert entry.kind is NodeKind.OTHER
    assert found["one"].number == found["hard-link"].number


@pytest.mark.parametrize("options", ["ext2", "ext4 -O ^extent,^64bit", "ext4"])
def test_a_file_of_many_levels(tmp_path, options):
    """Indirect blocks of three levels, and a tree of extents, with 1 KiB blocks: debugfs says where they lie."""
    need_image_tools()
    path, source = tmp_path / "fs", tmp_path / "tree/file"
    source.parent.mkdir()
    with source.open("wb") as file:
        for n in range(0, 70 * MIB, 700_001):
            file.seek(n)
            file.write(b"%d" % n)
    run("mke2fs", "-q", "-F", "-b", "1024", "-d", source.parent, "-t", *options.split(), path, "60m")
    read = ExtFileSystem(RawFile.open(str(path)), "fs")
    assert find_place(existing(read, read.root), "/file").entry.read() == source.read_bytes()


def test_a_directory_with_an_index(tmp_path):
    need_image_tools()
    path, folder = tmp_path / "fs", tmp_path / "tree/d"
    folder.mkdir(parents=True)
    names = {f"{n:05}{'w' * 100}" for n in range(1500)}
    for name in names:
        (folder / name).touch()
    run("mke2fs", "-q", "-F", "-b", "1024", "-N", "4000", "-d", folder.parent, "-t", "ext4", path, "20m")
    run_allowing(1, "e2fsck", "-f", "-y", "-D", path)
    assert b"Root node dump" in run("debugfs", "-R", "htree_dump /d", path)
    read = ExtFileSystem(RawFile.open(str(path)), "fs")
    assert set(find_place(existing(read, read.root), "/d").entry.children) == names


def run_allowing(code, *words):
    from disk_images import attempt

    assert attempt(*words).returncode <= code


@pytest.mark.parametrize(
    ("bits", "size", "options"), [(12, 4, ""), (16, 32, ""), (32, 40, "-s 1"), (32, 300, "-S 4096")]
)
def test_fat_is_read_as_it_was_written(tmp_path, bits, size, options):
    need_image_tools()
    path = tmp_path / "fs"
    path.touch()
    os.truncate(path, size * MIB)
    run("mkfs.vfat", "-F", bits, "-n", "LABEL", *options.split(), path)
    expected = {}
    for name, content in files().items():
        if isinstance(content, bytes) and name.isascii() and len(name) < 200 and "many" not in name:
            expected[name[1:]] = content
    expected |= {f"EFI/BOOT/{n}.A long name of a file": b"%d" % n * 50 for n in range(80)}
    expected["UPPER.CFG"] = b"upper"
    for folder in ("deep", "deep/er", "deep/er/and", "deep/er/and/deeper", "EFI", "EFI/BOOT"):
        run("mmd", "-i", path, f"::/{folder}")
    source = tmp_path / "source"
    for name, content in expected.items():
        source.write_bytes(content)
        run("mcopy", "-i", path, source, f"::/{name}")
    run("mdel", "-i", path, "::/EFI/BOOT/7.A long name of a file")
    del expected["EFI/BOOT/7.A long name of a file"]
    disk = RawFile.open(str(path))
    assert identify(disk)[::2] == (FAT, "LABEL")
    read = FatFileSystem(disk, "fs")
    found = dict(all_below(existing(read, 0)))
    assert {name: entry.read() for name, entry in found.items() if entry.kind is NodeKind.FILE} == expected
    told = run("mdir", "-i", path, "::/").decode().partition("bytes free")[0].splitlines()[-1]
    assert read.free == int(told.replace(" ", ""))


class Edited:
    """Blocks of which some bytes are others."""

    def __init__(self, content, edits):
        changed = bytearray(content)
        for offset, value in edits:
            changed[offset % len(changed)] = value
        self._content = bytes(changed)
        self.size = len(changed)

    def read(self, offset, length):
        if offset < 0 or length < 0 or offset + length > self.size:
            raise TargetError("damaged-image", "beyond the end")
        return self._content[offset : offset + length]


@pytest.mark.parametrize("kind", ["ext2", "ext4", "vfat"])
def test_no_damage_ends_in_anything_but_an_answer_or_a_refusal(tmp_path, kind):
    boot = "vfat" if kind == "vfat" else ""
    root = "ext2" if kind == "ext2" else "ext4"
    small = {f"/boot/d{n}/file": b"x" * 3000 * n for n in range(4)}
    image = build_image(tmp_path / "disk.img", ImageKind("gpt", 512, root, boot=boot), small, root_mib=2, efi_mib=8)
    place = image.boot if boot else image.root
    content = read_at(image.path, *place)
    used = [
        n * 1024 + m
        for n in range(len(content) // 1024)
        if any(content[n * 1024 : n * 1024 + 1024])
        for m in range(1024)
    ]
    used = [n for n in used if content[n] or content[n - 1]][:60_000]

    @settings(max_examples=100, suppress_health_check=list(HealthCheck), deadline=None, derandomize=True)
    @given(st.lists(st.tuples(st.sampled_from(used), st.integers(0, 255)), min_size=1, max_size=5))
    def check(edits):
        blocks = Edited(content, edits)
        try:
            if identify(blocks) is None:
                return
            read = (FatFileSystem if boot else ExtFileSystem)(blocks, "fs")
            walk(existing(read, read.root), 12)
        except TargetError:
            return

    check()


def walk(entry, depth):
    if entry.kind is NodeKind.DIRECTORY and depth:
        for _, child in entry.children.values():
            walk(child, depth - 1)
    elif entry.kind in {NodeKind.FILE, NodeKind.LINK}:
        entry.read()


def test_what_is_on_a_partition(tmp_path):
    image = build_image(tmp_path / "disk.img", ImageKind("gpt", efi=True))
    found = identify(Edited(read_at(image.path, *image.root), ()))
    told = run("dumpe2fs", "-h", f"{image.path}?offset={image.root[0]}").decode()
    assert found.kind == EXT
    assert found.uuid in told
    assert found.label == "rrrr"
    assert identify(Edited(read_at(image.path, *image.efi), ())).uuid == "EF1E-F1EF"
    assert identify(Edited(bytes(MIB), ())) is None


@pytest.mark.parametrize(
    ("offset", "value"),
    [(254, 0xFFFF), (254, 1), (88, 0), (88, 0xFFFF), (40, 0), (24, 99), (336, 0xFFFF), (96, 0x80000000), (0, 0)],
)
def test_a_superblock_that_makes_no_sense_is_refused(tmp_path, offset, value):
    image = build_image(tmp_path / "disk.img", ImageKind(""), root_mib=2)
    content = bytearray(image.path.read_bytes())
    content[1024 + offset : 1024 + offset + 4] = value.to_bytes(4, "little")
    with pytest.raises(TargetError) as caught:
        existing(ExtFileSystem(Edited(content, ()), "fs"), 2)
    assert caught.value.code in {"damaged-image", "unsupported-file-system"}
