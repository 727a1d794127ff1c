"""`ImageTarget`: a raw or qcow2 image as a target."""

from __future__ import annotations

import os
import time
from calendar import timegm
from contextlib import ExitStack, contextmanager
from errno import EACCES, EDQUOT, EEXIST, EISDIR, ELOOP, ENOENT, ENOSPC, ENOTDIR, EPERM, EROFS
from pathlib import Path
from stat import S_ISBLK, S_ISREG
from typing import TYPE_CHECKING

from polpkg.errors import TargetError
from polpkg.targets.image.disk import Disk
from polpkg.targets.image.ext import ExtFileSystem
from polpkg.targets.image.file_system import NodeKind
from polpkg.targets.image.in_use import check_unused
from polpkg.targets.image.mounts import mount_all
from polpkg.targets.image.operations import find_operations
from polpkg.targets.image.replacing import changed_copy, check_replaceable, hold_image
from polpkg.targets.image.staged import (
    Entry,
    Place,
    existing,
    find_place,
    new_directory,
    new_file,
    new_link,
    writable_place,
)
from polpkg.targets.image.volumes import find_root, find_volumes, open_volume
from polpkg.targets.image.writing import VolumeChange, write_changes
from polpkg.targets.target import FileKind, FileStat
from polpkg.targets.tree import FILE_MODE, PROGRAM_MODE

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping

_CODES = {
    EROFS: "read-only-target",
    EACCES: "target-permission",
    EPERM: "target-permission",
    ENOSPC: "target-full",
    EDQUOT: "target-full",
    ENOENT: "no-such-file",
    ENOTDIR: "not-a-directory",
    EISDIR: "not-a-file",
    ELOOP: "link-loop",
    EEXIST: "already-there",
}

_KINDS = {NodeKind.FILE: FileKind.FILE, NodeKind.DIRECTORY: FileKind.DIRECTORY}


def open_image(
    path: str, *, partition: int | None = None, progress: Callable[[str, int, int], None] | None = None
) -> ImageTarget:
    """The image at `path` as a target.  `partition`: the number of its root, when it has several.

    `progress` is told how far the copy of a change is: what, bytes done, bytes of all.  Raises TargetError:
    `no-such-target`, `unsupported-image`, `image-in-use`, and what `find_root` and `mount_all` raise.
    """
    target = ImageTarget(path, partition, progress)
    target.check()
    return target


class _Open:
    """The image as it is now: its disk, its file systems, and its files with what is staged."""

    def __init__(self, path: str, partition: int | None) -> None:
        self.disk = Disk(path)
        self.status = os.fstat(self.disk.descriptor)
        check_unused(self.disk.descriptor, path)
        volumes = find_volumes(self.disk)
        volume = find_root(self.disk, volumes, partition)
        file_system = open_volume(self.disk, volume)
        self.root = existing(file_system, file_system.root)
        self.mounted = mount_all(self.disk, volumes, self.root, volume)

    def is_current(self, path: str) -> bool:
        """Whether nobody has replaced or changed the image since.  Raises OSError."""
        now, then = Path(path).stat(), self.status
        return os.path.samestat(now, then) and (now.st_size, now.st_mtime_ns) == (then.st_size, then.st_mtime_ns)

    def changes(self) -> list[VolumeChange]:
        """What is staged, for each file system that changes."""
        found = (VolumeChange(volume, find_operations(root)) for volume, root in self.mounted if not root.reason)
        return [each for each in found if each.operations]


