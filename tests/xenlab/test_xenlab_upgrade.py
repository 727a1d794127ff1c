"""Policies loaded while guests run: labels keep, new ones work, and what must not be done shows what it does."""

import pytest
from xenlab.lab import CONTEXT, Lab, refused

pytestmark = pytest.mark.xenlab


@pytest.fixture(scope="module")
def guests(running):
    """An ordinary guest and a storage domain that run all the time."""
    running.start("plain", "domU_t")
    running.start("stordom", "stordom_t")
    yield running
    running.destroy("plain", "stordom")


@pytest.fixture
def lab(guests, lab):
    yield lab
    lab.sh("xl loadpolicy /lab/drivers")


def test_an_upgrade_and_a_rollback_under_running_guests(lab):
    before = lab.labels()
    assert lab.vmvctl(f"create {CONTEXT}vmv_later_t").results == {"context": "EINVAL"}
    lab.sh("xl loadpolicy /lab/upgraded")
    assert lab.labels() == before
    assert lab.guest("plain", "echo still here") == "still here"
    lab.start("later", "vmv_later_t")
    lab.destroy("later")
    assert lab.denied() == set()
    lab.sh("xl loadpolicy /lab/drivers")
    assert lab.labels() == before
    assert lab.vmvctl(f"create {CONTEXT}vmv_later_t").results == {"context": "EINVAL"}
    lab.sh("xl pause plain && xl unpause plain")
    assert lab.guest("plain", "echo still here") == "still here"


@pytest.mark.parametrize("damage", ["dd if=/lab/drivers bs=100 count=20", "sed 's/domain/demain/' /lab/drivers"])
def test_a_damaged_policy_is_refused_and_the_old_one_stays(lab, damage):
    before = lab.labels()
    lab.sh(f"{damage} >/tmp/damaged 2>/dev/null")
    assert lab.box.run("xl loadpolicy /tmp/damaged").status != 0
    assert lab.labels() == before
    lab.sh("xl pause plain && xl unpause plain")


@pytest.fixture
def sacrifice(fits, boot, drivers, files):
    """A box of its own, with a storage domain that will be lost."""
    with boot(drivers, files) as box:
        box.wait_for_dom0(180)
        assert box.start_tools().status == 0
        lab = Lab(box)
        lab.start("stordom", "stordom_t")
        yield lab


def test_a_type_that_a_running_domain_has_must_not_go(sacrifice):
    """The domain becomes unlabelled, and dom0 cannot reach it: nor with the old policy."""
    number = sacrifice.domid("stordom")
    steps = "getinfo pause destroy"
    sacrifice.sh("xl loadpolicy /lab/removed")
    assert "stordom" not in sacrifice.labels()
    assert refused(sacrifice.vmvctl(f"try {number} {steps}"), steps)
    denied = sacrifice.denied()
    assert {text.partition(":")[0] for text in denied} == {"dom0_t unlabeled_t"}
    assert "dom0_t unlabeled_t:domain destroy" in denied
    sacrifice.sh("xl loadpolicy /lab/drivers")
    assert "stordom" not in sacrifice.labels(), "the old policy alone does not bring it back"
