"""`--dry-run` shows what the new policy allows that the old one did not, the gravest first, with the packages."""

from __future__ import annotations

import pytest


@pytest.fixture
def root(call, tmp_path):
    root = tmp_path / "host"
    call("install", "domu", "--root", root, "--xen", "4.17")
    return root


def test_gains_and_losses_have_their_packages(call, root):
    done = call("install", "vmv", "netdom", "stordom", "--root", root, "--dry-run", "--json")
    assert done.code == 10
    (review,) = done.document["review"]
    assert (review["xen"], review["compared_with"]) == ("4.17.7", "generation 1")
    gained = {(r["source"], r["target"], r["class"]): r for r in review["allow"]["added"]}
    create = gained["vmv_t", "vmv_guest_t", "domain"]
    assert "create" in create["permissions"]
    assert (create["packages"], create["function"]) == (["vmv 1.0.0"], "domain-builder")
    lost = {(r["source"], r["target"], r["class"]): r for r in review["allow"]["removed"]}
    assert lost["dom0_t", "domU_t", "grant"]["permissions"] == ["copy"]
    assert lost["dom0_t", "domU_t", "grant"]["packages"] == ["domu 1.0.0"]
    assert "vmv_t" in review["types"]["added"]
    assert call("status", "--root", root, "--json").document["generation"] == 1


def test_it_is_what_diff_says_of_the_two_generations(call, root):
    words = ("install", "netdom", "--root", root)
    (review,) = call(*words, "--dry-run", "--json").document["review"]
    call(*words)
    after = call("diff", 1, 2, "--root", root, "--json").document
    for side in ("added", "removed"):
        assert review["allow"][side] == after["allow"][side]
    for section in ("types", "attributes", "roles", "booleans", "contexts"):
        assert review[section] == after[section]


def test_people_read_the_gravest_first_in_80_columns(call, root):
    done = call("install", "vmv", "--root", root, "--dry-run")
    lines = done.out.splitlines()
    start = lines.index("policy for Xen 4.17.7, compared with generation 1:")
    assert lines[start + 1].startswith("  newly allowed (")
    assert lines[start + 2] == "  + dom0_t on vmv_t, as domain-builder [vmv 1.0.0]"
    assert all(len(line) <= 80 for line in lines[start:])


def test_the_way_back_loses_what_was_gained(call, root):
    call("install", "netdom", "--root", root)
    (review,) = call("rollback", "--root", root, "--dry-run", "--json").document["review"]
    assert review["compared_with"] == "generation 2"
    assert {r["source"] for r in review["allow"]["removed"]} >= {"netdom_t"}


def test_a_policy_that_somebody_else_wrote_is_compared_with(call, root, tmp_path):
    other = tmp_path / "other"
    (other / "boot").mkdir(parents=True)
    (other / "boot/xenpolicy-4.17.7").write_bytes((root / "boot/xenpolicy-4.17.7").read_bytes())
    words = ("install", "netdom", "--root", other, "--xen", "4.17", "--dry-run", "--json")
    (review,) = call(*words).document["review"]
    assert review["compared_with"] == "/boot/xenpolicy-4.17.7"
    assert "netdom_t" in review["types"]["added"]
    (other / "boot/xenpolicy-4.17.7").write_bytes(b"no policy at all")
    (review,) = call(*words).document["review"]
    assert review == {"xen": "4.17.7", "compared_with": None}


def test_the_first_policy_has_nothing_to_be_compared_with(call, tmp_path):
    done = call("install", "domu", "--root", tmp_path / "new", "--xen", "4.17", "--dry-run")
    assert done.out.endswith("policy for Xen 4.17.7: the first one here, there is none to compare it with\n")


def test_nothing_to_do_is_nothing_to_review(call, root):
    done = call("install", "domu", "--root", root, "--dry-run", "--json")
    assert (done.code, done.document["review"]) == (0, [])
