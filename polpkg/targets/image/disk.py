"""The file of an image, open: its disk, whatever the format, and parts of it as files that programs can work on."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from polpkg.errors import TargetError
from polpkg.targets.image.blocks import RawFile
from polpkg.targets.image.copying import data_extents
from polpkg.targets.image.qcow2 import is_qcow2
from polpkg.targets.image.tools import last_words, run_tool

if TYPE_CHECKING:
    from polpkg.targets.image.nbd import QemuDisk

_PIECE = 1 << 20
_LEAKS = 3
"""Exit code of `qemu-img check` when it found nothing worse than clusters that nothing names."""


class Disk:
    """A raw or qcow2 image that is open; `descriptor` is its file's, `blocks` are the bytes of the disk in it."""

    def __init__(self, path: str, *, writable: bool = False) -> None:
        """The image at `path`.  Raises OSError, and TargetError `unsupported-image`, `missing-tool`."""
        self.path = path
        self.file = RawFile.open(path, os.O_RDWR if writable else os.O_RDONLY)
        self.is_raw = not is_qcow2(self.file, path)
        self.blocks: RawFile | QemuDisk = self.file
        if not self.is_raw:
            from polpkg.targets.image.nbd import QemuDisk

            self.blocks = QemuDisk(path, writable=writable)

    @property
    def descriptor(self) -> int:
        """The descriptor of the file."""
        return self.file.descriptor

    def close(self) -> None:
        """Let go of the file."""
        self.blocks.close()
        self.file.close()

    def check_whole(self) -> None:
        """Raises TargetError `damaged-image` for a qcow2 whose tables name what the file does not have.

        QEMU reads zeros there, as in one that was copied in part only.  Clusters that nothing names do no harm.
        """
        if self.is_raw:
            return
        from polpkg.targets.image.nbd import image_node

        done = run_tool("qemu-img", "check", "--force-share", f"json:{json.dumps(image_node(self.path))}")
        if done.returncode not in {0, _LEAKS}:
            reason = last_words(done)
            hint = "was it copied as a whole?  `qemu-img check` tells more"
            raise TargetError("damaged-image", f"the qcow2 {self.path} is damaged: {reason}", hint=hint)

    def extract(self, start: int, size: int) -> RawFile:
        """The `size` bytes of the disk from `start` on, in a file without a name, which nobody has to remove.

        Beside the image where that can be, since there is room for a copy, and /tmp may be memory.  Raises OSError and
        TargetError.
        """
        folder = str(Path(self.path).parent)
        beside = folder if os.access(folder, os.W_OK | os.X_OK) else None
        with tempfile.TemporaryFile(prefix=".polpkg-", dir=beside) as file:
            part = RawFile(os.dup(file.fileno()), f"a part of {self.path}")
        os.ftruncate(part.descriptor, size)
        if self.is_raw:
            self._copy_out(part, start, size)
        else:
            self._convert(part, start, size)
        return part

    def _copy_out(self, part: RawFile, start: int, size: int) -> None:
        for begin, end in data_extents(self.descriptor, start + size, start):
            for at in range(begin, end, _PIECE):
                part.write(at - start, self.blocks.read(at, min(_PIECE, end - at)))

    def _convert(self, part: RawFile, start: int, size: int) -> None:
        from polpkg.targets.image.nbd import image_node

        node = {"driver": "raw", "offset": start, "size": size, "file": image_node(self.path)}
        words = ("--force-share", "--target-is-zero", "-n", "-O", "raw", f"json:{json.dumps(node)}", file_of(part))
        done = run_tool("qemu-img", "convert", *words, descriptors=(part.descriptor,))
        if done.returncode:
            raise TargetError("damaged-image", f"cannot read the disk in {self.path}: {last_words(done)}")

    def put_back(self, part: RawFile, start: int) -> None:
        """Write what differs in `part`, an extraction that was changed, back to where it came from.

        Raises OSError and TargetError.
        """
        for begin, end in data_extents(part.descriptor, part.size):
            for at in range(begin, end, _PIECE):
                content = part.read(at, min(_PIECE, end - at))
                if content != self.blocks.read(start + at, len(content)):
                    self._put(content, start + at)

    def _put(self, content: bytes, offset: int, piece: int = 4096) -> None:
        before = self.blocks.read(offset, len(content))
        for at in range(0, len(content), piece):
            if content[at : at + piece] != before[at : at + piece]:
                self.blocks.write(offset + at, content[at : at + piece])


def file_of(part: RawFile) -> str:
    """The name under which a program that inherits the descriptor of `part` finds it."""
    return f"/proc/self/fd/{part.descriptor}"
