"""A private copy of an image: shared blocks where the file system can, and holes stay holes."""

from __future__ import annotations

import os
from errno import ENXIO
from fcntl import ioctl
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

FICLONE = 0x40049409
"""ioctl_ficlone(2)."""

_PIECE = 8 << 20


def copy_sparsely(source: int, copy: int, told: Callable[[int, int], None] = lambda _, __: None) -> None:
    """Make the empty file `copy` the same as `source`.  `told` hears how far it is, in bytes.  Raises OSError."""
    size = os.fstat(source).st_size
    try:
        ioctl(copy, FICLONE, source)
    except OSError:  # another file system, or one that cannot share blocks
        os.ftruncate(copy, size)
        _copy_data(source, copy, size, told)
    told(size, size)


def _copy_data(source: int, copy: int, size: int, told: Callable[[int, int], None]) -> None:
    for begin, end in data_extents(source, size):
        place = begin
        while place < end:
            place += _copy_piece(source, copy, place, min(_PIECE, end - place))
            told(place, size)


def _copy_piece(source: int, copy: int, offset: int, length: int) -> int:
    try:
        done = os.copy_file_range(source, copy, length, offset, offset)
    except OSError:  # across file systems, of an old kernel
        done = 0
    if done:
        return done
    content = os.pread(source, length, offset)
    os.pwrite(copy, content, offset)
    return len(content) or length


def data_extents(file: int, size: int, begin: int = 0) -> Iterator[tuple[int, int]]:
    """Where a file has data from `begin` up to `size`: begin and end; everything between is zero.  Raises OSError."""
    while begin < size:
        try:
            begin = os.lseek(file, begin, os.SEEK_DATA)
        except OSError as error:
            if error.errno == ENXIO:  # nothing but a hole up to the end
                return
            raise
        if begin >= size:
            return
        end = min(os.lseek(file, begin, os.SEEK_HOLE), size)
        yield begin, end
        begin = end
