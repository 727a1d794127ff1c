"""Partition tables: what fdisk wrote is read, and a damaged one is refused and never believed."""

from __future__ import annotations

import json
import os
from zlib import crc32

import pytest
from disk_images import MIB, ImageKind, attempt, build_image, need_image_tools, run
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from polpkg.errors import TargetError
from polpkg.targets.image.blocks import RawFile
from polpkg.targets.image.partitions import read_partitions

PLANS = {
    ("gpt", 512): "g\nn\n1\n2048\n+5M\nn\n2\n\n+7M\nn\n7\n\n\nt\n1\n1\n",
    ("gpt", 4096): "g\nn\n1\n256\n+5M\nn\n2\n\n+7M\nn\n7\n\n\nt\n1\n1\n",
    ("dos", 512): "o\nn\np\n1\n2048\n+5M\nn\ne\n2\n\n\nn\n\n+7M\nn\n\n+6M\nn\n\n\nt\n1\nef\n",
    ("dos", 4096): "o\nn\np\n1\n256\n+5M\nn\ne\n2\n\n\nn\n\n+7M\nn\n\n+6M\nn\n\n\nt\n1\nef\n",
}


@pytest.fixture(scope="module")
def disks(tmp_path_factory):
    """A disk for each plan; those with sectors of 512 bytes also as sfdisk reads them."""
    need_image_tools("sfdisk")
    folder = tmp_path_factory.mktemp("disks")
    made = {}
    for (label, sector), script in PLANS.items():
        path = folder / f"{label}-{sector}"
        path.touch()
        os.truncate(path, 40 * MIB)
        run("fdisk", "-b", sector, path, stdin=f"{script}w\n".encode())
        made[label, sector] = path
    return made


class Memory:
    def __init__(self, content):
        self.content = content
        self.size = len(content)

    def read(self, offset, length):
        if offset + length > self.size:
            raise TargetError("damaged-image", "too short")
        return self.content[offset : offset + length]


@pytest.mark.parametrize("label", ["gpt", "dos"])
def test_as_sfdisk_reads_it(disks, label):
    path = disks[label, 512]
    told = json.loads(run("sfdisk", "--json", path))["partitiontable"]["partitions"]
    expected = [
        (each["start"] * 512, each["size"] * 512, each.get("uuid", "").lower(), each["type"].lower())
        for each in told
        if each["type"] not in {"5", "f"}
    ]
    found = read_partitions(RawFile.open(str(path)))
    compared = [(p.start, p.size, p.uuid if label == "gpt" else "", p.type) for p in found]
    assert compared == expected
    assert [p.number for p in found] == ([1, 2, 7] if label == "gpt" else [1, 5, 6, 7])


@pytest.mark.parametrize("label", ["gpt", "dos"])
def test_sectors_of_4096_bytes(disks, label):
    small, large = (read_partitions(RawFile.open(str(disks[label, size]))) for size in (512, 4096))
    assert [(p.number, p.type) for p in small] == [(p.number, p.type) for p in large]
    assert small[0].start == large[0].start == MIB
    assert large[-1].start + large[-1].size <= 40 * MIB


def test_none_and_no_table_at_all():
    assert read_partitions(Memory(bytes(4 * MIB))) is None
    assert read_partitions(Memory(b"")) is None
    assert read_partitions(Memory(b"\xeb\x63" + b"code" * 127 + b"\x55\xaa" + bytes(MIB))) is None


def damaged(content, *edits):
    changed = bytearray(content)
    for offset, data in edits:
        changed[offset : offset + len(data)] = data
    return Memory(bytes(changed))


def with_checksums(content):
    """The same with the checksums of a GPT made right again."""
    changed = bytearray(content)
    entries = crc32(bytes(changed[1024 : 1024 + 128 * 128]))
    changed[512 + 88 : 512 + 92] = entries.to_bytes(4, "little")
    changed[512 + 16 : 512 + 20] = bytes(4)
    header = crc32(bytes(changed[512 : 512 + 92]))
    changed[512 + 16 : 512 + 20] = header.to_bytes(4, "little")
    return Memory(bytes(changed))


