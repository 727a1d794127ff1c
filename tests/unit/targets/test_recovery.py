"""Changes that fail at one step of a target, whatever kind of target it is."""

from __future__ import annotations

import pytest

from polpkg.errors import ApplyError, TargetError
from polpkg.targets.generations import current_number
from polpkg.targets.journal import Direction, FileChange, Journal, read_journal, write_journal
from polpkg.targets.recovery import is_interrupted, recover


class FailingTarget:
    """A target of which one method does its work at one path, and then says that it failed."""

    def __init__(self, target, method, path):
        self.target = target
        self.method = method
        self.path = path

    def __getattr__(self, name):
        real = getattr(self.target, name)
        if name != self.method:
            return real

        def call(path, *rest, **options):
            result = real(path, *rest, **options)
            if path == self.path:
                self.path = None
                raise TargetError("target-failed", "the disk says no")
            return result

        return call


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("write_tree", "/var/lib/polpkg/generations/.undo-2"),
        ("write_tree", "/var/lib/polpkg/generations/.new-2"),
        ("write", "/var/lib/polpkg/journal.json"),
        ("rename", "/var/lib/polpkg/generations/.new-2"),
        ("write", "/boot/xenpolicy-4.17.7"),
        ("write", "/etc/polpkg/policy.lock"),
        ("write_link", "/var/lib/polpkg/current"),
    ],
)
def test_what_fails_is_taken_back_at_once(tree, root, make, method, path):
    make.apply(tree, make.wanted("one"))
    before = make.files_of(root)
    with pytest.raises(ApplyError) as caught:
        make.apply(FailingTarget(tree, method, path), make.wanted("two"))
    assert caught.value.code == "apply-failed"
    assert "generation 1" in caught.value.message
    assert "the disk says no" in caught.value.message
    assert make.files_of(root) == before
    assert current_number(tree) == 1


def test_a_failure_after_the_change_is_no_failure(tree, root, make):
    make.apply(tree, make.wanted("one"))
    receipt = make.apply(FailingTarget(tree, "remove", "/var/lib/polpkg/journal.json"), make.wanted("two"))
    assert receipt.generation == current_number(tree) == 2
    assert recover(tree) is None
    assert not list((root / "var/lib/polpkg/generations").glob(".*"))


def test_a_generation_that_was_damaged_meanwhile_is_not_gone_on_with(tree, root, make):
    make.apply(tree, make.wanted("one"))
    before = make.files_of(root)
    target = FailingTarget(tree, "write", "/boot/xenpolicy-4.17.7")
    target.remove = lambda path: (_ for _ in ()).throw(TargetError("target-failed", "still no"))
    with pytest.raises(ApplyError) as caught:
        make.apply(target, make.wanted("two"))
    assert caught.value.code == "apply-unfinished"
    assert is_interrupted(tree)
    assert recover(tree) == ("undone", 1)
    assert make.files_of(root) == before


@pytest.mark.parametrize("damage", ["aaaaaaaaaaaa/policydb", "receipt.json"])
def test_recovery_undoes_what_it_cannot_finish(tree, root, make, damage):
    make.apply(tree, make.wanted("one"))
    before = make.files_of(root)
    make.apply(tree, make.wanted("two"))
    tree.write_tree("/var/lib/polpkg/generations/.undo-2", {"0": before["boot/xenpolicy-4.17.7"]})
    changed = FileChange(
        "/boot/xenpolicy-4.17.7",
        make.wanted("one").records[0].sha256,
        make.wanted("two").records[0].sha256,
        "aaaaaaaaaaaa/policydb",
    )
    write_journal(tree, Journal(2, 1, (changed,)))
    tree.write(f"/var/lib/polpkg/generations/2/{damage}", b"damaged")
    assert recover(tree) == ("undone", 1)
    assert tree.read("/boot/xenpolicy-4.17.7") == before["boot/xenpolicy-4.17.7"]
    assert current_number(tree) == 1


def test_a_journal_reads_as_it_was_written(tree):
    assert read_journal(tree) is None
    journal = Journal(3, None, (FileChange("/boot/xenpolicy-1", None, "0", "x/policydb"),), Direction.BACK)
    write_journal(tree, journal)
    assert read_journal(tree) == journal


@pytest.mark.parametrize("text", ["", "{}", '{"format": 1}'])
def test_a_damaged_journal_is_said(tree, text):
    tree.write("/var/lib/polpkg/journal.json", text.encode())
    with pytest.raises(TargetError) as caught:
        recover(tree)
    assert caught.value.code == "damaged-journal"


def test_a_journal_may_only_name_files_of_ours(tree):
    write_journal(tree, Journal(1, None, (FileChange("/etc/passwd", None, None, None),)))
    with pytest.raises(TargetError) as caught:
        recover(tree)
    assert caught.value.code == "damaged-journal"
