"""A sealed policy: once it is at work, nobody changes it, dom0 included."""

import pytest
from xenlab.lab import Lab

pytestmark = pytest.mark.xenlab


@pytest.mark.usefixtures("fits")
def test_nobody_changes_a_sealed_policy(policies, drivers, boot):
    sealed = policies.install("sealed", "vmv --option score:sealed")
    with boot(sealed, {"lab/drivers": drivers}) as box:
        box.wait_for_dom0(180)
        assert box.start_tools().status == 0
        lab = Lab(box)
        assert lab.denied() == set()
        assert box.run("xl loadpolicy /lab/drivers").status != 0
        box.run("xl setenforce 0")
        lab.start("plain", "domU_t")
        denied = lab.denied()
    assert denied == {"dom0_t security_t:security load_policy", "dom0_t security_t:security setenforce"}
