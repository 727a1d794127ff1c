"""What is mounted where in an image, by its /etc/fstab.

After fstab(5).  A partition that nobody names is mounted as systemd-gpt-auto-generator(8) does: the EFI system
partition at /efi or /boot, an extended boot partition at /boot, when there is an empty directory.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from polpkg.errors import TargetError
from polpkg.targets.image.file_system import NodeKind
from polpkg.targets.image.staged import Entry, existing, find_place
from polpkg.targets.image.volumes import open_volume
from polpkg.targets.inroot import DIRECTORY_MODE

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from polpkg.targets.image.disk import Disk
    from polpkg.targets.image.volumes import Volume

_FSTAB = "/etc/fstab"
_VIRTUAL = frozenset(("swap", "tmpfs", "proc", "sysfs", "devpts", "devtmpfs", "debugfs", "xenfs", "efivarfs", "ramfs"))
_OWN = ("/boot", "/efi", "/etc", "/var", "/usr")
"""Below these polpkg looks at files; what is mounted elsewhere does not concern it."""

_OF_LOADER = ("/boot", "/efi")
"""What a boot loader reads is there, whether or not the system mounts it when it starts."""

_AUTOMOUNT = "x-systemd.automount"

_DEVICE = re.compile(r"/dev/(?:[hsv]d|xvd)a(\d+)|/dev/(?:nvme0n1|mmcblk0)p(\d+)")
_ESCAPE = re.compile(r"\\([0-7]{3})")
_DISCOVERED = {
    "c12a7328-f81f-11d2-ba4b-00a0c93ec93b": ("/efi", "/boot/efi", "/boot"),
    "bc13c2ff-59e6-4262-a352-b275fd6f7172": ("/boot",),
}
"""Types of partitions of the Discoverable Partitions Specification, and where they go."""


class _Mount(NamedTuple):
    path: str
    device: str


def mount_all(disk: Disk, volumes: Sequence[Volume], root: Entry, root_volume: Volume) -> list[tuple[Volume, Entry]]:
    """Put the other file systems of an image in their places below `root`; each with its own root, `root` first.

    What is mounted below polpkg's paths and cannot be read is refused when somebody enters it.  Raises TargetError.
    """
    mounted = [(root_volume, root)]
    for mount in sorted(_read_fstab(root)):
        found = _named(volumes, mount.device)
        volume = found[0] if len(found) == 1 else None
        if volume is root_volume or any(volume is each for each, _ in mounted):
            continue
        entry = _entry(root, mount.path)
        if entry is None or entry.kind is not NodeKind.DIRECTORY:
            raise TargetError("no-mount-point", f"{disk.path} has no directory {mount.path}, which {_FSTAB} names")
        if volume is None:
            which = "several partitions are" if found else "is not in the image"
            missing = f"{mount.path} of {disk.path} is on {mount.device}, which {which}"
            entry.mounted = _closed(root, missing)
        else:
            entry.mounted = _mounted(disk, volume, mount.path, root)
            mounted.append((volume, entry.mounted))
    for volume, path in _discovered(volumes, [each for each, _ in mounted], root):
        entry = find_place(root, path).entry
        if entry is not None:
            entry.mounted = _mounted(disk, volume, path, root)
            mounted.append((volume, entry.mounted))
    return mounted


def _read_fstab(root: Entry) -> Iterator[_Mount]:
    entry = _entry(root, _FSTAB)
    if entry is None or entry.kind is not NodeKind.FILE:
        return
    for line in entry.read().decode("utf-8", "replace").splitlines():
        fields = line.split()
        if len(fields) < 3 or fields[0].startswith("#") or fields[2] in _VIRTUAL:
            continue
        device, path = (_ESCAPE.sub(lambda found: chr(int(found[1], 8)), field) for field in fields[:2])
        options = fields[3].split(",") if len(fields) > 3 else []
        path = path.rstrip("/")
        own = _OF_LOADER if "noauto" in options and _AUTOMOUNT not in options else _OWN
        if any(path == each or path.startswith(f"{each}/") for each in own):
            yield _Mount(path, "a bind mount" if "bind" in options else device)


def _entry(root: Entry, path: str) -> Entry | None:
    try:
        return find_place(root, path).entry
    except OSError:
        return None


def _named(volumes: Sequence[Volume], device: str) -> list[Volume]:
    """The volumes that /etc/fstab may mean with `device`: several when a partition was copied with its label."""
    if device.startswith("/dev/disk/by-"):
        key, _, value = device.removeprefix("/dev/disk/by-").partition("/")
    else:
        key, _, value = device.partition("=")
    key, value = key.lower(), value.strip('"')
    number = _DEVICE.fullmatch(device)
    found: list[Volume] = []
    for volume in volumes:
        partition, signature = volume.partition, volume.signature
        known = {"partuuid": partition.uuid, "partlabel": partition.label}
        if signature is not None:
            known |= {"uuid": signature.uuid, "label": signature.label}
        is_same = known.get(key, "") == value or ("uuid" in key and known.get(key, "").lower() == value.lower())
        if (value and is_same) or (number and int(number[1] or number[2]) == partition.number):
            found.append(volume)
    return found


def _mounted(disk: Disk, volume: Volume, path: str, root: Entry) -> Entry:
    """The root of a volume, or a directory that tells why it cannot be entered."""
    try:
        file_system = open_volume(disk, volume)
    except TargetError as error:
        if error.code != "unsupported-file-system":
            raise
        return _closed(root, f"{path}: {error.message}")
    return existing(file_system, file_system.root)


def _closed(root: Entry, reason: str) -> Entry:
    """A directory that nobody can enter."""
    entry = Entry(root.file_system, NodeKind.DIRECTORY, DIRECTORY_MODE)
    entry.reason = reason
    return entry


def _discovered(volumes: Sequence[Volume], mounted: Sequence[Volume], root: Entry) -> Iterator[tuple[Volume, str]]:
    for volume in volumes:
        if volume in mounted or volume.signature is None:
            continue
        for path in _DISCOVERED.get(volume.partition.type, ()):
            entry = _entry(root, path)
            if entry is not None and entry.kind is NodeKind.DIRECTORY and not entry.mounted and not entry.children:
                yield volume, path
                break
