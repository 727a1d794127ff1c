"""A disk of a directory tree that BIOS and UEFI boot by GRUB, made without root, loop device or mount."""

from __future__ import annotations

import os
import shutil
import struct
import subprocess
from pathlib import Path

MIB = 1 << 20
SECTOR = 512
ROOT_UUID = "11112222-0000-4000-8000-000000000001"
CORE, ESP, ROOT = (1 * MIB, 1 * MIB), (2 * MIB, 48 * MIB), (50 * MIB, 0)
"""Start and size of the partitions, in bytes; the last one takes the rest."""

GPT = """label: gpt
start={0}, size={1}, type=21686148-6449-6E6F-744E-656564454649
start={2}, size={3}, type=U
start={4}, type=L
"""
MODULES = (
    "part_gpt fat ext2 normal multiboot2 gzio search search_fs_uuid test echo loadenv serial terminal configfile "
    "reboot minicmd sleep true"
)
FEATURES = "^metadata_csum_seed,^orphan_file,^64bit,^metadata_csum"
"""What GRUB 2.06 cannot read, or not write a record to."""

TOOLS = ("sfdisk", "mke2fs", "mformat", "mmd", "mcopy", "grub-mkimage")


def missing_tools():
    """The programs that `make_disk` needs and that are not there."""
    return [name for name in TOOLS if not shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin:/sbin")]


def make_disk(root, image, size=1024 * MIB):
    """Make `image` a disk with the tree `root`, its GRUB for BIOS and for UEFI."""
    run = _runner(image.parent)
    image.unlink(missing_ok=True)
    with image.open("wb") as file:
        file.truncate(size)
    numbers = [number // SECTOR for number in (*CORE, *ESP, ROOT[0])]
    run("sfdisk", "--quiet", image, input=GPT.format(*numbers).encode())
    _put_bios_grub(run, root, image)
    _put_efi_grub(run, root, image)
    blocks = (size - ROOT[0] - MIB) // 4096
    options = ["-t", "ext4", "-O", FEATURES, "-U", ROOT_UUID, "-b", "4096", "-E", f"offset={ROOT[0]}"]
    run("mke2fs", "-q", "-F", *options, "-d", root, image, str(blocks))


def _runner(folder):
    settings = {**os.environ, "PATH": f"{os.environ['PATH']}:/usr/sbin:/sbin", "MTOOLS_SKIP_CHECK": "1"}

    def run(*words, **more):
        subprocess.run(words, check=True, cwd=folder, env=settings, capture_output=True, **more)

    return run


def _core(run, root, image, form):
    """GRUB of the tree in one file, looking for its menu on the third partition."""
    platform = Path(root) / "usr/lib/grub" / form
    modules = [*MODULES.split(), *(["biosdisk"] if form == "i386-pc" else [])]
    core = image.with_suffix(f".{form}")
    run("grub-mkimage", "-d", platform, "-O", form, "-p", "(hd0,gpt3)/boot/grub", "-o", core, *modules)
    return platform, core


def _put_bios_grub(run, root, image):
    """As grub-bios-setup does: the boot sector knows where the core is, and the core's first sector where the rest."""
    platform, core = _core(run, root, image, "i386-pc")
    first = CORE[0] // SECTOR
    content = bytearray(core.read_bytes())
    assert len(content) <= CORE[1]
    struct.pack_into("<Q", content, SECTOR - 12, first + 1)  # boot/i386/pc/diskboot.S, the first block list
    boot = bytearray((platform / "boot.img").read_bytes()[:440])
    struct.pack_into("<Q", boot, 0x5C, first)  # include/grub/i386/pc/boot.h, GRUB_BOOT_MACHINE_KERNEL_SECTOR
    with image.open("r+b") as file:
        file.write(boot)
        file.seek(CORE[0])
        file.write(content)


def _put_efi_grub(run, root, image):
    _, core = _core(run, root, image, "x86_64-efi")
    partition = f"{image}@@{ESP[0]}"
    run("mformat", "-i", partition, "-T", str(ESP[1] // SECTOR), "-h", "16", "-s", "63", "::")
    run("mmd", "-i", partition, "::/EFI", "::/EFI/BOOT")
    run("mcopy", "-i", partition, core, "::/EFI/BOOT/BOOTX64.EFI")
