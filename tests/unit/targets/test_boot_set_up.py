"""What polpkg writes for GRUB, and confirming: fallbacks, trials, and what happens in which order."""

import re

import pytest

from polpkg.errors import ApplyError, TargetError
from polpkg.targets.apply import apply_plan
from polpkg.targets.boot.path import xen_options
from polpkg.targets.boot.set_up import with_boot_set_up
from polpkg.targets.boot.trial import SIZE, Trial, parse_trial, render_trial
from polpkg.targets.confirm import is_confirmed, plan_confirmation
from polpkg.targets.generations import current_generation
from polpkg.targets.layout import BOOT_STATE, GRUB_SCRIPT, MARKS
from polpkg.targets.marks import read_marks
from polpkg.targets.plan import compute_plan
from polpkg.targets.present import read_present
from polpkg.targets.recovery import recover
from polpkg.targets.rollback import rollback
from polpkg.targets.verify import verify_files

XEN = "/boot/xen-4.17.7.gz"
FALLBACK = "/boot/polpkg/confirmed-4.17.7"
POLICY = "/boot/xenpolicy-4.17.7"


@pytest.fixture
def grub(tree):
    """A tree that has GRUB's scripts and a hypervisor file."""
    tree.write("/etc/grub.d/00_header", b"#!/bin/sh\n")
    tree.write(XEN, XEN.encode())
    return tree


@pytest.fixture
def install(grub, make):
    """`install("one")`: a generation whose policy is made of that word."""

    def apply(text, *, target=grub):
        state = with_boot_set_up(grub, wanted(text, make))
        return apply_plan(target, compute_plan(state, read_present(grub, state)), state, created=make.CREATED)

    return apply


def wanted(text, make):
    return make.wanted(text, artifacts=[make.artifact(text, boot_files=[make.boot_file(hypervisor=XEN)])])


def confirm(target):
    plan, state = plan_confirmation(target)
    apply_plan(target, plan, state)
    return plan


def trial(tree):
    return parse_trial(tree.read(BOOT_STATE))


def test_a_tree_without_grub_gets_nothing_for_it(tree, make):
    state = with_boot_set_up(tree, wanted("one", make))
    assert state.boot.files == {}


def test_the_script_comes_first_and_can_be_run(grub, install):
    install("one")
    found = grub.stat(GRUB_SCRIPT)
    assert found.mode == 0o755
    assert b"4.17.7 xen-4.17.7.gz xenpolicy-4.17.7 confirmed-4.17.7 " in grub.read(GRUB_SCRIPT)
    assert b"xsm=flask flask=enforcing\n" in grub.read(GRUB_SCRIPT)
    assert not re.search(rb"@[A-Z]*@", grub.read(GRUB_SCRIPT)), "all places are filled"
    assert grub.stat(BOOT_STATE) is None, "there is nothing to fall back to"


def test_the_script_is_the_same_wherever_it_is_made(grub, install, tmp_path):
    install("one")
    first = grub.read(GRUB_SCRIPT)
    install("two")
    assert grub.read(GRUB_SCRIPT) == first, "it depends on the hypervisors alone"
    assert str(tmp_path).encode() not in first


@pytest.mark.parametrize(
    ("version", "knows"),
    [("4.8.5", False), ("4.11.3", False), ("4.11.4", True), ("4.12.0", True), ("4.22.0", True), ("", True)],
)
def test_xsm_is_said_where_it_is_known(version, knows):
    assert ("xsm=flask" in xen_options(version)) is knows
    assert xen_options(version)[-1] == "flask=enforcing"


def test_a_confirmed_policy_is_kept_beside_a_new_one(grub, install):
    install("one")
    old = grub.read(POLICY)
    confirm(grub)
    assert (grub.read(FALLBACK), trial(grub), read_marks(grub).confirmed) == (old, Trial.SETTLED, 1)
    install("two")
    assert (grub.read(FALLBACK), trial(grub), read_marks(grub).confirmed) == (old, Trial.STAGED, 1)
    assert verify_files(grub) == ()


