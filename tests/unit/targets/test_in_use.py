"""Labels in use: which of them another policy would lose."""

from __future__ import annotations

from dataclasses import replace

import pytest
from bundled_policies import TENANTS, link_bundled

from polpkg.errors import TargetError
from polpkg.targets.in_use import LabelInUse, check_labels_in_use, find_lost_labels, reason_against


def domain(type_name, number=3):
    return LabelInUse(f"system_u:system_r:{type_name}", f"domain {number}")


@pytest.fixture(scope="module")
def before():
    return link_bundled("4.17", "vmv", "netdom", instances=TENANTS)


RUNNING = [domain("dom0_t", 0), domain("domU_t", 1), domain("vmv_tenant_a_t", 2), domain("vmv_tenant_b_web_t", 4)]


def test_the_same_policy_loses_nothing(before):
    assert find_lost_labels(RUNNING, before, before) == ()
    check_labels_in_use(RUNNING, before, before)


def test_an_instance_that_goes(before):
    kept = {"vmv": {"tenant-a": TENANTS["vmv"]["tenant-a"]}}
    after = link_bundled("4.17", "vmv", "netdom", instances=kept)
    lost = find_lost_labels(RUNNING, before, after)
    assert [(each.in_use.holder, each.reason) for each in lost] == [
        ("domain 4", "the policy has no type `vmv_tenant_b_web_t`")
    ]
    assert find_lost_labels(RUNNING[:3], before, after) == ()
    with pytest.raises(TargetError) as caught:
        check_labels_in_use(RUNNING, before, after)
    assert caught.value.code == "label-in-use"
    assert "domain 4 runs as system_u:system_r:vmv_tenant_b_web_t" in caught.value.message


def test_an_instance_that_is_renamed_and_a_package_that_goes(before):
    renamed = {"vmv": {"tenant-c": TENANTS["vmv"]["tenant-a"], "tenant-b": TENANTS["vmv"]["tenant-b"]}}
    after = link_bundled("4.17", "vmv", instances=renamed)
    device = LabelInUse("system_u:object_r:netdom_device_t", "PCI device 0000:03:00.0")
    lost = find_lost_labels([*RUNNING, device], before, after)
    assert [each.in_use.holder for each in lost] == ["domain 2", "PCI device 0000:03:00.0"]


def test_a_label_that_was_lost_before_is_not_counted(before):
    orphan = domain("vmv_tenant_x_t", 9)
    assert find_lost_labels([orphan], before, link_bundled("4.17")) == ()


def test_users_roles_and_combinations(before):
    assert reason_against("nobody_u:system_r:domU_t", before) == "the policy has no user `nobody_u`"
    assert reason_against("system_u:no_such_r:domU_t", before) == "the policy has no role `no_such_r`"
    assert reason_against("system_u:system_r:domain_type", before) == "the policy has no type `domain_type`"
    assert reason_against("system_u:system_r", before) == "`system_u:system_r` is not a label"
    assert reason_against("system_u:system_r:domU_t:s0", before) == ""
    role = next(n for n, r in enumerate(before.roles) if r.name == "system_r")
    mask = ~(1 << before.number_of_type("domU_t"))
    roles = tuple(r._replace(types=r.types & mask) if n == role else r for n, r in enumerate(before.roles))
    (lost,) = find_lost_labels(RUNNING, before, replace(before, roles=roles))
    assert lost.reason == "`system_r` may not have the type `domU_t`"
    users = tuple(u._replace(roles=0) for u in before.users)
    assert len(find_lost_labels(RUNNING, before, replace(before, users=users))) == len(RUNNING)


def test_an_alias_keeps_a_label(before):
    number = before.number_of_type("vmv_tenant_a_t")
    renamed = tuple(
        t._replace(name="other_t", aliases=("vmv_tenant_a_t",)) if n == number else t
        for n, t in enumerate(before.types)
    )
    after = replace(before, types=renamed, _numbers={})
    assert find_lost_labels(RUNNING, before, after) == ()


def test_the_labels_of_itself_and_its_channels_belong_to_a_domain(before):
    number = before.number_of_type("vmv_tenant_a_t_self")
    types = tuple(t._replace(name="gone_t") if n == number else t for n, t in enumerate(before.types))
    (lost,) = find_lost_labels(RUNNING, before, replace(before, types=types, _numbers={}))
    assert lost.reason == "the policy has no type `vmv_tenant_a_t_self`, which belongs to it"
