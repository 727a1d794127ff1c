"""The archive format: gzip'd tar, written so that the same files always give the same bytes, and read with suspicion.

Writing follows POSIX ustar (IEEE Std 1003.1, `pax`) and RFC 1952 by hand.  Two reasons: the bytes must not depend on
the compression library of the machine (its versions compress differently, so the content is stored, not deflated:
packages are small, and their digests are in lock files), and the standard library's `tarfile` costs more to import than
a whole resolution.  Reading accepts plain files (and skips directories) of that format, deflated or stored, and nothing
else.
"""

from __future__ import annotations

import os
import zlib
from typing import TYPE_CHECKING, NamedTuple

from polpkg.errors import TrustError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_BLOCK = 512
_END = bytes(2 * _BLOCK)
_STORED = 0xFFFF
_GZIP_HEADER = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"
_NAME, _PREFIX = 100, 155


class Limits(NamedTuple):
    """What an archive may grow to when it is unpacked."""

    archive_size: int = 64 << 20
    unpacked_size: int = 64 << 20
    ratio: int = 200
    files: int = 4096


LIMITS = Limits()
"""The limits that hold unless others are given."""


def archive_time() -> int:
    """The time that archive entries carry: `SOURCE_DATE_EPOCH`, 0 when it is not set.

    Raises `UsageError` when it is not a whole number of seconds that ustar can hold.
    """
    text = os.environ.get("SOURCE_DATE_EPOCH", "0")
    if not (text.isascii() and text.isdigit() and len(text) <= 20 and int(text) < 8**11):
        raise UsageError("bad-source-date-epoch", f"SOURCE_DATE_EPOCH is `{text}`, not a number of seconds")
    return int(text)


def pack(files: Mapping[str, bytes], *, mtime: int = 0) -> bytes:
    """The archive of `files` (path to content), sorted by path, all with the time `mtime`.

    Raises `UsageError` for a path that ustar cannot hold.
    """
    parts: list[bytes] = []
    for path in sorted(files):
        content = files[path]
        parts += (_header(path, len(content), mtime), content, bytes(-len(content) % _BLOCK))
    return _gzip_stored(b"".join((*parts, _END)))


def _header(path: str, size: int, mtime: int) -> bytes:
    prefix, name = _split_path(path)
    header = bytearray(_BLOCK)
    fields = (
        (0, name),
        (100, b"0000644"),
        (108, b"0000000"),
        (116, b"0000000"),
        (124, b"%011o" % size),
        (136, b"%011o" % mtime),
        (148, b"        "),
        (156, b"0"),
        (257, b"ustar\x0000"),
        (345, prefix),
    )
    for offset, value in fields:
        header[offset : offset + len(value)] = value
    header[148:156] = b"%06o\x00 " % sum(header)
    return bytes(header)


def _split_path(path: str) -> tuple[bytes, bytes]:
    """A path as ustar's prefix and name fields."""
    raw = path.encode()
    if len(raw) <= _NAME:
        return b"", raw
    cut = raw.rfind(b"/", 0, _PREFIX + 1)
    if cut <= 0 or len(raw) - cut - 1 > _NAME:
        raise UsageError("path-too-long", f"`{path}` is too long for an archive")
    return raw[:cut], raw[cut + 1 :]


def _gzip_stored(data: bytes) -> bytes:
    """`data` as one gzip member of stored deflate blocks (RFC 1951, 3.2.4)."""
    parts = [_GZIP_HEADER]
    for start in range(0, len(data), _STORED):
        block = data[start : start + _STORED]
        last = start + _STORED >= len(data)
        size = len(block)
        parts += (bytes([last]), size.to_bytes(2, "little"), (size ^ _STORED).to_bytes(2, "little"), block)
    parts += (zlib.crc32(data).to_bytes(4, "little"), (len(data) & 0xFFFFFFFF).to_bytes(4, "little"))
    return b"".join(parts)


