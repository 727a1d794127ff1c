"""Extensible bit maps as a policydb stores them.

An ebitmap stays in its encoded form in a `PolicyDb`: three words (map size, always 64; high bit; number of nodes) and a
start bit with a 64-bit map for each node.  libsepol (`ebitmap.c`) and Xen (xen/xsm/flask/ss/ebitmap.c) allow one
encoding only, so equal sets are equal bytes; and a row of a type-attribute map takes 24 bytes, not thousands.
"""

from __future__ import annotations

from itertools import groupby
from struct import Struct
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable

Ebitmap: TypeAlias = bytes
"""An encoded ebitmap, already checked."""

MAP_BITS = 64
HEADER = Struct("<III")
NODE = Struct("<IQ")
EMPTY: Ebitmap = HEADER.pack(MAP_BITS, 0, 0)

_SINGLE = Struct("<IIIIQ")


def encode_bit(bit: int) -> Ebitmap:
    """The set of one number."""
    start = bit & -MAP_BITS
    return _SINGLE.pack(MAP_BITS, start + MAP_BITS, 1, start, 1 << (bit - start))


def encode_bits(numbers: Iterable[int]) -> Ebitmap:
    """The set of `numbers`, which must be in ascending order."""
    nodes = [
        (word * MAP_BITS, sum(1 << (bit % MAP_BITS) for bit in bits))
        for word, bits in groupby(numbers, lambda bit: bit // MAP_BITS)
    ]
    return _encode_nodes(nodes)


def encode(value: int) -> Ebitmap:
    """The set that the bit set `value` stands for."""
    if not value:
        return EMPTY
    size = (value.bit_length() + MAP_BITS - 1) // MAP_BITS
    words = memoryview(value.to_bytes(size * 8, "little"))
    parts = ((n * MAP_BITS, int.from_bytes(words[n * 8 : n * 8 + 8], "little")) for n in range(size))
    return _encode_nodes([(start, word) for start, word in parts if word])


def decode(data: Ebitmap) -> int:
    """The bit set that an ebitmap stands for."""
    high = HEADER.unpack_from(data)[1]
    buffer = bytearray(high // 8)
    for start, word in NODE.iter_unpack(memoryview(data)[HEADER.size :]):
        buffer[start // 8 : start // 8 + 8] = word.to_bytes(8, "little")
    return int.from_bytes(buffer, "little")


def decode_bits(data: Ebitmap) -> list[int]:
    """The numbers in an ebitmap, in ascending order."""
    found: list[int] = []
    for start, word in NODE.iter_unpack(memoryview(data)[HEADER.size :]):
        rest = word
        while rest:
            lowest = rest & -rest
            found.append(start + lowest.bit_length() - 1)
            rest ^= lowest
    return found


def end(data: Ebitmap) -> int:
    """One more than the highest number in an ebitmap; 0 when it is empty."""
    if len(data) == HEADER.size:
        return 0
    start, word = NODE.unpack_from(data, len(data) - NODE.size)
    return start + word.bit_length()


def _encode_nodes(nodes: list[tuple[int, int]]) -> Ebitmap:
    if not nodes:
        return EMPTY
    header = HEADER.pack(MAP_BITS, nodes[-1][0] + MAP_BITS, len(nodes))
    return b"".join([header, *(NODE.pack(start, word) for start, word in nodes)])
