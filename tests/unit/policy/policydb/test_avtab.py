from __future__ import annotations

from polpkg.policy.policydb.avtab import AvTable, key, table_of

ENTRIES = [(1, 2, 3, 1, 0xFFFF_FFFE), (1, 2, 3, 4, 5), (1, 65535, 1, 0x8001, 7), (300, 2, 3, 1, 1)]


def test_entries_come_back_as_they_went_in():
    table = AvTable.of(ENTRIES)
    assert list(table) == ENTRIES
    assert len(table) == len(ENTRIES)


def test_columns_are_the_parts_of_entries():
    table = AvTable.of(ENTRIES)
    assert [list(column) for column in table.columns()] == [list(part) for part in list(zip(*ENTRIES, strict=True))[:4]]
    assert list(table.values()) == [entry[4] for entry in ENTRIES]


def test_a_table_made_of_keys_is_sorted():
    shuffled = [ENTRIES[n] for n in (3, 1, 0, 2)]
    assert list(table_of({key(*entry[:4]): entry[4] for entry in shuffled})) == ENTRIES


def test_an_empty_table():
    assert table_of({}) == AvTable() == AvTable.of([])