class ImageTarget:
    """The files in an image; implements `Target` (see there for each method).

    What is written is staged, and done when the lock is let go without an error: in a copy, which then takes the place
    of the image.  A write without the lock is a change of its own.
    """

    def __init__(
        self, path: str, partition: int | None = None, progress: Callable[[str, int, int], None] | None = None
    ) -> None:
        """The image at `path`, which is opened when it is first used; parameters as of `open_image`."""
        self._path = str(Path(path).absolute())
        self._partition = partition
        self._progress = progress
        self._opened: _Open | None = None
        self._depth = 0

    @property
    def name(self) -> str:
        """The file of the image."""
        return self._path

    def check(self) -> None:
        """Open the image, to know that it is one.  Raises TargetError."""
        with self._reporting("open", ""):
            _ = self._image

    def stat(self, path: str) -> FileStat | None:
        """See `Target.stat`."""
        with self._reporting("look at", path):
            entry = self._entry(path)
        if entry is None:
            return None
        identity = (self._number_of(entry), entry.number)
        return FileStat(_KINDS.get(entry.kind, FileKind.OTHER), entry.size, identity, entry.mode)

    def read_link(self, path: str) -> str | None:
        """See `Target.read_link`."""
        with self._reporting("look at", path):
            entry = self._entry(path, follow=False)
            return os.fsdecode(entry.read()) if entry and entry.kind is NodeKind.LINK else None

    def list(self, path: str) -> tuple[str, ...]:
        """See `Target.list`."""
        with self._reporting("list", path):
            entry = self._entry(path)
            is_directory = entry is not None and entry.kind is NodeKind.DIRECTORY
            return tuple(sorted(name for name, _ in entry.children.values())) if entry and is_directory else ()

    def read(self, path: str) -> bytes:
        """See `Target.read`."""
        with self._reporting("read", path):
            entry = find_place(self._image.root, path).entry
            if entry is None:
                raise OSError(ENOENT, os.strerror(ENOENT))
            if entry.kind is not NodeKind.FILE:
                raise OSError(EISDIR, "it is not a regular file")
            return entry.read()

    def write(self, path: str, content: bytes, *, executable: bool = False) -> None:
        """See `Target.write`."""
        with self._changing("write", path) as root:
            place = writable_place(root, path)
            place.put(new_file(place.directory, content, PROGRAM_MODE if executable else FILE_MODE))

    def write_link(self, path: str, destination: str) -> None:
        """See `Target.write_link`."""
        with self._changing("link", path) as root:
            place = writable_place(root, path)
            if not place.directory.file_system.is_case_sensitive:
                raise OSError(EPERM, "FAT has no links")
            place.put(new_link(place.directory, destination))

    def write_tree(self, path: str, files: Mapping[str, bytes]) -> None:
        """See `Target.write_tree`."""
        with self._changing("write", path) as root:
            place = find_place(root, path, follow=False, make=True)
            if place.entry is not None:
                place.take()
            directory = new_directory(place.directory)
            place.put(directory)
            for relative, content in sorted(files.items()):
                inside = find_place(directory, relative, follow=False, make=True)
                inside.put(new_file(inside.directory, content))

    def rename(self, path: str, new_path: str) -> None:
        """See `Target.rename`."""
        with self._changing("rename", path) as root:
            old = find_place(root, path, follow=False)
            new = Place(old.directory, new_path.rpartition("/")[2])
            entry = old.entry
            if entry is None:
                raise OSError(ENOENT, os.strerror(ENOENT))
            if new.entry is not None:
                raise OSError(EEXIST, f"{new_path} is already there")
            old.take()
            new.put(entry)

    def remove(self, path: str) -> None:
        """See `Target.remove`."""
        with self._changing("remove", path) as root:
            try:
                place = find_place(root, path, follow=False)
                found = place.entry
            except (FileNotFoundError, NotADirectoryError):
                return
            if found is not None:
                place.take()

    def check_writable(self, sizes: Mapping[str, int]) -> None:
        """See `Target.check_writable`."""
        needed: dict[int, int] = {}
        for path, size in sizes.items():
            with self._reporting("write", path):
                file_system = self._destination(path)
                needed[id(file_system)] = needed.get(id(file_system), 0) + size
        for volume, root in self._image.mounted:
            file_system = root.file_system
            if isinstance(file_system, ExtFileSystem) or id(file_system) in needed:
                file_system.check_changeable()
            if needed.get(id(file_system), 0) > file_system.free:
                free = f"{file_system.free:,} bytes are free"
                raise TargetError("target-full", f"{volume.name} of {self._path} has no room: {free}")
        with self._reporting("look at", ""):
            status = os.fstat(self._image.disk.descriptor)
            check_replaceable(self._image.disk.path, status, sum(needed.values()))

    @contextmanager
    def lock(self, on_wait: Callable[[str], None] | None = None) -> Generator[None]:
        """See `Target.lock`.  What is written becomes part of the image when the context ends without an error."""
        with ExitStack() as held:
            with self._reporting("lock", ""):
                held.enter_context(hold_image(_checked(self._path), on_wait))
            with self._transaction():
                yield

    @contextmanager
    def _transaction(self) -> Generator[None]:
        self._depth += 1
        try:
            yield
            if self._depth == 1:
                with self._reporting("change", ""):
                    self._commit()
        finally:
            self._depth -= 1
            if not self._depth:
                self._opened = None

    @contextmanager
    def _changing(self, verb: str, path: str) -> Generator[Entry]:
        if not self._depth:
            with self.lock(), self._changing(verb, path) as root:
                yield root
            return
        with self._reporting(verb, path):
            yield self._image.root

    def _commit(self) -> None:
        image = self._image
        changes = image.changes()
        if not changes:
            return
        path, descriptor = image.disk.path, image.disk.descriptor
        check_replaceable(path, os.fstat(descriptor))
        check_unused(descriptor, path)
        image.disk.check_whole()
        label = f"a copy of {Path(path).name}"

        def told(done: int, total: int) -> None:
            if self._progress is not None:
                self._progress(label, done, total)

        with changed_copy(path, descriptor, image.status, told) as copy:
            disk = Disk(copy, writable=True)
            try:
                write_changes(disk, changes, timestamp=_timestamp())
            finally:
                disk.close()

    @property
    def _image(self) -> _Open:
        if self._opened is None or not (self._depth or self._opened.is_current(self._path)):
            self._opened = None
            self._opened = _Open(_checked(self._path), self._partition)
        return self._opened

    def _entry(self, path: str, *, follow: bool = True) -> Entry | None:
        try:
            return find_place(self._image.root, path, follow=follow).entry
        except (FileNotFoundError, NotADirectoryError):
            return None

    def _destination(self, path: str) -> object:
        """The file system that a file at `path` would be on.  Raises OSError when it cannot be."""
        parent = path
        while True:
            entry = self._entry(parent, follow=parent != path)
            if entry is not None:
                break
            parent = parent.rpartition("/")[0]
        if parent == path and entry.kind is NodeKind.DIRECTORY:
            raise OSError(EISDIR, os.strerror(EISDIR))
        if parent != path and entry.kind is not NodeKind.DIRECTORY:
            raise OSError(ENOTDIR, os.strerror(ENOTDIR))
        return entry.file_system

    def _number_of(self, entry: Entry) -> int:
        systems = [id(root.file_system) for _, root in self._image.mounted]
        return systems.index(id(entry.file_system))

    @contextmanager
    def _reporting(self, verb: str, path: str) -> Generator[None]:
        try:
            yield
        except OSError as error:
            code = _CODES.get(error.errno or 0, "target-failed")
            reason = error.strerror or str(error)
            what = f"{path} in {self._path}" if path else self._path
            raise TargetError(code, f"cannot {verb} {what}: {reason}") from error


def _checked(path: str) -> str:
    """The file that `path` leads to.  Raises TargetError when it is none, and OSError."""
    real = os.path.realpath(path)
    try:
        status = Path(real).stat()
    except FileNotFoundError:
        raise TargetError("no-such-target", f"there is no image {path}") from None
    if S_ISBLK(status.st_mode):
        hint = "mount it, and use --root on where it is mounted"
        raise TargetError("unsupported-image", f"{path} is a block device, not a file", hint=hint)
    if not S_ISREG(status.st_mode):
        hint = "--root works on a directory"
        raise TargetError("unsupported-image", f"{path} is not a regular file", hint=hint)
    return real


def _timestamp() -> int:
    """SOURCE_DATE_EPOCH, or now: the age of what is written."""
    from polpkg.targets.apply import creation_time

    return timegm(time.strptime(creation_time(), "%Y-%m-%dT%H:%M:%SZ"))
