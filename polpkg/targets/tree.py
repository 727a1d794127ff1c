"""A directory tree as a target: a chroot, a build root, a mounted image, or `/` itself."""

from __future__ import annotations

import os
from contextlib import ExitStack, contextmanager, suppress
from errno import EACCES, EDQUOT, EISDIR, ELOOP, ENOENT, ENOSPC, ENOTDIR, EPERM, EROFS
from pathlib import Path
from stat import S_ISLNK, S_ISREG
from typing import TYPE_CHECKING

from polpkg.errors import TargetError
from polpkg.targets.inroot import (
    DIRECTORY_MODE,
    Entry,
    entry_below,
    list_names,
    make_directory,
    remove_entry,
    set_mode,
    set_time,
    sync_directory,
)
from polpkg.targets.layout import TEMPORARY
from polpkg.targets.target import file_stat

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping
    from contextlib import AbstractContextManager

    from polpkg.targets.target import FileStat

MAX_FILE_SIZE = 1 << 30
"""The largest file that is read: far above any hypervisor, and a bound for what a damaged tree can cost."""

FILE_MODE = 0o644
PROGRAM_MODE = 0o755

_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC

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
}


def open_tree(root: str, *, create: bool = False) -> TreeTarget:
    """The directory `root` as a target.  With `create` it need not exist: the first file written makes it.

    Raises TargetError `no-such-target` or `not-a-directory`.
    """
    if Path(root).is_dir():
        return TreeTarget(root)
    if Path(root).exists() or Path(root).is_symlink():
        raise TargetError("not-a-directory", f"{root} is not a directory")
    if not create:
        raise TargetError(
            "no-such-target",
            f"there is no directory {root}",
            hint="make it, or say with --xen which Xen it will have and it is made",
        )
    return TreeTarget(root)


