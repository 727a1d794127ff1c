"""The table of powers against the hooks of Xen itself, where `POLPKG_XEN_TREES` names a directory with whole Xen trees.

A row cites hooks by name; each of its permissions has to be checked by one of these in some release.
"""

from __future__ import annotations

import os
import re
from collections import defaultdict
from functools import cache
from pathlib import Path

import pytest

from polpkg.policy.powers import read_powers

TREES = sorted(Path(os.environ.get("POLPKG_XEN_TREES", "/nonexistent")).glob("xen-*/xen/xsm/flask/hooks.c"))
_FUNCTION = re.compile(r"[a-z].*?\b(\w+)\(")
_CHECK = re.compile(r"\b([A-Z][A-Z0-9]+)__([A-Z0-9_]+)\b")

pytestmark = [
    pytest.mark.interop,
    pytest.mark.skipif(not TREES, reason="POLPKG_XEN_TREES names no trees with hooks"),
]


@cache
def hooks():
    """Class and permission to the hooks that check it in any of the trees."""
    found = defaultdict(set)
    for file in TREES:
        current = ""
        for line in file.read_text(encoding="utf-8", errors="replace").splitlines():
            begun = _FUNCTION.match(line)
            if begun and not line.rstrip().endswith(";"):
                current = begun.group(1).removeprefix("flask_")
            for name, permission in _CHECK.findall(line):
                found[name.lower(), permission.lower()].add(current)
    return found


def cited(row):
    return set(re.findall(r"\w+", re.sub(r"\([^)]*\)", "", row.hooks)))


def test_every_permission_is_checked_by_a_hook_that_its_row_cites():
    wrong = [
        (row.functions, row.when, row.security_class, permission, sorted(hooks()[row.security_class, permission]))
        for row in read_powers()
        for permission in row.permissions
        if (found := hooks().get((row.security_class, permission))) and not found & cited(row)
    ]
    assert wrong == []


def test_every_file_is_there():
    roots = [file.parents[2] for file in TREES]
    files = {
        path for row in read_powers() for group in re.findall(r"\(([^)]*)\)", row.hooks) for path in group.split(", ")
    }
    missing = {
        path for path in files if not any((r / path).exists() or (r / "xsm/flask" / path).exists() for r in roots)
    }
    assert missing == set()
