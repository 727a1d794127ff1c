"""A disk that keeps only what was waited for: what a loss of power may leave of the files of a tree.

    recorder = Recorder(root, pristine)                 # `root` is a copy of `pristine`, which stays as it is
    with recorder.in_use(monkeypatch):
        act()                                           # works on `root` as ever
    recorder.crash(at, random.Random(1)).write(other)   # `root` as it may be after a loss of power at call `at`

What was not waited for with fsync may be on disk or not, and in any order.  Two kinds of disks are drawn from:

    strict   of the names in each directory any of the changes since the last fsync of that directory may be missing,
             those of different directories are independent of each other (POSIX promises no more)
    ordered  all changes of names reach the disk in their order, and fsync of anything waits for those before it, but
             the content of files does not (ext4 and XFS, whose journals are of names)

The content of a file that was not waited for is what it was, nothing, a part of it, or as many zeros.  A rename within
a directory is one change.  The text of a symbolic link comes with its name.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from polpkg.targets import inroot, tree, tree_lock

if TYPE_CHECKING:
    from pathlib import Path


class Call(NamedTuple):
    """A call that changed something: its name, and the numbers, names and content that it was about."""

    name: str
    node: int
    args: tuple = ()


@dataclass
class File:
    """A file: what is on disk for sure, what a reader sees, and where an unchanged one is taken from."""

    durable: bytes = b""
    seen: bytes = b""
    source: Path | None = None


@dataclass
class Link:
    """A symbolic link."""

    text: str


@dataclass
class Directory:
    """A directory: the names that are on disk for sure, and the changes since, each with when it was made."""

    names: dict[str, int] = field(default_factory=dict)
    waiting: list[tuple[int, Call]] = field(default_factory=list)


class Recorder:
    """`os`, which writes down what is done, and what may be left of it."""

    def __init__(self, root, pristine):
        self.calls = []
        self.nodes = {}
        self._open = []
        self._root = self._read(root, pristine)

    def _read(self, path, source):
        """Every node is held open: its number is not given to another one meanwhile."""
        self._open.append(os.open(path, os.O_PATH | os.O_NOFOLLOW))
        number = path.lstat().st_ino
        if path.is_symlink():
            self.nodes[number] = Link(str(path.readlink()))
        elif path.is_dir():
            self.nodes[number] = Directory({each.name: self._read(each, source / each.name) for each in path.iterdir()})
        else:
            self.nodes[number] = File(source=source)
        return number

    @contextmanager
    def in_use(self, monkeypatch):
        """Have the modules of trees use it for the context."""
        with monkeypatch.context() as patch:
            for module in (inroot, tree, tree_lock):
                patch.setattr(module, "os", self)
            try:
                yield
            finally:
                self._close()

    def _close(self):
        for descriptor in self._open:
            os.close(descriptor)
        self._open.clear()

    def __getattr__(self, name):
        return getattr(os, name)

    def _log(self, name, descriptor, *args):
        self.calls.append(Call(name, os.fstat(descriptor).st_ino, args))

    def _number(self, name, directory):
        self._open.append(os.open(name, os.O_PATH | os.O_NOFOLLOW, dir_fd=directory))
        return os.fstat(self._open[-1]).st_ino

    def open(self, path, flags, mode=0o777, *, dir_fd=None):
        is_new = flags & os.O_CREAT and not self._exists(path, dir_fd)
        descriptor = os.open(path, flags, mode, dir_fd=dir_fd)
        if is_new:
            self._log("create", dir_fd, path, self._number(path, dir_fd))
        return descriptor

    @staticmethod
    def _exists(path, directory):
        try:
            os.stat(path, dir_fd=directory, follow_symlinks=False)
        except FileNotFoundError:
            return False
        return True

    def write(self, descriptor, content):
        self._log("write", descriptor, bytes(content))
        return os.write(descriptor, content)

    def fsync(self, descriptor):
        self._log("fsync", descriptor)

    def rename(self, old, new, *, src_dir_fd, dst_dir_fd):
        assert os.fstat(src_dir_fd).st_ino == os.fstat(dst_dir_fd).st_ino, "no atomic rename between directories"
        self._log("rename", src_dir_fd, old, new, self._number(old, src_dir_fd))
        os.rename(old, new, src_dir_fd=src_dir_fd, dst_dir_fd=dst_dir_fd)

    def unlink(self, name, *, dir_fd):
        os.unlink(name, dir_fd=dir_fd)
        self._log("remove", dir_fd, name)

    def rmdir(self, name, *, dir_fd):
        os.rmdir(name, dir_fd=dir_fd)
        self._log("remove", dir_fd, name)

    def mkdir(self, name, mode=0o777, *, dir_fd):
        os.mkdir(name, mode, dir_fd=dir_fd)
        self._log("mkdir", dir_fd, name, self._number(name, dir_fd))

    def symlink(self, text, name, *, dir_fd):
        os.symlink(text, name, dir_fd=dir_fd)
        self._log("symlink", dir_fd, name, self._number(name, dir_fd), text)

    def crash(self, at, chance):
        """What is left of the tree when the power is cut after `at` calls; `chance`: a `random.Random`."""
        disk = Disk(deepcopy(self.nodes), self._root)
        for moment, call in enumerate(self.calls[:at]):
            disk.do(moment, call)
        disk.lose(chance, is_ordered=chance.random() < 0.5, moment=at)
        return disk


class Disk:
    """The nodes of a tree, by number."""

    def __init__(self, nodes, root):
        self.nodes = nodes
        self.root = root
        self.barrier = 0

    def do(self, moment, call):
        """Carry out a call, which has yet to reach the disk."""
        node = self.nodes[call.node]
        match call.name:
            case "write":
                node.seen += call.args[0]
            case "fsync" if isinstance(node, Directory):
                self._settle(node, node.waiting)
                self.barrier = moment
            case "fsync":
                node.durable = node.seen
                self.barrier = moment
            case "create":
                self.nodes[call.args[1]] = File()
            case "mkdir":
                self.nodes[call.args[1]] = Directory()
            case "symlink":
                self.nodes[call.args[1]] = Link(call.args[2])
        if call.name not in ("write", "fsync"):
            node.waiting.append((moment, call))

    def _settle(self, directory, changes):
        for _, call in changes:
            if call.name == "rename":
                directory.names.pop(call.args[0], None)
                directory.names[call.args[1]] = call.args[2]
            elif call.name == "remove":
                directory.names.pop(call.args[0], None)
            else:
                directory.names[call.args[0]] = call.args[1]
        directory.waiting = []

    def lose(self, chance, *, is_ordered, moment):
        """Decide what of that which was not waited for is on disk."""
        until = chance.randint(self.barrier, moment)
        for node in self.nodes.values():
            if isinstance(node, Directory):
                kept = [each for each in node.waiting if (each[0] < until if is_ordered else chance.random() < 0.5)]
                self._settle(node, kept)
            elif isinstance(node, File) and node.source is None and node.durable != node.seen:
                size = len(node.seen)
                torn = (b"", bytes(size), node.seen[: chance.randint(0, size)], node.seen, node.durable)
                node.durable = chance.choice(torn)

    def write(self, path):
        """Make `path` a tree of what is there; files that were not changed are the same files as before."""
        self._write(self.root, path)

    def _write(self, number, path):
        node = self.nodes[number]
        if isinstance(node, Link):
            path.symlink_to(node.text)
        elif isinstance(node, Directory):
            path.mkdir()
            for name, inside in node.names.items():
                self._write(inside, path / name)
        elif node.source is not None:
            os.link(node.source, path)
        else:
            path.write_bytes(node.durable)
