"""Policies of polpkg boot enforced, on every hypervisor; what does not fit is refused as polpkg foretells."""

import pytest

from polpkg.ops.probe import why_refused
from polpkg.policy.abi.hypervisor import read_hypervisor
from polpkg.targets.lab.box import BoxError

pytestmark = pytest.mark.xenlab


@pytest.mark.parametrize("packages", [("dom0", "domu"), ("vmv", "netdom", "stordom")])
def test_boots_enforcing_and_denies_nothing(boot, policies, packages):
    policy = policies.install("-".join(packages), f"install {' '.join(packages)}")
    with boot(policy) as box:
        box.wait_for_dom0(180)
        transcript = box.settle()
    assert transcript.mode == "enforcing"
    assert transcript.denials == ()


@pytest.mark.parametrize("other", ["4.14", "4.17", "4.21", "4.22"])
def test_what_polpkg_says_of_an_abi_is_what_xen_does(boot, policies, hypervisor, other):
    policy = policies.link(other)
    misfit = why_refused(policy, read_hypervisor(hypervisor).abi)
    with boot(policy) as box:
        if not misfit:
            box.wait_for_dom0(180)
            assert box.settle().mode == "enforcing"
            return
        with pytest.raises(BoxError, match="Unable to load FLASK policy"):
            box.wait_for_dom0(180)


@pytest.mark.parametrize("damage", [lambda p: p[: len(p) // 2], lambda p: p[:16] + b"\x1f" + p[17:]])
def test_a_damaged_policy_panics_and_is_foretold(boot, drivers, hypervisor, damage):
    policy = damage(drivers)
    assert why_refused(policy, read_hypervisor(hypervisor).abi)
    with boot(policy) as box, pytest.raises(BoxError) as caught:
        box.wait_for_dom0(180)
    assert caught.value.code == "lab-panic"
