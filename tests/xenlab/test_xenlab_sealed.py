"""A sealed policy: once it is at work, nobody changes it, dom0 included."""

import json

import pytest
from xenlab.lab import Lab

from polpkg.cli import boundary

pytestmark = pytest.mark.xenlab


@pytest.fixture
def sealed(fits, policies, capsys):
    """The policy; skips while the package `score` has no option for it."""
    assert boundary.run(["info", "score", "--json"]) == 0
    options = json.loads(capsys.readouterr().out)["options"]
    if "sealed" not in json.dumps(options):
        pytest.skip("the package score has no option `sealed`")
    return policies.install("sealed", "vmv --option score:sealed")


def test_nobody_changes_a_sealed_policy(sealed, drivers, boot):
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
