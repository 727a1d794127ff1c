"""A qcow2 image as a disk: qemu-nbd opens it, and gives its bytes through a socket.

After the "proto.md" of the Network Block Device project: newstyle negotiation, `NBD_OPT_EXPORT_NAME`, simple replies.
Nothing listens anywhere: qemu-nbd inherits one end of a socket that is connected already, and ends when it is closed.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import tempfile
import weakref
from contextlib import suppress
from pathlib import Path
from struct import Struct
from typing import TYPE_CHECKING

from polpkg.errors import TargetError
from polpkg.targets.image.tools import find_tool

if TYPE_CHECKING:
    from collections.abc import Sequence

_REQUEST = Struct(">IHHQQI")
_REPLY = Struct(">IIQ")
_REQUEST_MAGIC = 0x25609513
_REPLY_MAGIC = 0x67446698
_READ, _WRITE, _DISCONNECT, _FLUSH = range(4)
_MAX_LENGTH = 16 << 20
_TIMEOUT = 300.0

_START = 'exec 3<&0 </dev/null; LISTEN_PID=$$ LISTEN_FDS=1; export LISTEN_PID LISTEN_FDS; exec "$0" "$@"'
"""The convention of systemd's sd_listen_fds(3), which qemu-nbd follows: the socket is descriptor 3."""


class QemuDisk:
    """The disk in a qcow2 image; implements `Blocks`.  Closed with `close`, or when nobody has it any more."""

    def __init__(self, path: str, *, writable: bool = False) -> None:
        """The image at `path`.  Raises TargetError `missing-tool`, `unsupported-image`."""
        self._name = path
        process, connection = _serve(path, writable=writable)
        self._socket = connection
        self.close = weakref.finalize(self, _stop, process, connection)
        try:
            self._size = self._negotiate()
        except BaseException:  # whom nobody ever talked to, waits for another, and while it starts forgets a SIGTERM
            process.kill()
            raise

    @property
    def size(self) -> int:
        """See `Blocks.size`."""
        return self._size

    def read(self, offset: int, length: int) -> bytes:
        """See `Blocks.read`."""
        if offset + length > self._size:
            raise TargetError("damaged-image", f"the disk in {self._name} ends before byte {offset + length:,}")
        end = offset + length
        parts = [self._ask(_READ, at, min(_MAX_LENGTH, end - at)) for at in range(offset, end, _MAX_LENGTH)]
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def write(self, offset: int, content: bytes | memoryview) -> None:
        """Write `content` at `offset`.  Raises TargetError `damaged-image`."""
        for at in range(0, len(content), _MAX_LENGTH):
            piece = content[at : at + _MAX_LENGTH]
            self._ask(_WRITE, offset + at, len(piece), piece)

    def flush(self) -> None:
        """Wait until all is on the disk below.  Raises TargetError `damaged-image`."""
        self._ask(_FLUSH, 0, 0)

    def _negotiate(self) -> int:
        if self._receive(16) != b"NBDMAGICIHAVEOPT":
            raise self._broken()
        flags = int.from_bytes(self._receive(2), "big")
        self._socket.sendall((flags & 3).to_bytes(4, "big") + b"IHAVEOPT" + (1).to_bytes(4, "big") + bytes(4))
        size = int.from_bytes(self._receive(8), "big")
        self._receive(2 if flags & 2 else 126)
        return size

    def _ask(self, command: int, offset: int, length: int, content: bytes | memoryview = b"") -> bytes:
        try:
            self._socket.sendall(_REQUEST.pack(_REQUEST_MAGIC, 0, command, 0, offset, length))
            if content:
                self._socket.sendall(content)
        except OSError as error:
            raise self._broken() from error
        magic, problem, _ = _REPLY.unpack(self._receive(_REPLY.size))
        if magic != _REPLY_MAGIC:
            raise self._broken()
        if problem:
            code = "target-full" if problem == 28 else "damaged-image"
            raise TargetError(code, f"{self._name}: {os.strerror(problem)} at byte {offset:,}")
        return self._receive(length) if command == _READ else b""

    def _receive(self, length: int) -> bytes:
        received = bytearray(length)
        view = memoryview(received)
        while view:
            try:
                count = self._socket.recv_into(view)
            except OSError as error:
                raise self._broken() from error
            if not count:
                raise self._broken()
            view = view[count:]
        return bytes(received)

    def _broken(self) -> TargetError:
        return TargetError(
            "unsupported-image", f"qemu-nbd cannot open {self._name}", hint="`qemu-img check` tells more"
        )


def image_node(path: str) -> dict[str, object]:
    """How QEMU is told to open a qcow2 image at `path`, whatever characters that has."""
    return {"driver": "qcow2", "file": {"driver": "file", "filename": path}}


def _serve(path: str, *, writable: bool) -> tuple[subprocess.Popen[bytes], socket.socket]:
    """qemu-nbd with the image, and the connection to it."""
    node = image_node(path) if writable else {**image_node(path), "read-only": True, "force-share": True}
    words = [find_tool("qemu-nbd"), *([] if writable else ["--read-only"]), f"json:{json.dumps(node)}"]
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(_TIMEOUT)
    try:
        with socket.socket(socket.AF_UNIX) as listener, tempfile.TemporaryDirectory(prefix="polpkg-") as folder:
            place = str(Path(folder) / "nbd")
            listener.bind(place)
            listener.listen(1)
            connection.connect(place)
            return _start(words, listener.fileno()), connection
    except BaseException:
        connection.close()
        raise


def _start(words: Sequence[str], listener: int) -> subprocess.Popen[bytes]:
    """qemu-nbd with the listening socket, which has to be descriptor 3."""
    nowhere = subprocess.DEVNULL
    return subprocess.Popen(["/bin/sh", "-c", _START, *words], stdin=listener, stdout=nowhere, stderr=nowhere)


def _stop(process: subprocess.Popen[bytes], connection: socket.socket) -> None:
    """Say good-bye, so that qemu-nbd writes all that it has and ends."""
    with suppress(OSError):
        connection.sendall(_REQUEST.pack(_REQUEST_MAGIC, 0, _DISCONNECT, 0, 0, 0))
    connection.close()
    try:
        process.wait(_TIMEOUT)
    except subprocess.TimeoutExpired:
        process.terminate()  # it still writes what it has
        process.wait()
