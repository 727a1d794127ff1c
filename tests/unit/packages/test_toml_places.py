from __future__ import annotations

import pytest

from polpkg.packages.toml_places import find_place

TEXT = '''\
top = 1
[a]
x = [
  "not = a key",  # [nor.a.table]
]
y = """
[no.table]
"""
"quoted key".z = 1
[a."b.c"]
k = { inner = 1 }
[[list]]
name = "one"
'''


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (("top",), 1),
        (("a",), 2),
        (("a", "x"), 3),
        (("a", "y"), 6),
        (("a", "quoted key", "z"), 9),
        (("a", "b.c"), 10),
        (("a", "b.c", "k", "inner"), 11),
        (("a", "b.c", "missing"), 10),
        (("list", "name"), 13),
        (("nowhere",), 0),
    ],
)
def test_finds_the_line_of_a_key(path, line):
    assert find_place(TEXT, path).line == line