def unpack(archive: bytes, *, label: str, limits: Limits = LIMITS) -> dict[str, bytes]:
    """The files of `archive`, path to content; `label` names it in messages.

    Raises `TrustError`: `archive-damaged` when it is truncated or not of the format, `archive-unsafe` when it holds a
    link, a special file, an absolute, climbing or duplicate path, `archive-too-large` beyond `limits`.
    """
    files: dict[str, bytes] = {}
    folders: set[str] = set()
    for path, content in _entries(_gunzip(archive, label, limits), label):
        if len(files) >= limits.files:
            raise TrustError("archive-too-large", f"{label} holds more than {limits.files} files")
        if path in files or path in folders or any(parent in files for parent in _parents(path)):
            raise TrustError("archive-unsafe", f"{label} holds `{path}` twice")
        folders.update(_parents(path))
        files[path] = content
    return files


def _parents(path: str) -> Iterator[str]:
    while "/" in path:
        path = path.rpartition("/")[0]
        yield path


def _gunzip(archive: bytes, label: str, limits: Limits) -> bytes:
    """The content of a gzip file with one member, bounded while it is decompressed."""
    bound = min(limits.unpacked_size, max(len(archive), _BLOCK) * limits.ratio)
    if len(archive) > limits.archive_size:
        raise TrustError("archive-too-large", f"{label} is larger than {limits.archive_size} bytes")
    stream = zlib.decompressobj(wbits=31)
    try:
        data = stream.decompress(archive, bound + 1)
    except zlib.error as error:
        raise _damaged(label, "it is not a gzip file, or its content was changed") from error
    if len(data) > bound:
        raise TrustError("archive-too-large", f"{label} unpacks to more than {bound} bytes")
    if not stream.eof:
        raise _damaged(label, "it is truncated")
    if stream.unused_data:
        raise _damaged(label, "something follows its end")
    return data


def _damaged(label: str, because: str) -> TrustError:
    return TrustError("archive-damaged", f"{label} is damaged: {because}", hint="get it again from where it came from")


def _entries(data: bytes, label: str) -> Iterator[tuple[str, bytes]]:
    """The plain files of a tar, checked, in order."""
    offset = 0
    while (header := data[offset : offset + _BLOCK]) != bytes(_BLOCK):
        if len(header) < _BLOCK or not _has_right_sum(header):
            raise _damaged(label, f"there is no file header at byte {offset}")
        path = _checked_path(header, label)
        size = _octal(header[124:136], label)
        start = offset + _BLOCK
        offset = start + size + (-size % _BLOCK)
        if offset > len(data):
            raise _damaged(label, f"`{path}` is cut short")
        if header[156:157] in (b"0", b"\0"):
            yield path, data[start : start + size]
        elif header[156:157] != b"5":
            raise TrustError("archive-unsafe", f"{label} holds `{path}`, which is a link or a special file")
    if data[offset:].strip(b"\0") or len(data) - offset < len(_END):
        raise _damaged(label, "its end is not where it should be")


def _has_right_sum(header: bytes) -> bool:
    try:
        expected = int(header[148:156].strip(b" \0") or b"0", 8)
    except ValueError:
        return False
    return sum(header[:148]) + sum(b" " * 8) + sum(header[156:]) == expected


def _octal(field: bytes, label: str) -> int:
    digits = field.strip(b" \0")
    if not digits or digits.strip(b"01234567"):
        raise _damaged(label, "a file size is not an octal number")
    return int(digits, 8)


def _checked_path(header: bytes, label: str) -> str:
    """The path of an entry, which must be relative, plain and without steps upwards."""
    name, prefix = _text(header[:_NAME]), b""
    if header[257:263] == b"ustar\0":
        prefix = _text(header[345:500])
    try:
        path = (prefix + b"/" + name if prefix else name).decode()
    except UnicodeDecodeError:
        raise TrustError("archive-unsafe", f"{label} holds a path that is not UTF-8") from None
    if header[156:157] == b"5":
        path = path.removesuffix("/")
    if not is_safe_path(path):
        raise TrustError("archive-unsafe", f"{label} holds the path `{path}`, which leads elsewhere or is not plain")
    return path


def _text(field: bytes) -> bytes:
    return field.partition(b"\0")[0]


def is_safe_path(path: str) -> bool:
    """Whether `path` is relative, without empty, `.` or `..` parts, and printable."""
    return path.isprintable() and "\\" not in path and all(part not in ("", ".", "..") for part in path.split("/"))
