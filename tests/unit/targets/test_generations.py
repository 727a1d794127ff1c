"""Generations, receipts, going back, and drift."""

from __future__ import annotations

import json

import pytest

from polpkg.errors import ApplyError, TargetError
from polpkg.targets.apply import apply_plan, creation_time
from polpkg.targets.generations import (
    current_generation,
    generation_numbers,
    history,
    read_artifact,
    read_generation,
    read_state,
)
from polpkg.targets.marks import Marks, read_marks, write_marks
from polpkg.targets.plan import compute_plan
from polpkg.targets.present import read_present
from polpkg.targets.probe import HypervisorFile
from polpkg.targets.receipt import parse_receipt, render_receipt
from polpkg.targets.rollback import rollback
from polpkg.targets.verify import DriftKind, verify_files


def code_of(caught):
    return caught.value.code


def test_nothing_yet(tree):
    assert current_generation(tree) is None
    assert history(tree) == ()
    assert read_marks(tree) == Marks()
    with pytest.raises(TargetError) as caught:
        verify_files(tree)
    assert code_of(caught) == "no-generation"


def test_what_an_install_leaves(tree, root, make):
    receipt = make.apply(tree, make.wanted("one"))
    assert receipt == current_generation(tree)
    assert (root / "var/lib/polpkg/current").readlink().name == "1"
    assert (root / "boot/xenpolicy-4.17.7").read_bytes() == make.artifact("one").files["policydb"]
    assert (root / "etc/polpkg/policy.lock").read_bytes() == b"lock of one\n"
    names = {str(p.relative_to(root / "var/lib/polpkg")) for p in (root / "var/lib/polpkg").rglob("*") if p.is_file()}
    folder = "generations/1/aaaaaaaaaaaa/"
    assert {name for name in names if name.startswith("generations/1/")} == {
        "generations/1/policy.toml",
        "generations/1/policy.lock",
        "generations/1/plan.json",
        "generations/1/receipt.json",
        folder + "policydb",
        folder + "policy.cil",
        folder + "policy.conf",
        folder + "map.json",
    }
    assert not [name for name in names if "journal" in name or ".new" in name or ".undo" in name]


def test_two_trees_are_the_same_bytes(tmp_path, make):
    from polpkg.targets.tree import TreeTarget

    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        make.apply(TreeTarget(str(tmp_path / name)), make.wanted("one"))
    assert make.files_of(tmp_path / "a") == make.files_of(tmp_path / "b")


def test_the_time_of_a_receipt():
    assert creation_time("0") == "1970-01-01T00:00:00Z"
    assert creation_time("1577836800") == "2020-01-01T00:00:00Z"
    with pytest.raises(TargetError):
        creation_time("soon")


def test_a_receipt_keeps_what_a_newer_polpkg_added(tree, make):
    receipt = make.apply(tree, make.wanted("one"))
    document = json.loads(render_receipt(receipt)) | {"attestation": {"key": [1, 2]}}
    again = parse_receipt(json.dumps(document).encode(), "receipt")
    assert json.loads(render_receipt(again)) == document
    assert parse_receipt(render_receipt(again), "receipt") == again


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "damaged-receipt"),
        (b"[]", "damaged-receipt"),
        (b"\xff", "damaged-receipt"),
        (b"[" * 100000, "damaged-receipt"),
        (b"{}", "damaged-receipt"),
        (b'{"format": 1}', "damaged-receipt"),
        (b'{"format": 99}', "newer-format"),
    ],
)
def test_damaged_receipts(content, code):
    with pytest.raises(TargetError) as caught:
        parse_receipt(content, "receipt.json")
    assert code_of(caught) == code


def test_a_receipt_may_only_name_policies_in_boot(tree, make):
    text = render_receipt(make.apply(tree, make.wanted("one"))).decode()
    for path in ("/etc/passwd", "/boot/vmlinuz", "/boot/../etc/xenpolicy-1"):
        with pytest.raises(TargetError):
            parse_receipt(text.replace("/boot/xenpolicy-4.17.7", path).encode(), "receipt")


def test_history_and_numbers(tree, make):
    for text in ("one", "two", "three"):
        make.apply(tree, make.wanted(text), keep=2)
    assert generation_numbers(tree) == (2, 3)
    assert [each.action for each in history(tree)] == ["install two", "install three"]
    with pytest.raises(TargetError) as caught:
        read_generation(tree, 1)
    assert code_of(caught) == "no-such-generation"
    assert "2, 3" in caught.value.hint


def test_a_strange_current_link(tree):
    tree.write_link("/var/lib/polpkg/current", "../../../etc")
    with pytest.raises(TargetError) as caught:
        current_generation(tree)
    assert code_of(caught) == "damaged-state"


def test_marks(tree):
    write_marks(tree, Marks(frozenset({3, 1}), 2))
    assert read_marks(tree) == Marks(frozenset({1, 3}), 2)
    tree.write("/var/lib/polpkg/marks.json", b'{"format": 1}')
    with pytest.raises(TargetError):
        read_marks(tree)