class TreeTarget:
    """The files below one directory; implements `Target` (see there for each method)."""

    def __init__(self, root: str) -> None:
        """The tree below `root`, which is made when something is written and it does not exist."""
        self.root = str(Path(root).absolute())

    @property
    def name(self) -> str:
        """The directory."""
        return self.root

    def stat(self, path: str) -> FileStat | None:
        """See `Target.stat`."""
        with self._reporting("look at", path), self._found(path) as entry:
            status = entry.status() if entry else None
        return None if status is None else file_stat(status.st_mode, status.st_size, (status.st_dev, status.st_ino))

    def read_link(self, path: str) -> str | None:
        """See `Target.read_link`."""
        with self._reporting("look at", path), self._found(path, follow=False) as entry:
            status = entry.status() if entry else None
            if entry is None or status is None or not S_ISLNK(status.st_mode):
                return None
            return os.readlink(entry.name, dir_fd=entry.directory)

    def list(self, path: str) -> tuple[str, ...]:
        """See `Target.list`."""
        with self._reporting("list", path), self._found(path) as entry:
            return list_names(entry) if entry and entry.is_directory() else ()

    def read(self, path: str) -> bytes:
        """See `Target.read`."""
        with self._reporting("read", path), self._root() as root, entry_below(root, path) as entry:
            return _read_file(entry)

    def write(self, path: str, content: bytes, *, executable: bool = False) -> None:
        """See `Target.write`."""
        mode = PROGRAM_MODE if executable else FILE_MODE
        with self._reporting("write", path), self._place(path) as place:
            temporary = Entry(place.directory, TEMPORARY)
            with _temporary(temporary):
                with _created(temporary, content, mode) as file:
                    os.fsync(file)
                _move(temporary, place)

    def write_link(self, path: str, destination: str) -> None:
        """See `Target.write_link`."""
        with self._reporting("link", path), self._place(path) as place:
            temporary = Entry(place.directory, TEMPORARY)
            with _temporary(temporary):
                os.symlink(destination, temporary.name, dir_fd=temporary.directory)
                set_time(temporary)
                _move(temporary, place)

    def write_tree(self, path: str, files: Mapping[str, bytes]) -> None:
        """See `Target.write_tree`.  All files are written before the first is waited for: one flush serves them all."""
        with self._reporting("write", path), self._place(path) as place, ExitStack() as opened:
            if place.status() is not None:
                remove_entry(place)
            make_directory(place)
            written: list[int] = []
            folders: dict[str, int] = {}
            for relative, content in sorted(files.items()):
                entry = opened.enter_context(
                    entry_below(place.directory, f"{place.name}/{relative}", follow=False, make=True)
                )
                written.append(opened.enter_context(_created(entry, content)))
                folders[relative.rpartition("/")[0]] = entry.directory
            for file in written:
                os.fsync(file)
            for folder in folders.values():
                sync_directory(folder)

    def rename(self, path: str, new_path: str) -> None:
        """See `Target.rename`."""
        with self._reporting("rename", path), self._place(path) as old:
            new = Entry(old.directory, new_path.rpartition("/")[2])
            if new.status() is not None:
                raise TargetError("already-there", f"{new_path} is already there, in {self.root}")
            _move(old, new)

    def remove(self, path: str) -> None:
        """See `Target.remove`."""
        with self._reporting("remove", path), self._found(path, follow=False) as entry:
            if entry and entry.status() is not None:
                remove_entry(entry)
                sync_directory(entry.directory)

    def check_writable(self, sizes: Mapping[str, int]) -> None:
        """See `Target.check_writable`."""
        from polpkg.targets.preflight import check_room

        check_room(self.root, sizes)

    def lock(self, on_wait: Callable[[str], None] | None = None) -> AbstractContextManager[None]:
        """See `Target.lock`."""
        from polpkg.targets.tree_lock import hold_lock

        return hold_lock(self, on_wait)

    @contextmanager
    def place(self, path: str) -> Generator[Entry]:
        """The entry to write at `path` itself, its directory made; for the modules of this target."""
        with self._reporting("write", path), self._place(path) as entry:
            yield entry

    @contextmanager
    def _root(self) -> Generator[int]:
        root = os.open(self.root, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            yield root
        finally:
            os.close(root)

    @contextmanager
    def _found(self, path: str, *, follow: bool = True) -> Generator[Entry | None]:
        """The entry at `path`; None when a directory on the way there does not exist."""
        with ExitStack() as stack:
            try:
                root = stack.enter_context(self._root())
                entry = stack.enter_context(entry_below(root, path, follow=follow))
            except (FileNotFoundError, NotADirectoryError):
                entry = None
            yield entry

    @contextmanager
    def _place(self, path: str) -> Generator[Entry]:
        self._make_root()
        with self._root() as root, entry_below(root, path, follow=False, make=True) as entry:
            yield entry

    def _make_root(self) -> None:
        """Make the directory when there is none: the way there as the umask says, itself as any of a target."""
        root = Path(self.root)
        if not root.exists():
            root.parent.mkdir(parents=True, exist_ok=True)
            with suppress(FileExistsError):  # somebody else's now, and so is its mode
                root.mkdir(DIRECTORY_MODE)
                root.chmod(DIRECTORY_MODE)

    @contextmanager
    def _reporting(self, verb: str, path: str) -> Generator[None]:
        try:
            yield
        except OSError as error:
            code = _CODES.get(error.errno or 0, "target-failed")
            reason = error.strerror or str(error)
            raise TargetError(code, f"cannot {verb} {path} in {self.root}: {reason}") from error


def _read_file(entry: Entry) -> bytes:
    descriptor = os.open(entry.name, _READ, dir_fd=entry.directory)
    with os.fdopen(descriptor, "rb") as file:
        if not S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(EISDIR, "it is not a regular file")
        content = file.read(MAX_FILE_SIZE + 1)
    if len(content) > MAX_FILE_SIZE:
        raise OSError(EISDIR, f"it is larger than {MAX_FILE_SIZE >> 20} MiB")
    return content


@contextmanager
def _created(entry: Entry, content: bytes, mode: int = FILE_MODE) -> Generator[int]:
    """A new file with this content, open until its data has been waited for."""
    descriptor = os.open(entry.name, _CREATE, mode, dir_fd=entry.directory)
    try:
        set_mode(descriptor, mode)
        rest = memoryview(content)
        while rest:
            rest = rest[os.write(descriptor, rest) :]
        set_time(descriptor)
        yield descriptor
    finally:
        os.close(descriptor)


@contextmanager
def _temporary(entry: Entry) -> Generator[None]:
    """Have the name free for the context, and again after an error; a crash leaves it to the next writer."""
    with suppress(FileNotFoundError):
        os.unlink(entry.name, dir_fd=entry.directory)
    try:
        yield
    except OSError:
        with suppress(OSError):
            os.unlink(entry.name, dir_fd=entry.directory)
        raise


def _move(old: Entry, new: Entry) -> None:
    os.rename(old.name, new.name, src_dir_fd=old.directory, dst_dir_fd=new.directory)
    sync_directory(new.directory)
