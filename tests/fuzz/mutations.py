"""Inputs to fuzz with: pieces of good ones, put together wrongly.  The same random numbers give the same inputs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random

MOST_BYTES = 200_000
"""Longer inputs than this are cut."""

_BLANKS = b" \t\n"
_BOUNDARIES = b" \t\n,;(){}'`\"#:"
_NUMBERS = (0, 1, 2, 3, 7, 8, 15, 16, 31, 63, 64, 127, 128, 255, 256, 0x7FFF, 0xFFFF, 0x10000, 0x7FFFFFFF, 0xFFFFFFFF)

Mutation = Callable[[Random, bytearray], None]


def mutate(random: Random, corpus: Sequence[bytes], words: Sequence[bytes], *, is_text: bool) -> bytes:
    """A new input: one of `corpus` with some changes, and at times the beginning of one and the end of another."""
    data = bytearray(random.choice(corpus))
    if random.random() < 0.2:
        other = random.choice(corpus)
        data = data[: _cut(random, data)] + other[_cut(random, other) :]
    changes = _TEXT if is_text else _BINARY
    for _ in range(1 << random.randrange(5)):
        del data[MOST_BYTES:]
        change = random.choice(changes)
        if change is _insert_word:
            at = _cut(random, data)
            data[at:at] = random.choice(words) * (1 if random.random() < 0.95 else random.randrange(2, 3000))
        else:
            change(random, data)
    return bytes(data[:MOST_BYTES])


def _cut(random: Random, data: bytes | bytearray) -> int:
    """A position; in half of all cases at the end of a word."""
    at = random.randrange(len(data) + 1)
    if random.random() < 0.5:
        while at < len(data) and data[at] not in _BOUNDARIES:
            at += 1
    return at


def _span(random: Random, data: bytearray) -> slice:
    at = _cut(random, data)
    return slice(at, min(len(data), at + (1 << random.randrange(10))))


def _insert_word(_random: Random, _data: bytearray) -> None:
    raise NotImplementedError("done where the words are known")


def _flip_bit(random: Random, data: bytearray) -> None:
    if data:
        data[random.randrange(len(data))] ^= 1 << random.randrange(8)


def _set_byte(random: Random, data: bytearray) -> None:
    if data:
        data[random.randrange(len(data))] = random.randrange(256)


def _set_number(random: Random, data: bytearray) -> None:
    """A 32-bit little-endian number, as every field of a policydb is."""
    at = random.randrange(len(data) + 1)
    number = random.choice(_NUMBERS) if random.random() < 0.8 else random.getrandbits(32)
    data[at : at + 4] = number.to_bytes(4, "little")


def _nudge(random: Random, data: bytearray) -> None:
    if data:
        at = random.randrange(len(data))
        data[at] = (data[at] + random.choice((-1, 1))) % 256


def _remove(random: Random, data: bytearray) -> None:
    del data[_span(random, data)]


def _repeat(random: Random, data: bytearray) -> None:
    span = _span(random, data)
    data[span.start : span.start] = data[span] * (1 << random.randrange(6))


def _move(random: Random, data: bytearray) -> None:
    piece = data[_span(random, data)]
    at = _cut(random, data)
    data[at:at] = piece


def _truncate(random: Random, data: bytearray) -> None:
    if random.random() < 0.3:
        del data[random.randrange(len(data) + 1) :]


def _exchange_words(random: Random, data: bytearray) -> None:
    """Two words change places."""
    found = bytes(data).split()
    if len(found) > 2:
        one, other = random.choice(found), random.choice(found)
        at = bytes(data).find(one, random.randrange(len(data)))
        if at >= 0:
            data[at : at + len(one)] = other


_BINARY: tuple[Mutation, ...] = (
    _flip_bit, _flip_bit, _set_byte, _set_number, _set_number, _nudge, _remove, _repeat, _move, _truncate,
)  # fmt: skip
_TEXT: tuple[Mutation, ...] = (
    _insert_word, _insert_word, _insert_word, _insert_word, _exchange_words, _exchange_words, _set_byte, _remove,
    _remove, _repeat, _move, _truncate,
)  # fmt: skip