def test_a_stored_policy_can_be_used_again(tree, make):
    receipt = make.apply(tree, make.wanted("one"))
    assert read_artifact(tree, receipt, receipt.policies[0]) == make.artifact("one")
    assert read_state(tree, receipt, "install one") == make.wanted("one")
    tree.write("/var/lib/polpkg/generations/1/aaaaaaaaaaaa/policydb", b"other")
    with pytest.raises(TargetError) as caught:
        read_artifact(tree, receipt, receipt.policies[0])
    assert code_of(caught) == "damaged-generation"


def test_rollback_makes_a_new_generation(tree, root, make):
    make.apply(tree, make.wanted("one"))
    make.apply(tree, make.wanted("two"))
    receipt = rollback(tree)
    assert (receipt.generation, receipt.parent, receipt.action) == (3, 2, "rollback 1")
    assert (root / "boot/xenpolicy-4.17.7").read_bytes() == make.artifact("one").files["policydb"]
    assert (root / "etc/polpkg/policy.toml").read_bytes() == make.wanted("one").project
    assert rollback(tree, 2).generation == 4
    with pytest.raises(TargetError):
        rollback(tree, 99)


def test_rollback_of_the_first(tree, make):
    make.apply(tree, make.wanted("one"))
    with pytest.raises(TargetError) as caught:
        rollback(tree)
    assert code_of(caught) == "no-such-generation"


def test_rollback_follows_the_hypervisors(tree, root, make):
    make.apply(tree, make.wanted("one"))
    make.apply(tree, make.wanted("two"))
    receipt = rollback(tree, 1, [HypervisorFile("/boot/xen.gz", "0", "4.17.7", make.ABI_A)])
    assert list(receipt.boot_files) == ["/boot/xenpolicy-xen"]
    assert [path.name for path in (root / "boot").iterdir()] == ["xenpolicy-xen"]
    with pytest.raises(TargetError) as caught:
        rollback(tree, 1, [HypervisorFile("/boot/xen.gz", "0", "4.22.0", make.ABI_B)])
    assert code_of(caught) == "generation-does-not-fit"


def test_a_target_that_changed_since_the_plan(tree, make):
    wanted = make.wanted("one")
    plan = compute_plan(wanted, read_present(tree, wanted))
    tree.write("/boot/xenpolicy-4.17.7", b"by hand")
    with pytest.raises(TargetError) as caught:
        apply_plan(tree, plan, wanted)
    assert code_of(caught) == "target-changed"
    assert not isinstance(caught.value, ApplyError)
    assert tree.read("/boot/xenpolicy-4.17.7") == b"by hand"


class TestVerify:
    @pytest.fixture
    def kinds(self, tree, make):
        make.apply(tree, make.wanted("one"))
        assert verify_files(tree) == ()
        return lambda: [(each.kind, each.path) for each in verify_files(tree)]

    def test_boot_file(self, tree, kinds):
        tree.write("/boot/xenpolicy-4.17.7", b"other")
        assert kinds() == [(DriftKind.CHANGED, "/boot/xenpolicy-4.17.7")]
        tree.remove("/boot/xenpolicy-4.17.7")
        assert kinds() == [(DriftKind.MISSING, "/boot/xenpolicy-4.17.7")]

    def test_configuration_and_generation(self, tree, kinds):
        tree.write("/etc/polpkg/policy.toml", b"# edited")
        tree.remove("/var/lib/polpkg/generations/1/plan.json")
        assert set(kinds()) == {
            (DriftKind.CHANGED, "/etc/polpkg/policy.toml"),
            (DriftKind.MISSING, "/var/lib/polpkg/generations/1/plan.json"),
        }

    def test_foreign_policy(self, tree, kinds):
        tree.write("/boot/xenpolicy-4.99", b"")
        assert kinds() == [(DriftKind.FOREIGN, "/boot/xenpolicy-4.99")]

    def test_interruption(self, tree, kinds):
        tree.write("/var/lib/polpkg/journal.json", b"{}")
        assert kinds() == [(DriftKind.INTERRUPTED, "/var/lib/polpkg/journal.json")]

    def test_hypervisors(self, tree, make):
        from types import SimpleNamespace

        def read(content, name):
            table = SimpleNamespace(version="4", fingerprint=content.decode()) if content else None
            return SimpleNamespace(version="4", table=table)

        places = [make.boot_file("/boot/xenpolicy-1", "/boot/xen-1.gz")]
        make.apply(tree, make.wanted("one", artifacts=[make.artifact("one", boot_files=places)]))
        for content, kind in (
            (make.ABI_A, DriftKind.HYPERVISOR_CHANGED),
            (make.ABI_B, DriftKind.HYPERVISOR_ABI),
            ("", DriftKind.HYPERVISOR_ABI),
        ):
            tree.write("/boot/xen-1.gz", content.encode())
            assert [each.kind for each in verify_files(tree, read)] == [kind]
        tree.remove("/boot/xen-1.gz")
        tree.write("/boot/xen-2.gz", make.ABI_A.encode())
        assert [each.kind for each in verify_files(tree, read)] == [
            DriftKind.HYPERVISOR_MISSING,
            DriftKind.HYPERVISOR_NEW,
        ]
