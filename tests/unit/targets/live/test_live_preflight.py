"""Whether a policy is loaded now, waits for the next boot, or does not come: every branch, with real policies."""

from __future__ import annotations

from dataclasses import replace

import pytest
from bundled_policies import TENANTS, link_bundled

from polpkg.errors import TargetError
from polpkg.policy.link.settings import with_booleans
from polpkg.policy.policydb import lower, write_policydb
from polpkg.targets.live.known_policy import KnownPolicy
from polpkg.targets.live.preflight import changed_booleans, check_late, find_loadable, plan_load, why_not_now
from polpkg.targets.live.running import Flask, RunningDomain, RunningXen
from polpkg.targets.receipt import BootFile, HypervisorRecord, PolicyRecord

LABEL = "system_u:system_r:"


def known(linked, name="that of generation 1"):
    return KnownPolicy(write_policydb(lower(linked, 30)), name)


@pytest.fixture(scope="module")
def before():
    return known(link_bundled("4.17", "vmv", instances=TENANTS))


@pytest.fixture(scope="module")
def after():
    return known(link_bundled("4.17", "vmv", "netdom", instances=TENANTS), "that of generation 2")


@pytest.fixture
def running(before):
    domains = (RunningDomain(0, "Domain-0", f"{LABEL}dom0_t"), RunningDomain(2, "web", f"{LABEL}domU_t"))
    return RunningXen("4.17.7", "flask=enforcing", Flask.LOADED, domains, dict(before.booleans), True, "boot")


def test_an_upgrade_is_loaded(running, before, after):
    assert why_not_now(running, before, after) == ""
    load = plan_load(running, before, after)
    assert (load.new, load.before, load.booleans, load.kept) == (after, before, {}, {})


def test_who_may_load(before):
    assert before.may_load("dom0_t")
    assert not before.may_load("domU_t")
    assert not before.may_load("no_such_t")


def test_sealed_policies(running, before):
    sealed = known(link_bundled("4.17", "sealed-policy"))
    assert why_not_now(running, before, sealed).startswith("the new policy is sealed")
    at_work = replace(running, booleans=dict(sealed.booleans))
    assert why_not_now(at_work, sealed, before).startswith("the policy in force is sealed")


def test_a_policy_in_force_that_nobody_knows(running, before, after):
    assert "is not known" in why_not_now(running, None, after)
    stranger = replace(running, domains=(*running.domains, RunningDomain(5, "odd", f"{LABEL}odd_t")))
    assert "domain 5 (odd) runs as" in why_not_now(stranger, before, after)
    assert "other booleans" in why_not_now(replace(running, booleans={"x": True}), before, after)
    assert why_not_now(replace(running, booleans=None), before, after) == ""
    assert "no FLASK" in why_not_now(replace(running, flask=Flask.ABSENT), None, after)


def test_labels_in_use(running, before):
    with pytest.raises(TargetError) as caught:
        plan_load(
            replace(running, domains=(*running.domains, RunningDomain(4, "b", f"{LABEL}vmv_tenant_b_web_t"))),
            before,
            known(link_bundled("4.17")),
        )
    assert caught.value.code == "label-in-use"
    assert "domain 4 (b)" in caught.value.message


def test_late(running, after):
    empty = replace(running, flask=Flask.EMPTY, command_line="flask=late", booleans={})
    with pytest.raises(TargetError, match="flask=late") as caught:
        check_late(empty)
    assert caught.value.code == "late-with-domains"
    alone = replace(empty, domains=empty.domains[:1])
    check_late(alone)
    check_late(running)
    assert why_not_now(alone, None, after) == ""
    assert "cannot be unloaded" in plan_load(alone, None, after).notes[0]


def test_booleans(running, before):
    name = next(iter(before.booleans))
    old = before.booleans[name]
    new = known(with_booleans(before.linked, {name: not old}))
    assert plan_load(running, before, new).booleans == {name: not old}
    by_hand = replace(running, booleans={**before.booleans, name: not old})
    load = plan_load(by_hand, before, before)
    assert (load.booleans, load.kept) == ({}, {name: not old})
    assert f"boolean {name} keeps the value it was given" in load.notes[0]
    assert changed_booleans(by_hand, before, before, frozenset((name,))) == {name: old}
    assert plan_load(by_hand, before, new).booleans == {}
    blind = plan_load(replace(running, booleans=None), before, new)
    assert blind.booleans == {}
    assert "flask-get-bool" in blind.notes[0]


def test_labels_for_domains_that_start_later(running, before):
    """A type that gets a label of its own for itself."""
    without = replace(before.linked, type_rules=())
    load = plan_load(running, known(without), before)
    assert any(
        "domain 2 (web) gets domU_t_self" in note or "only when it is started again" in note for note in load.notes
    )


def record(abi, version="4.17.7", hypervisor="4.17.7"):
    files = (BootFile("/boot/xenpolicy-4.17", (HypervisorRecord("/boot/xen.gz", "0" * 64, hypervisor),)),)
    return PolicyRecord(abi * 64, version, 30, "builtin", "1", "0" * 64, 1, 1, 1, 1, "", files if hypervisor else ())


def test_which_policy_is_for_the_xen_that_runs():
    a, b = record("a"), record("b", "4.18.3", "4.18.3")
    assert find_loadable("4.17.7", (a, b)) is a
    assert find_loadable("4.18.3", (a, b)) is b
    assert find_loadable("4.16.2", (a, b)) is None
    assert find_loadable("nonsense", (a, b)) is None
    named = record("c", "4.17.7", "")
    assert find_loadable("4.17.7", (named,)) is named
    assert find_loadable("4.17.7", (a, record("d"))) is None, "two tables for one version: nobody can tell"
