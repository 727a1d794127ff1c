"""Images that can be read in two ways: the reading of the kernel, or a refusal."""

from __future__ import annotations

import os
import struct

import pytest
from disk_images import MIB, ImageKind, build_image, read_at, run
from hypervisors import build_hypervisor

XEN = "/boot/xen-4.17-amd64.gz"
APART = ImageKind("gpt", 512, "ext4", boot="ext2")


@pytest.fixture(scope="module")
def hypervisor():
    return build_hypervisor("4.17")


@pytest.mark.parametrize("options", ["noauto,x-systemd.automount", "noauto", "defaults,noauto,nofail"])
def test_a_boot_partition_that_is_mounted_when_somebody_looks(call, tmp_path, hypervisor, options):
    fstab = f"LABEL=bbbb /boot ext2 {options} 0 2\nLABEL=gone /var/cd iso9660 noauto 0 0\n".encode()
    image = build_image(tmp_path / "disk.img", APART, {XEN: hypervisor, "/etc/fstab": fstab}, fstab=False)
    assert call("install", "vmv", "--image", image.path).code == 0
    assert image.read("/xenpolicy-4.17-amd64", "boot")
    image.fsck()


def test_two_partitions_with_the_label_that_is_mounted(call, tmp_path, hypervisor):
    """mount(8) takes one of them, and which one differs from boot to boot."""
    image = build_image(tmp_path / "disk.img", APART, {XEN: hypervisor})
    start, size = image.boot
    before = image.path.stat().st_size
    os.truncate(image.path, before + size + MIB)
    run("sfdisk", "--relocate", "gpt-bak-std", image.path)
    run("sfdisk", "--append", image.path, stdin=f"{before // 512},{size // 512}\n".encode())
    with image.path.open("r+b") as file:
        file.seek(before)
        file.write(read_at(image.path, start, size))
    whole = image.path.read_bytes()
    done = call("install", "vmv", "--image", image.path, "--json")
    assert done.code == 6
    assert "LABEL=bbbb, which several partitions are" in done.document["error"]["message"]
    assert image.path.read_bytes() == whole


def test_a_file_system_left_over_around_partitions(call, tmp_path, hypervisor):
    """sfdisk leaves what the whole disk was, and blkid(8) then names neither."""
    image = build_image(tmp_path / "disk.img", ImageKind("mbr", 512, "ext4"), {XEN: hypervisor})
    old = build_image(tmp_path / "old.img", ImageKind(""), {XEN: hypervisor})
    with image.path.open("r+b") as file:
        file.seek(1024)
        file.write(read_at(old.path, 1024, 8192))
    whole = image.path.read_bytes()
    done = call("install", "vmv", "--image", image.path, "--json")
    assert done.document["error"]["code"] == "unsupported-image"
    assert "left over" in done.document["error"]["message"]
    assert image.path.read_bytes() == whole


def test_fat32_with_few_clusters(call, tmp_path, hypervisor):
    """Linux takes for FAT32 what has no 16-bit size of its table; mtools counts the clusters, and finds nothing."""
    kind = ImageKind("gpt", 512, "ext4", boot="vfat")
    image = build_image(tmp_path / "disk.img", kind, {"/boot/xen": b""})
    start, size = image.boot
    part = tmp_path / "boot.fat"
    part.touch()
    os.truncate(part, size)
    run("mkfs.vfat", "-F", "32", "-s", "8", "-n", "BBBB", part)
    _put_first(part, b"XEN     GZ ", hypervisor)
    with image.path.open("r+b") as file:
        file.seek(start)
        file.write(part.read_bytes())
    image.fsck()
    whole = image.path.read_bytes()
    found = call("probe", "--image", image.path, "--json").document["hypervisors"]
    assert ["/boot/" in str(each) for each in found] == [True], found
    done = call("install", "vmv", "--image", image.path, "--json")
    assert done.document["error"]["code"] == "unsupported-file-system"
    assert "FAT32" in done.document["error"]["message"]
    assert image.path.read_bytes() == whole


def _put_first(part, short, content):
    """Put a file behind the label in the root of a FAT32 without mtools: entry, chain of clusters, content."""
    raw = bytearray(part.read_bytes())
    sector, per_cluster, reserved, copies = struct.unpack_from("<HBHB", raw, 11)
    table = struct.unpack_from("<I", raw, 36)[0] * sector
    cluster, data = sector * per_cluster, reserved * sector + copies * table
    struct.pack_into("<11sBB7xHHHHI", raw, data + 32, short, 0x20, 0x18, 0, 0, 0, 3, len(content))
    raw[data + cluster : data + cluster + len(content)] = content
    count = -(-len(content) // cluster)
    free = struct.unpack_from("<I", raw, sector + 488)[0]
    struct.pack_into("<II", raw, sector + 488, free - count, 3 + count)
    for copy in range(copies):
        for n in range(3, 3 + count):
            following = n + 1 if n < 2 + count else 0x0FFFFFFF
            struct.pack_into("<I", raw, reserved * sector + copy * table + 4 * n, following)
    part.write_bytes(raw)


def test_the_hint_is_a_command_that_works(call, tmp_path):
    image = build_image(tmp_path / "an image.img", ImageKind("gpt", 512, "ext4"))
    with image.path.open("r+b") as file:
        file.seek(image.root[0])
        file.write(b"LUKS\xba\xbe")
    hint = call("status", "--image", image.path, "--json").document["error"]["hint"]
    assert f"guestmount -a '{image.path}' -i" in hint


def test_a_qcow2_that_was_copied_in_part_only(call, tmp_path, hypervisor):
    """QEMU reads zeros for the clusters behind its end, which here hold an unrelated file."""
    files = {XEN: hypervisor, "/usr/data": bytes(range(256)) * 4096}
    image = build_image(tmp_path / "disk.img", ImageKind("gpt", 512, "ext4", format="qcow2"), files)
    os.truncate(image.path, image.path.stat().st_size - 300_000)
    cut = image.path.read_bytes()
    done = call("install", "vmv", "--image", image.path, "--json")
    assert done.code == 6
    assert done.document["error"]["code"] == "damaged-image"
    assert "qcow2" in done.document["error"]["message"]
    assert image.path.read_bytes() == cut
