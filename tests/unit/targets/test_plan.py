"""The comparison of wanted with present, and what a plan says of itself."""

from __future__ import annotations

import json

from polpkg.targets.plan import (
    PruneGeneration,
    RemoveBootFile,
    SwitchCurrent,
    WriteBootFile,
    WriteConfiguration,
    WriteGeneration,
    compute_plan,
)
from polpkg.targets.plan_text import plan_document, plan_lines
from polpkg.targets.present import PresentState, read_present


def plan_for(tree, state, keep=10):
    return compute_plan(state, read_present(tree, state), keep=keep)


def test_the_first_generation(make):
    plan = compute_plan(make.wanted("one"), PresentState())
    assert [type(each) for each in plan.actions] == [
        WriteGeneration,
        WriteBootFile,
        WriteConfiguration,
        WriteConfiguration,
        SwitchCurrent,
    ]
    assert (plan.generation, plan.previous) == (1, None)
    assert [each.name for each in plan.changes.added] == ["vmv"]


def test_what_is_there_needs_nothing(tree, make):
    make.apply(tree, make.wanted("one"))
    plan = plan_for(tree, make.wanted("one", action="install again"))
    assert plan.is_empty
    assert plan_lines(plan) == ["nothing to do: generation 1 is what is wanted"]


def test_a_lost_file_is_put_back_without_a_generation(tree, make):
    make.apply(tree, make.wanted("one"))
    tree.remove("/boot/xenpolicy-4.17.7")
    plan = plan_for(tree, make.wanted("one"))
    assert [each.path for each in plan.actions] == ["/boot/xenpolicy-4.17.7"]
    assert plan.new_generation is None
    make.apply(tree, make.wanted("one"))
    assert plan_for(tree, make.wanted("one")).is_empty


def test_versions_that_go_up_and_down(tree, make):
    old = [make.package("a", "1.9"), make.package("b", "2"), make.package("c"), make.package("d")]
    new = [make.package("a", "1.10"), make.package("b", "1"), make.package("d", content="other"), make.package("e")]
    make.apply(tree, make.wanted("one", packages=old))
    changes = plan_for(tree, make.wanted("one", packages=new)).changes
    assert [each.new.name for each in changes.upgraded] == ["a"]
    assert [each.new.name for each in changes.downgraded] == ["b"]
    assert [each.name for each in changes.removed] == ["c"]
    assert [each.new.name for each in changes.rebuilt] == ["d"]
    assert [each.name for each in changes.added] == ["e"]


def test_a_foreign_policy_is_kept_and_said(tree, make, root):
    tree.write("/boot/xenpolicy-4.17.7", b"by hand")
    plan = plan_for(tree, make.wanted("one"))
    assert any("was not written by polpkg" in note for note in plan.notes)
    make.apply(tree, make.wanted("one"))
    kept = root / "var/lib/polpkg/generations/1/backup/boot/xenpolicy-4.17.7"
    assert kept.read_bytes() == b"by hand"


def test_a_policy_overwritten_by_hand_is_kept_too(tree, make, root):
    make.apply(tree, make.wanted("one"))
    tree.write("/boot/xenpolicy-4.17.7", b"by hand")
    make.apply(tree, make.wanted("one"))
    assert (root / "var/lib/polpkg/generations/2/backup/boot/xenpolicy-4.17.7").read_bytes() == b"by hand"


def test_the_same_policy_by_hand_is_not_written_again(tree, make):
    tree.write("/boot/xenpolicy-4.17.7", make.artifact("one").files["policydb"])
    assert not any(isinstance(each, WriteBootFile) for each in plan_for(tree, make.wanted("one")).actions)


class TestStaleBootFiles:
    def move(self, tree, make, hypervisor=None):
        old = [make.boot_file("/boot/xenpolicy-old", hypervisor)]
        make.apply(tree, make.wanted("one", artifacts=[make.artifact("one", boot_files=old)]))
        return make.wanted("one")

    def test_ours_goes_with_its_hypervisor(self, tree, make):
        plan = plan_for(tree, self.move(tree, make, "/boot/xen-old.gz"))
        assert [each.path for each in plan.actions if isinstance(each, RemoveBootFile)] == ["/boot/xenpolicy-old"]

    def test_it_stays_while_the_hypervisor_does(self, tree, make):
        tree.write("/boot/xen-old.gz", b"xen")
        plan = plan_for(tree, self.move(tree, make, "/boot/xen-old.gz"))
        assert not any(isinstance(each, RemoveBootFile) for each in plan.actions)
        assert any("/boot/xen-old.gz" in note for note in plan.notes)

    def test_it_stays_when_somebody_changed_it(self, tree, make):
        wanted = self.move(tree, make)
        tree.write("/boot/xenpolicy-old", b"by hand")
        plan = plan_for(tree, wanted)
        assert not any(isinstance(each, RemoveBootFile) for each in plan.actions)
        assert any("changed since" in note for note in plan.notes)


def test_pruning_spares_the_marked(make):
    from polpkg.targets.marks import Marks

    present = PresentState(None, (1, 2, 3, 4, 5), Marks(frozenset({1}), 3))
    plan = compute_plan(make.wanted("x"), present, keep=2)
    assert plan.generation == 6
    assert [each.number for each in plan.actions if isinstance(each, PruneGeneration)] == [2, 4]


def test_text_and_json(tree, make):
    tree.write("/boot/xenpolicy-4.17.7", b"by hand")
    plan = plan_for(tree, make.wanted("one"))
    lines = plan_lines(plan)
    assert lines[0] == "+ vmv 1.0.0"
    assert any(line.startswith("write /boot/xenpolicy-4.17.7") for line in lines)
    assert "make generation 1 current" in lines
    document = json.loads(json.dumps(plan_document(plan)))
    assert [each["do"] for each in document["actions"]][:2] == ["write-generation", "write-boot-file"]
    assert document["changes"]["added"][0]["name"] == "vmv"
