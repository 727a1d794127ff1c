"""Whether somebody else has an image in use: a virtual machine, a loop device, a program that writes to it.

What another uses is never changed: it would go on with the old file, and lose what it writes there.
"""

from __future__ import annotations

import os
from contextlib import suppress
from errno import EINVAL
from fcntl import F_OFD_GETLK, F_UNLCK, F_WRLCK, fcntl
from pathlib import Path
from struct import Struct

from polpkg.errors import TargetError

_FLOCK = Struct("@hhqqi4x")
"""`struct flock` of a 64-bit machine: type, whence, start, length, process."""

_QEMU_WRITES = 101
_QEMU_ALONE = 200
_QEMU_PERMISSIONS = 64
"""QEMU locks a byte for each permission that it uses (100 + n; 1 is to write) and that it shares with nobody (200 + n):
block/file-posix.c, RAW_LOCK_PERM_BASE and RAW_LOCK_SHARED_BASE."""

_ACCESS = os.O_WRONLY | os.O_RDWR


def check_unused(descriptor: int, name: str) -> None:
    """Raises TargetError `image-in-use` when another program uses the image that is open as `descriptor`."""
    holder = _qemu(descriptor) or _loop_device(descriptor) or _writer(descriptor)
    if holder:
        raise TargetError("image-in-use", f"{name} is in use by {holder}", hint="shut down what uses it first")


def _qemu(descriptor: int) -> str:
    ranges = ((_QEMU_WRITES, 1), (_QEMU_ALONE, _QEMU_PERMISSIONS))
    return "QEMU" if any(_is_locked(descriptor, start, length) for start, length in ranges) else ""


def _is_locked(descriptor: int, start: int, length: int) -> bool:
    question = _FLOCK.pack(F_WRLCK, os.SEEK_SET, start, length, 0)
    try:
        answer = fcntl(descriptor, F_OFD_GETLK, question)
    except OSError as error:
        if error.errno == EINVAL:  # a kernel or a file system without such locks: then QEMU has none either
            return False
        raise
    return _FLOCK.unpack(answer)[0] != F_UNLCK


def _loop_device(descriptor: int) -> str:
    for file in sorted(Path("/sys/block").glob("loop*/loop/backing_file")):
        with suppress(OSError):  # the device was just detached, or its file deleted
            if os.path.samestat(Path(file.read_text().rstrip("\n")).stat(), os.fstat(descriptor)):
                return f"/dev/{file.parent.parent.name}"
    return ""


def _writer(descriptor: int) -> str:
    """A process that has the image open for writing, as far as this user may see others' files."""
    ours = os.fstat(descriptor)
    for process in Path("/proc").iterdir():
        if process.name.isdigit() and int(process.name) != os.getpid():
            with suppress(OSError):
                if any(_writes(process, each, ours) for each in (process / "fd").iterdir()):
                    command = (process / "comm").read_text().strip()
                    return f"{command} (process {process.name})"
    return ""


def _writes(process: Path, link: Path, ours: os.stat_result) -> bool:
    try:
        found = link.stat()
    except OSError:  # closed meanwhile
        return False
    if not os.path.samestat(found, ours):
        return False
    flags = (process / "fdinfo" / link.name).read_text().partition("flags:")[2].split()[0]
    return bool(int(flags, 8) & _ACCESS)
