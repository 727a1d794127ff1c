"""What large policies make by the hundred thousand, made quickly."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

new_tuple = cast("Callable[[type, Iterable[Any]], Any]", tuple.__new__)  # pyright: ignore[reportUnknownMemberType]
"""Makes a named tuple from all of its fields, without the cost of calling its class."""


def bit_set(numbers: Iterable[int]) -> int:
    """The bit set of `numbers`, in time linear in how many they are and in the largest."""
    found = tuple(numbers)
    if len(found) < 2:
        return 1 << found[0] if found else 0
    data = bytearray((max(found) >> 3) + 1)
    for number in found:
        data[number >> 3] |= 1 << (number & 7)
    return int.from_bytes(data, "little")
