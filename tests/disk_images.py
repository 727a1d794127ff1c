"""Disk images for tests, made by the tools of others: sfdisk and fdisk, mke2fs, mkfs.vfat and mtools, qemu-img.

    from disk_images import ImageKind, build_image, dirty_journal

    build_image(tmp_path / "disk.img", ImageKind(table="gpt", root="ext4"), {"/boot/xen.gz": b"..."})

Nothing needs root.  `Image` says where each partition begins, so that a test can look with debugfs and mtools itself.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import NamedTuple

import pytest

MIB = 1 << 20
TOOLS = ("fdisk", "mke2fs", "e2fsck", "debugfs", "dumpe2fs", "mkfs.vfat", "fsck.fat", "mcopy", "mmd", "mdir", "mdel")
QEMU = ("qemu-img", "qemu-nbd")
PATH = os.environ.get("PATH", os.defpath) + ":/usr/sbin:/sbin"


class ImageKind(NamedTuple):
    """What an image is like.  `table`: gpt, mbr, logical (MBR with the root in a logical partition) or "" for none."""

    table: str = "gpt"
    sector: int = 512
    root: str = "ext4"
    boot: str = ""
    efi: bool = False
    format: str = "raw"

    def __str__(self):
        parts = (self.table or "bare", str(self.sector), self.root, self.boot and f"boot={self.boot}")
        return "-".join(filter(None, (*parts, "efi" if self.efi else "", self.format)))


PLAIN = ImageKind()


class Image(NamedTuple):
    """A built image: where the root, /boot and the EFI system partition begin and how large they are, in bytes."""

    path: Path
    kind: ImageKind
    root: tuple[int, int]
    boot: tuple[int, int] | None
    efi: tuple[int, int] | None

    def raw(self):
        """The disk as a raw file: the image itself, or what qemu-img makes of it."""
        if self.kind.format == "raw":
            return self.path
        raw = self.path.with_suffix(".as-raw")
        run("qemu-img", "convert", "-O", "raw", self.path, raw)
        return raw

    def fsck(self):
        """What e2fsck and fsck.fat find wrong: nothing."""
        raw = self.raw()
        for place, kind in ((self.root, self.kind.root), (self.boot, self.kind.boot), (self.efi, "vfat")):
            if place is not None:
                part = raw.with_suffix(".part")
                part.write_bytes(read_at(raw, *place))
                run(*(("fsck.fat", "-n") if kind == "vfat" else ("e2fsck", "-fn")), part)

    def read(self, path, part="root"):
        """A file on a partition, as debugfs or mtools reads it; None when there is none."""
        raw, place = self.raw(), getattr(self, part)
        kind = self.kind.root if part == "root" else self.kind.boot if part == "boot" else "vfat"
        if kind == "vfat":
            done = attempt("mcopy", "-i", f"{raw}@@{place[0]}", f"::{path}", "-")
            return done.stdout if done.returncode == 0 else None
        copy = raw.with_suffix(".dumped")
        copy.unlink(missing_ok=True)
        attempt("debugfs", "-R", f'dump "{path}" {copy}', f"{raw}?offset={place[0]}")
        return copy.read_bytes() if copy.exists() else None

    def debugfs(self, command, part="root"):
        """What debugfs answers."""
        return attempt("debugfs", "-R", command, f"{self.raw()}?offset={getattr(self, part)[0]}").stdout.decode()


def need_image_tools(*more):
    """Skip the test when the tools are not there."""
    missing = [tool for tool in (*TOOLS, *more) if shutil.which(tool, path=PATH) is None]
    if missing:
        pytest.skip(f"needs {', '.join(missing)}")


def attempt(*words, stdin=b""):
    environment = {**os.environ, "PATH": PATH, "MTOOLS_SKIP_CHECK": "1", "LC_ALL": "C.UTF-8"}
    return subprocess.run(
        [str(word) for word in words], input=stdin, capture_output=True, env=environment, timeout=120, check=False
    )


def run(*words, stdin=b""):
    done = attempt(*words, stdin=stdin)
    assert done.returncode == 0, (words, done.stdout, done.stderr)
    return done.stdout


def read_at(path, offset, length):
    with path.open("rb") as file:
        file.seek(offset)
        return file.read(length)


def build_image(path, kind=PLAIN, files=None, *, fstab=True, root_mib=24, efi_mib=36):
    """An image at `path` with these files by path, text for links and None for directories; `fstab`: write one."""
    need_image_tools(*(QEMU if kind.format == "qcow2" else ()))
    sizes = [
        *([efi_mib] if kind.efi else []),
        *([efi_mib if kind.boot == "vfat" else 12] if kind.boot else []),
        root_mib,
    ]
    starts = [MIB + sum(sizes[:n]) * MIB for n in range(len(sizes))]
    raw = path if kind.format == "raw" else path.with_suffix(".building")
    raw.touch()
    if kind.table:
        if kind.table == "logical":
            starts[-1] += MIB
        os.truncate(raw, starts[-1] + sizes[-1] * MIB + MIB)
        _partition(raw, kind, starts, sizes)
    else:
        starts = [0]
        os.truncate(raw, sizes[0] * MIB)
    places = [(start, size * MIB) for start, size in zip(starts, sizes, strict=True)]
    efi = places[0] if kind.efi else None
    boot = places[-2] if kind.boot else None
    contents = {"/etc": None, "/usr": None, "/boot": None, "/var/lib": None, **(files or {})}
    if efi:
        contents["/boot/efi"] = None
    if fstab:
        contents["/etc/fstab"] = _fstab(kind).encode()
    _fill(raw, kind.root, places[-1], contents, lambda p: not _on_other(kind, p))
    if boot:
        on_boot = {
            p.removeprefix("/boot"): c for p, c in contents.items() if p.startswith("/boot/") and p != "/boot/efi"
        }
        on_boot = {p: c for p, c in on_boot.items() if not p.startswith("/efi/")} | ({"/efi": None} if efi else {})
        _fill(raw, kind.boot, boot, on_boot, lambda _: True, "bbbb")
    if efi:
        on_efi = {p.removeprefix("/boot/efi"): c for p, c in contents.items() if p.startswith("/boot/efi/")}
        _fill(raw, "vfat", efi, on_efi, lambda _: True, "EF1EF1EF")
    if kind.format == "qcow2":
        run("qemu-img", "convert", "-O", "qcow2", raw, path)
        raw.unlink()
    return Image(path, kind, places[-1], boot, efi)


def _on_other(kind, path):
    return (kind.boot and path.startswith("/boot/")) or (kind.efi and path.startswith("/boot/efi/"))


def _partition(raw, kind, starts, sizes):
    """Through fdisk, which alone makes tables with sectors of 4096 bytes without such a device."""
    unit = kind.sector
    lines = ["g" if kind.table == "gpt" else "o"]
    for number, (start, size) in enumerate(zip(starts, sizes, strict=True), 1):
        last = (start + size * MIB) // unit - 1
        if kind.table == "gpt":
            lines += ["n", str(number), str(start // unit), str(last)]
        elif kind.table == "logical" and number == len(starts):
            lines += ["n", "e", str(number), str((start - MIB) // unit), "", "n"]
            lines += [str(start // unit), str(last)]
        else:
            lines += ["n", "p", str(number), str(start // unit), str(last)]
    if kind.efi:
        lines += ["t", *(["1"] if len(starts) > 1 else []), "1" if kind.table == "gpt" else "ef"]
    run("fdisk", "-b", str(unit), "-w", "always", "-W", "always", raw, stdin="\n".join([*lines, "w", ""]).encode())


def _fstab(kind):
    lines = ["# a comment", "LABEL=rrrr / auto errors=remount-ro 0 1", "proc /proc proc defaults 0 0"]
    if kind.boot:
        lines.append(
            "LABEL=BBBB /boot auto defaults 0 2" if kind.boot == "vfat" else "LABEL=bbbb /boot auto defaults 0 2"
        )
    if kind.efi:
        lines.append("UUID=EF1E-F1EF /boot/efi vfat umask=0077 0 1")
    return "\n".join([*lines, ""])


def _fill(raw, kind, place, contents, belongs, label="rrrr"):
    tree = raw.with_suffix(".tree")
    tree.mkdir()
    for path, content in contents.items():
        if belongs(path):
            _put(tree / path[1:], content)
    if kind == "vfat":
        _make_fat(raw, place, tree, label)
    else:
        options = ["-E", f"offset={place[0]},root_owner=0:0", "-L", label, "-d", tree]
        run("mke2fs", "-q", "-F", "-t", kind, "-b", "1024", *options, raw, f"{place[1] // 1024}k")
    shutil.rmtree(tree)


def _put(place, content):
    place.parent.mkdir(parents=True, exist_ok=True)
    if content is None:
        place.mkdir(exist_ok=True)
    elif isinstance(content, str):
        place.symlink_to(content)
    else:
        place.write_bytes(content)


def _make_fat(raw, place, tree, label):
    part = raw.with_suffix(".fat")
    part.touch()
    os.truncate(part, place[1])
    run("mkfs.vfat", "-n", label.upper(), *(["-i", label] if len(label) == 8 else []), part)
    for entry in sorted(tree.iterdir()):
        run("mcopy", "-s", "-i", part, entry, "::/")
    with raw.open("r+b") as file:
        file.seek(place[0])
        file.write(part.read_bytes())
    part.unlink()


def dirty_journal(image, path, content):
    """Bring a file into a raw image as a crash would leave it: in a transaction of the journal only.

    debugfs writes it into a copy, and what that changed goes into the journal of the image.
    """
    start, size = image.root
    part, changed = image.path.with_suffix(".clean"), image.path.with_suffix(".changed")
    source = image.path.with_suffix(".source")
    part.write_bytes(read_at(image.path, start, size))
    shutil.copy(part, changed)
    source.write_bytes(content)
    attempt("debugfs", "-w", "-R", f"write {source} {path}", changed)
    old, new, block = part.read_bytes(), changed.read_bytes(), 1024
    numbers = [
        n for n in range(2, size // block) if old[n * block : (n + 1) * block] != new[n * block : (n + 1) * block]
    ]
    data = image.path.with_suffix(".journal")
    data.write_bytes(b"".join(new[n * block : (n + 1) * block] for n in numbers))
    script = image.path.with_suffix(".script")
    script.write_text(f"jo\njw -b {','.join(map(str, numbers))} {data}\njc\n")
    run("debugfs", "-w", "-f", script, part)
    assert b"needs_recovery" in run("dumpe2fs", "-h", part)
    with image.path.open("r+b") as file:
        file.seek(start)
        file.write(part.read_bytes())
    for each in (part, changed, source, data, script):
        each.unlink()
