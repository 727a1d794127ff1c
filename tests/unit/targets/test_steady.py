"""Looking at a target while somebody changes it."""

import pytest

from polpkg.errors import TargetError
from polpkg.targets import steady
from polpkg.targets.layout import JOURNAL
from polpkg.targets.steady import read_steadily


@pytest.fixture(autouse=True)
def pauses(monkeypatch):
    """What is done instead of waiting, one after the other."""
    waiting = []
    monkeypatch.setattr(steady, "sleep", lambda seconds: waiting.pop(0)() if waiting else None)
    return waiting


def test_one_look_is_enough_when_nothing_changes(tree):
    looks = []
    assert read_steadily(tree, lambda: looks.append(1) or "seen") == "seen"
    assert looks == [1]


@pytest.mark.parametrize("path", ["current", "marks.json", "journal.json"])
def test_what_was_seen_during_a_change_is_looked_at_again(path, tree):
    seen = []

    def look():
        seen.append(1)
        if len(seen) == 1:
            tree.write(f"/var/lib/polpkg/{path}", b"x") if path != "current" else tree.write_link(
                "/var/lib/polpkg/current", "generations/1"
            )
        elif path == "journal.json":
            tree.remove(JOURNAL)
        return len(seen)

    assert read_steadily(tree, look) >= 2


def test_it_waits_for_the_end_of_a_change(tree, pauses):
    tree.write(JOURNAL, b"{}")
    pauses += [lambda: None, lambda: tree.remove(JOURNAL)]
    assert read_steadily(tree, lambda: tree.stat(JOURNAL)) is None


def test_a_change_that_was_interrupted_is_not_waited_for_for_ever(tree):
    tree.write(JOURNAL, b"{}")
    assert read_steadily(tree, lambda: "seen") == "seen"


def test_an_error_that_a_change_explains_is_none(tree):
    seen = []

    def look():
        seen.append(1)
        if len(seen) == 1:
            tree.write_link("/var/lib/polpkg/current", "generations/2")
            raise TargetError("no-such-generation", "pruned meanwhile")
        return "seen"

    assert read_steadily(tree, look) == "seen"
    with pytest.raises(TargetError):
        read_steadily(tree, lambda: tree.read("/missing"))