def test_a_policy_that_was_tried_is_not_tried_again(grub, install):
    install("one")
    confirm(grub)
    install("two")
    grub.write(BOOT_STATE, render_trial(Trial.BOOTED))  # as GRUB does
    assert verify_files(grub) == ()
    install("two")
    assert trial(grub) is Trial.BOOTED
    install("three")
    assert trial(grub) is Trial.STAGED


def test_a_trial_is_announced_before_the_policy_and_ended_after_it(grub, install, make):
    install("one")
    confirm(grub)
    paths = [each.path for each in plan_of(grub, wanted("two", make)).file_changes]
    assert paths.index(BOOT_STATE) < paths.index(POLICY)
    install("two")
    paths = [each.path for each in plan_of(grub, wanted("one", make)).file_changes]
    assert paths.index(BOOT_STATE) > paths.index(POLICY)


def plan_of(tree, state):
    state = with_boot_set_up(tree, state)
    return compute_plan(state, read_present(tree, state))


def test_confirming_makes_the_new_policy_the_fallback(grub, install):
    install("one")
    confirm(grub)
    install("two")
    plan = confirm(grub)
    assert plan.file_changes[-1].path == MARKS, "until all of it is done, the old one is confirmed"
    assert (grub.read(FALLBACK), trial(grub), read_marks(grub).confirmed) == (grub.read(POLICY), Trial.SETTLED, 2)
    assert plan_confirmation(grub)[0].is_empty


def test_only_what_boots_is_confirmed(grub, install):
    install("one")
    grub.write(POLICY, b"other")
    with pytest.raises(TargetError) as caught:
        plan_confirmation(grub)
    assert caught.value.code == "not-what-boots"


def test_what_was_given_up_is_not_confirmed_by_mistake(grub, install):
    install("one")
    confirm(grub)
    install("two")
    grub.write(BOOT_STATE, render_trial(Trial.FAILED))  # as GRUB does on the boot after
    assert verify_files(grub) == ()
    with pytest.raises(TargetError) as caught:
        plan_confirmation(grub)
    assert caught.value.code == "trial-failed"
    assert not plan_confirmation(grub, force=True)[0].is_empty
    install("three")
    assert trial(grub) is Trial.STAGED


def test_without_a_number_one_goes_back_to_the_confirmed_one(grub, install):
    install("one")
    first = grub.read(POLICY)
    confirm(grub)
    install("two")
    install("three")
    receipt = rollback(grub)
    assert receipt.action == "rollback 1"
    assert (grub.read(POLICY), trial(grub)) == (first, Trial.SETTLED)
    assert is_confirmed(grub, current_generation(grub), read_marks(grub)), "it has the same policy"


def test_a_hypervisor_of_another_abi_has_no_fallback(grub, install, make):
    install("one")
    confirm(grub)
    other = make.artifact("two", make.ABI_B, [make.boot_file(hypervisor=XEN)])
    state = with_boot_set_up(grub, make.wanted("two", artifacts=[other]))
    assert FALLBACK not in state.boot.files
    plan = compute_plan(state, read_present(grub, state))
    apply_plan(grub, plan, state)
    assert grub.stat(FALLBACK) is None, "Xen would refuse it"
    assert grub.stat(BOOT_STATE) is None


def test_a_damaged_confirmed_generation_is_no_fallback_and_told_of(grub, install, make):
    install("one")
    confirm(grub)
    install("two")
    damaged = f"/var/lib/polpkg/generations/1/{make.ABI_A[:12]}/policydb"
    grub.write(damaged, b"x")
    assert [(each.kind.value, each.path) for each in verify_files(grub, thorough=True)][-1] == ("damaged", damaged)


