from __future__ import annotations

import pytest

from polpkg.errors import PolicyError
from polpkg.policy.policydb.cursor import Cursor
from polpkg.policy.policydb.ebitmap import (
    EMPTY,
    HEADER,
    NODE,
    decode,
    decode_bits,
    encode,
    encode_bit,
    encode_bits,
    end,
)


@pytest.mark.parametrize("numbers", [[], [0], [63], [64], [0, 1, 63, 64, 700], [65534]])
def test_a_set_survives_every_way_through(numbers):
    value = sum(1 << number for number in numbers)
    data = encode(value)
    assert data == encode_bits(numbers)
    assert decode(data) == value
    assert decode_bits(data) == numbers
    assert end(data) == value.bit_length()
    assert Cursor(data).ebitmap() == data


def test_one_number_is_the_set_of_one():
    assert all(encode_bit(bit) == encode_bits([bit]) for bit in (0, 1, 63, 64, 129))


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (HEADER.pack(32, 0, 0), "policydb-corrupt"),
        (HEADER.pack(64, 64, 0), "policydb-corrupt"),
        (HEADER.pack(64, 0, 1) + NODE.pack(0, 1), "policydb-corrupt"),
        (HEADER.pack(64, 1 << 31, 1) + NODE.pack((1 << 31) - 64, 1), "policydb-corrupt"),
        (HEADER.pack(64, 64, 1) + NODE.pack(0, 0), "policydb-corrupt"),
        (HEADER.pack(64, 64, 1) + NODE.pack(1, 1), "policydb-corrupt"),
        (HEADER.pack(64, 128, 1) + NODE.pack(0, 1), "policydb-corrupt"),
        (HEADER.pack(64, 128, 2) + NODE.pack(64, 1) + NODE.pack(0, 1), "policydb-corrupt"),
        (HEADER.pack(64, 64, 1), "policydb-truncated"),
        (EMPTY[:-1], "policydb-truncated"),
    ],
)
def test_a_malformed_set_is_refused(data, code):
    with pytest.raises(PolicyError) as caught:
        Cursor(data).ebitmap()
    assert caught.value.code == code