@pytest.mark.parametrize(
    "edit",
    [
        (512 + 8, b"\x00\x00\x02\x00"),
        (512 + 16, None),
        (512 + 24, b"\x07"),
        (512 + 80, b"\xff\xff\xff\xff"),
        (1024 + 16, None),
        (1024 + 32, b"\x01"),
        (512, bytes(8)),
    ],
)
def test_a_damaged_gpt_is_refused(disks, edit):
    """None: the byte there, which differs from disk to disk, turned over."""
    content = disks["gpt", 512].read_bytes()
    offset, data = edit
    with pytest.raises(TargetError) as caught:
        read_partitions(damaged(content, (offset, data or bytes([content[offset] ^ 0xFF]))))
    assert caught.value.code == "damaged-partition-table"


@pytest.mark.parametrize(
    ("offset", "data"),
    [
        (1024 + 40, (0xFFFFFFFF).to_bytes(8, "little")),
        (1024 + 32, (1).to_bytes(8, "little")),
        (1024 + 128 + 32, (2048).to_bytes(8, "little")),
    ],
    ids=["beyond the end", "over the table", "over another"],
)
def test_a_gpt_that_contradicts_itself_is_refused(disks, offset, data):
    content = bytearray(disks["gpt", 512].read_bytes())
    content[offset : offset + 8] = data
    with pytest.raises(TargetError) as caught:
        read_partitions(with_checksums(bytes(content)))
    assert caught.value.code == "damaged-partition-table"


def test_an_mbr_that_reaches_beyond_the_disk_is_refused(disks):
    content = disks["dos", 512].read_bytes()
    with pytest.raises(TargetError):
        read_partitions(damaged(content, (446 + 12, b"\xff\xff\xff\x7f")))


def test_a_chain_of_logical_partitions_that_turns_back_is_refused(disks):
    content = disks["dos", 512].read_bytes()
    extended = int.from_bytes(content[446 + 24 : 446 + 28], "little") * 512
    with pytest.raises(TargetError) as caught:
        read_partitions(damaged(content, (extended + 446 + 16 + 8, bytes(4))))
    assert caught.value.code == "damaged-partition-table"


@pytest.mark.parametrize("plan", PLANS, ids=str)
def test_no_damage_ends_in_anything_but_an_answer_or_a_refusal(disks, plan):
    content = disks[plan].read_bytes()
    interesting = [*range(446, 512), *range(plan[1], plan[1] + 100), *range(2 * plan[1], 2 * plan[1] + 600)]

    @settings(max_examples=150, suppress_health_check=list(HealthCheck), deadline=None, derandomize=True)
    @given(st.lists(st.tuples(st.sampled_from(interesting), st.integers(0, 255)), min_size=1, max_size=6))
    def check(edits):
        try:
            found = read_partitions(damaged(content, *((offset, bytes([value])) for offset, value in edits)))
        except TargetError:
            return
        for each in found or ():
            assert 0 <= each.start < each.start + each.size <= len(content)

    check()


def test_a_sector_size_is_told_by_what_is_on_the_partitions(tmp_path):
    """An MBR does not say how large its sectors are: both readings fit on this disk."""
    for sector in (512, 4096):
        kind = ImageKind("mbr", sector)
        image = build_image(tmp_path / f"{sector}.img", kind, root_mib=8)
        found = read_partitions(RawFile.open(str(image.path)))
        assert [(p.start, p.size) for p in found] == [image.root]
        with image.path.open("r+b") as file:
            file.truncate(100 * MIB)
        found = read_partitions(RawFile.open(str(image.path)))
        assert [(p.start, p.size) for p in found] == [image.root]


def test_fdisk_agrees_on_whether_there_is_a_table(tmp_path):
    image = build_image(tmp_path / "disk.img", ImageKind(""))
    assert b"Disklabel type" not in attempt("fdisk", "-l", image.path).stdout


def test_an_mbr_that_can_be_read_in_two_ways_is_refused(tmp_path):
    """A file system where the partition begins with sectors of 512 bytes, and one where it begins with 4096."""
    image = build_image(tmp_path / "disk.img", ImageKind("mbr"), root_mib=4)
    start, size = image.root
    with image.path.open("r+b") as file:
        file.truncate(100 * MIB)
        file.seek(start)
        content = file.read(size)
        file.seek(start * 8)
        file.write(content)
    with pytest.raises(TargetError) as caught:
        read_partitions(RawFile.open(str(image.path)))
    assert "4096" in caught.value.message