@pytest.mark.parametrize("code", ["target-failed", "target-permission", "connection-lost"])
def test_a_confirmed_generation_that_cannot_be_read_is_not_given_up(code, grub, install, monkeypatch):
    """It may well be whole: taking its policies away would leave no way back."""
    install("one")
    confirm(grub)
    read = type(grub).read

    def failing(tree, path):
        if path == "/var/lib/polpkg/generations/1/aaaaaaaaaaaa/policydb":
            raise TargetError(code, f"cannot read {path}")
        return read(tree, path)

    monkeypatch.setattr(type(grub), "read", failing)
    with pytest.raises(TargetError) as raised:
        install("two")
    assert raised.value.code == code
    assert grub.stat(FALLBACK)


def test_the_script_goes_with_grub(grub, install):
    install("one")
    for name in grub.list("/etc/grub.d"):
        if name != "09_polpkg":
            grub.remove(f"/etc/grub.d/{name}")
    assert [(each.kind.value, each.path) for each in verify_files(grub)] == [("foreign", GRUB_SCRIPT)]
    install("one")
    assert grub.stat(GRUB_SCRIPT) is None
    assert verify_files(grub) == ()


@pytest.mark.parametrize("path", [GRUB_SCRIPT, BOOT_STATE, FALLBACK])
def test_drift_is_seen_and_mended(grub, install, path):
    install("one")
    confirm(grub)
    right = grub.read(path)
    grub.write(path, b"other")
    assert [(each.kind.value, each.path) for each in verify_files(grub)] == [("changed", path)]
    grub.remove(path)
    assert [(each.kind.value, each.path) for each in verify_files(grub)] == [("missing", path)]
    install("one")
    assert grub.read(path) == right
    assert verify_files(grub) == ()


def test_a_script_that_cannot_be_run_is_drift(grub, install, root):
    install("one")
    (root / GRUB_SCRIPT[1:]).chmod(0o644)
    assert [each.kind.value for each in verify_files(grub)] == ["mode"]


class Failing:
    """A target that writes one file no more."""

    def __init__(self, target, path):
        self.target = target
        self.path = path

    def __getattr__(self, name):
        return getattr(self.target, name)

    def write(self, path, content, **options):
        if path == self.path:
            raise TargetError("target-failed", "the disk says no")
        self.target.write(path, content, **options)


@pytest.mark.parametrize("path", [POLICY, BOOT_STATE, "/etc/polpkg/policy.toml"])
def test_a_change_that_fails_leaves_the_trial_as_it_was(grub, install, root, make, path):
    install("one")
    confirm(grub)
    before = make.files_of(root)
    with pytest.raises(ApplyError):
        install("two", target=Failing(grub, path))
    assert make.files_of(root) == before


@pytest.mark.parametrize("path", [FALLBACK, BOOT_STATE, MARKS])
def test_a_confirmation_that_fails_leaves_the_old_one(grub, install, root, make, path):
    install("one")
    confirm(grub)
    install("two")
    before = make.files_of(root)
    plan, state = plan_confirmation(grub)
    with pytest.raises(ApplyError):
        apply_plan(Failing(grub, path), plan, state)
    assert make.files_of(root) == before
    assert recover(grub) is None


def test_the_record_of_a_trial_is_a_grub_environment_block():
    for each in Trial:
        block = render_trial(each)
        assert len(block) == SIZE
        assert parse_trial(block) is each
    assert len({len(each.value) for each in (Trial.STAGED, Trial.BOOTED, Trial.FAILED)}) == 1, "GRUB writes in place"
    for wrong in (
        b"",
        b"x" * SIZE,
        render_trial(Trial.STAGED)[:-1],
        render_trial(Trial.STAGED).replace(b"staged", b"other!"),
    ):
        assert parse_trial(wrong) is None


def test_no_boot_file_of_polpkg_looks_like_a_hypervisor(grub, install):
    install("one")
    confirm(grub)
    assert [name for name in grub.list("/boot") if name.startswith("xen")] == ["xen-4.17.7.gz", "xenpolicy-4.17.7"]


def test_the_state_of_a_boot_loader_is_not_part_of_a_generation(grub, install):
    install("one")
    confirm(grub)
    assert not [path for path in current_generation(grub).files if "grub" in path or "confirmed" in path]
