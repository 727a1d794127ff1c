"""Access vector tables: the rules of a policydb, twelve bytes each.

An entry is source type, target type, class and kind (16 bits each) and 32 bits of data: permissions for `allow` and
`auditallow`, their complement for `dontaudit`, a type for type rules (libsepol's `avtab.c`; Xen's
xen/xsm/flask/ss/avtab.c).  A table is kept as it lies in the file: a large policy has half a million entries.
"""

from __future__ import annotations

import sys
from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from struct import Struct
from typing import TypeAlias

AvEntry: TypeAlias = tuple[int, int, int, int, int]
"""Source type, target type, class, kind, data: numbers from 1 as in the file."""

ENTRY = Struct("<HHHHI")
_HALVES = ENTRY.size // 2
_PAIR_SIZE = 4
_KEY_SIZE = 8
_SWAP = sys.byteorder == "big"


@dataclass(frozen=True, slots=True)
class AvTable:
    """Entries in the order of the file; `data` is their encoded form."""

    data: bytes = b""

    @classmethod
    def of(cls, entries: Iterable[AvEntry]) -> AvTable:
        """A table of `entries`, in the order given."""
        return cls(b"".join([ENTRY.pack(*entry) for entry in entries]))

    def __len__(self) -> int:
        return len(self.data) // ENTRY.size

    def __iter__(self) -> Iterator[AvEntry]:
        return ENTRY.iter_unpack(self.data)  # type: ignore[return-value]

    def columns(self) -> tuple[array[int], array[int], array[int], array[int]]:
        """Source types, target types, classes and kinds, one array each."""
        halves = _halves(self.data)
        return halves[0::_HALVES], halves[1::_HALVES], halves[2::_HALVES], halves[3::_HALVES]

    def values(self) -> array[int]:
        """The data of each entry."""
        words = array("I", self.data)
        if _SWAP:
            words.byteswap()
        return words[2::3]


def key(source: int, target: int, security_class: int, kind: int) -> int:
    """One number for what an entry is about; numbers sort as the parts do, left to right."""
    return source << 48 | target << 32 | security_class << 16 | kind


def keys_of(sources: array[int], targets: array[int], rest: array[int]) -> array[int]:
    """The keys of entries with numbers from 0, from columns; `rest` has classes and kinds as `key` does."""
    pairs = array("H", bytes(len(sources) * _PAIR_SIZE))
    low, high = (1, 0) if _SWAP else (0, 1)
    pairs[low::2], pairs[high::2] = targets, sources
    words = array("I", bytes(len(sources) * _KEY_SIZE))
    words[low::2], words[high::2] = rest, array("I", pairs.tobytes())
    first = key(1, 1, 1, 0)
    return array("Q", [number + first for number in array("Q", words.tobytes())])


def table_of(entries: dict[int, int]) -> AvTable:
    """A table of {key: data}, sorted by key."""
    keys = sorted(entries)
    parts = _halves_of(array("Q", keys))
    out = array("H", bytes(len(keys) * ENTRY.size))
    for column, place in enumerate((3, 2, 1, 0)):
        out[column::_HALVES] = parts[place::4]
    values = _halves_of(array("I", map(entries.__getitem__, keys)))
    out[4::_HALVES] = values[0::2]
    out[5::_HALVES] = values[1::2]
    if _SWAP:
        out.byteswap()
    return AvTable(out.tobytes())


def _halves(data: bytes) -> array[int]:
    halves = array("H", data)
    if _SWAP:
        halves.byteswap()
    return halves


def _halves_of(numbers: array[int]) -> array[int]:
    """The 16-bit parts of numbers, lowest first."""
    if not _SWAP:
        return array("H", numbers.tobytes())
    numbers.byteswap()
    return _halves(numbers.tobytes())
