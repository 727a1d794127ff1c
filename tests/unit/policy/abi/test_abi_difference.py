import pytest

from polpkg.policy.abi import Abi, SecurityClass, load_abi, parse_table
from polpkg.policy.abi.difference import Difference, accepts, difference

OLD = parse_table("class a one two\nclass b three\nclass gone four\nsid kernel\nsid old\nsid x\n")
NEW = parse_table("class b three\nclass a zero one\nclass fresh five\nsid kernel\nsid x\nsid y\n")


def test_every_kind_of_change_is_found():
    assert difference(OLD, NEW) == Difference(
        classes_added=("fresh",),
        classes_removed=("gone",),
        classes_renumbered=("b", "a"),
        permissions_added=("a.zero",),
        permissions_removed=("a.two",),
        permissions_renumbered=("a.one",),
        sids_added=("y",),
        sids_removed=("old",),
        sids_renumbered=("x",),
    )


def test_changes_are_counted_and_written():
    changes = difference(OLD, NEW)
    assert len(changes) == 10
    assert changes.lines()[0] == "classes added: fresh"
    assert "initial SIDs renumbered: x" in changes.lines()
    assert len(changes.lines()) == 9
    assert changes.to_json()["permissions"] == {"added": ["a.zero"], "removed": ["a.two"], "renumbered": ["a.one"]}
    assert changes.to_json()["initial_SIDs"]["added"] == ["y"]


def test_no_change_is_false_and_says_nothing():
    changes = difference(OLD, OLD)
    assert not changes
    assert changes.lines() == ()


def test_a_real_point_release():
    changes = difference(load_abi("4.18.2"), load_abi("4.18.3"))
    assert changes.lines() == ("permissions added: xen2.get_dom0_console",)


@pytest.mark.parametrize("policy", ["4.17", "4.18", "4.19", "4.20", "4.21", "4.22"])
@pytest.mark.parametrize("hypervisor", ["4.17", "4.18", "4.19", "4.20", "4.21", "4.22"])
def test_newer_policies_load_on_older_hypervisors_up_to_the_renumbering(policy, hypervisor):
    """4.22 renumbered; before it, from 4.17 on, permissions were only ever added at the end of a class."""
    loads = accepts(load_abi(policy), load_abi(hypervisor)) is None
    assert loads == (policy == hypervisor or (policy != "4.22" and hypervisor != "4.22" and policy > hypervisor))


@pytest.mark.parametrize("minor", range(6, 17))
def test_before_4_17_every_release_but_one_renumbered(minor):
    older, newer = load_abi(f"4.{minor}"), load_abi(f"4.{minor + 1}")
    assert accepts(older, older) is None
    assert (accepts(newer, older) is None) == (minor == 15)
    assert (accepts(older, newer) is None) == (minor == 15)


@pytest.mark.parametrize(
    ("policy", "hypervisor", "reason"),
    [
        ("4.18.2", "4.18.3", "permission get_dom0_console of class xen2 is missing"),
        ("4.11", "4.12", "class argo is missing"),
        ("4.22", "4.21", "permission privprofile of class xen is missing"),
    ],
)
def test_reasons_name_the_first_thing_that_is_wrong(policy, hypervisor, reason):
    assert accepts(load_abi(policy), load_abi(hypervisor)) == reason


def test_numbers_and_sids_are_compared():
    policy = Abi((SecurityClass("a", ("two", "one")),), ("kernel", "x"))
    assert accepts(policy, parse_table("class a one two\n")) == (
        "permission one of class a is bit 1, the hypervisor's is 0"
    )
    assert accepts(NEW, parse_table("class a\n")) == "class a is number 2, the hypervisor's is 1"
    assert accepts(policy, parse_table("class a two one\nsid kernel\nsid y\n")) == (
        "initial SID 2 is x, the hypervisor's is y"
    )
    assert accepts(policy, parse_table("class a two\nsid kernel\nsid x\nsid z\n")) == (
        "initial SID 3 is missing, the hypervisor's is z"
    )


def test_user_space_classes_of_a_policy_do_no_harm():
    policy = load_abi("4.17").with_user_space([SecurityClass("xenstore", ("read",))])
    assert accepts(policy, load_abi("4.17")) is None
