"""A position in the bytes of a policydb: takes numbers, names and sets, and says at which offset it could not."""

from __future__ import annotations

from struct import Struct, error
from typing import NoReturn

from polpkg.errors import PolicyError
from polpkg.policy.policydb.ebitmap import HEADER, MAP_BITS, NODE, Ebitmap

_WORD = Struct("<I")
_MAX_BITS = 1 << 20
"""No set in a policy is this large; bounds what a damaged file can make a reader allocate."""


class Cursor:
    """Reads `data` from its start.  Every method raises PolicyError `policydb-truncated` or `policydb-corrupt`."""

    __slots__ = ("at", "data")

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0

    def corrupt(self, what: str, at: int | None = None) -> NoReturn:
        """Raise PolicyError: `what` is wrong at offset `at`, or here."""
        raise PolicyError("policydb-corrupt", f"{what} at offset {self.at if at is None else at}")

    def truncated(self) -> NoReturn:
        """Raise PolicyError: the data ends before what is announced at this position."""
        raise PolicyError(
            "policydb-truncated", f"the file ends after {len(self.data)} bytes, in the record at offset {self.at}"
        )

    def take(self, size: int) -> bytes:
        """The next `size` bytes."""
        end = self.at + size
        if end > len(self.data):
            self.truncated()
        taken = self.data[self.at : end]
        self.at = end
        return taken

    def word(self) -> int:
        """The next 32-bit number."""
        try:
            value: int = _WORD.unpack_from(self.data, self.at)[0]
        except error:
            self.truncated()
        self.at += 4
        return value

    def unpack(self, form: Struct) -> tuple[int, ...]:
        """The next numbers, of the form `form`."""
        try:
            values = form.unpack_from(self.data, self.at)
        except error:
            self.truncated()
        self.at += form.size
        return values

    def count(self, smallest: int) -> int:
        """The next number, of records to follow that take `smallest` bytes or more each."""
        at = self.at
        value = self.word()
        self.check_count(value, smallest, at)
        return value

    def check_count(self, value: int, smallest: int, at: int) -> None:
        """See that `value` records of at least `smallest` bytes fit into what is left."""
        if value * smallest > len(self.data) - self.at:
            raise PolicyError(
                "policydb-truncated", f"{value} records are announced at offset {at}, more than the file has room for"
            )

    def text(self, length: int) -> str:
        """The next `length` bytes, which must be printable ASCII."""
        at = self.at
        taken = self.take(length)
        try:
            text = taken.decode("ascii")
        except UnicodeDecodeError:
            self.corrupt("a name that is not ASCII", at)
        if not text.isprintable():
            self.corrupt("a name with control characters", at)
        return text

    def ebitmap(self) -> Ebitmap:
        """The next ebitmap, as encoded, checked as libsepol's `ebitmap_read` does."""
        at = self.at
        size, high, nodes = self.unpack(HEADER)
        if size != MAP_BITS:
            self.corrupt(f"a set with maps of {size} bits", at)
        if high > _MAX_BITS or bool(nodes) != bool(high):
            self.corrupt("a set with an impossible size", at)
        if nodes:
            self.check_count(nodes, NODE.size, at)
            self._check_nodes(nodes, high, at)
        return self.data[at : self.at]

    def _check_nodes(self, nodes: int, high: int, at: int) -> None:
        past = 0
        for start, word in NODE.iter_unpack(self.take(nodes * NODE.size)):
            if start < past or start % MAP_BITS or not word:
                self.corrupt("a set that is out of order or has an empty part", at)
            past = start + MAP_BITS
        if past != high:
            self.corrupt("a set whose size does not match its contents", at)
