"""What the next command makes of a trial whose end nobody saw, phase by phase."""

import pytest
from bundled_policies import link_bundled
from live_hosts import LiveHostFiles

from polpkg.errors import TargetError
from polpkg.policy.policydb import lower, write_policydb
from polpkg.targets.document import digest
from polpkg.targets.live.guard import render_guard
from polpkg.targets.live.host import find_live_host
from polpkg.targets.live.layout import GUARD, NEW, PREVIOUS, find_phase, phase_path
from polpkg.targets.live.record import (
    Record,
    Trial,
    read_record,
    read_trial,
    recorded_policy,
    render_trial,
    write_record,
)
from polpkg.targets.live.recovery import current_link, find_waiting, settle
from polpkg.targets.live.trial import bring_back
from polpkg.targets.tree import TreeTarget

OLD = write_policydb(lower(link_bundled("4.17"), 30))
NEXT = write_policydb(lower(link_bundled("4.17", "vmv"), 30))


@pytest.fixture
def host(tmp_path):
    """A host on which the policy NEXT is being tried."""
    found = LiveHostFiles(tmp_path / "root", tmp_path / "xen")
    found.xen.boot(OLD)
    assert found.xen.load(NEXT)
    found.write(NEW, NEXT)
    found.write(PREVIOUS, OLD)
    found.write(GUARD, render_guard(60, "", booleans={}))
    return found


def trial(host, phase, **changes):
    values = {
        "boot": host.xen.state["boot"],
        "what": "install vmv",
        "waits": False,
        "seconds": 60,
        "new": digest(NEXT),
        "name": "the new one",
        "previous": digest(OLD),
        "previous_name": "the old one",
        "becomes": 0,
    }
    found = Trial(**{**values, **changes})
    host.write(phase_path(phase), render_trial(found))
    return found


@pytest.mark.parametrize(
    ("phase", "outcome", "stays"),
    [
        ("armed", "undone", False),
        ("confirmed", "confirmed", True),
        ("reverting", "undone", False),
        ("reverted", "reverted", False),
        ("stuck", "stuck", True),
    ],
)
def test_each_phase(host, phase, outcome, stays):
    if phase == "reverted":
        assert host.xen.load(OLD)
    trial(host, phase)
    ending = settle(find_live_host(host))
    assert (ending.outcome, ending.trial.what) == (outcome, "install vmv")
    assert host.xen.loaded == (NEXT if stays else OLD)
    assert recorded_policy(host, host.xen.state["boot"]).policydb == host.xen.loaded
    assert (read_record(host).last is None) is (outcome == "confirmed")
    assert find_phase(host) == ""
    assert settle(find_live_host(host)) is None


def test_the_old_policy_does_not_come_back(host):
    host.xen.change(refuses=True)
    trial(host, "armed")
    assert settle(find_live_host(host)).outcome == "stuck"
    assert recorded_policy(host, host.xen.state["boot"]).policydb == NEXT == host.xen.loaded


def test_a_trial_of_an_earlier_boot(host):
    trial(host, "armed", boot="another")
    assert settle(find_live_host(host)).outcome == "restart"
    assert read_record(host).last.outcome == "restart"
    assert recorded_policy(host, host.xen.state["boot"]) is None


def test_what_was_confirmed_before_a_restart_need_not_be_what_booted(host):
    trial(host, "confirmed", boot="another")
    assert settle(find_live_host(host)).outcome == "confirmed"
    assert recorded_policy(host, host.xen.state["boot"]) is None


def test_a_generation_that_was_in_place_before_a_restart(host):
    host.write_link("/var/lib/polpkg/current", "generations/3")
    trial(host, "armed", boot="another", becomes=3)
    assert settle(find_live_host(host)).outcome == "confirmed"


@pytest.mark.parametrize("changes", [{"waits": False}, {"boot": "another"}, {}], ids=["mine", "restart", "no guard"])
def test_nothing_can_be_confirmed_without_its_guard(host, changes):
    trial(host, "armed", **{"waits": True, **changes})
    assert find_waiting(find_live_host(host)) is None


def test_nothing_was_loaded_yet(host):
    assert bring_back(find_live_host(host)) is True
    assert host.xen.loaded == NEXT


def test_a_trial_that_waits_without_a_guard_is_undone(host):
    trial(host, "armed", waits=True)
    assert settle(find_live_host(host)).outcome == "undone"
    assert host.xen.loaded == OLD


def test_a_generation_in_place_confirms_it(host):
    host.write_link("/var/lib/polpkg/current", "generations/3")
    trial(host, "armed", becomes=3)
    assert current_link(host) == "generations/3"
    assert settle(find_live_host(host)).outcome == "confirmed"
    assert host.xen.loaded == NEXT


def test_damaged_files(host):
    trial(host, "armed")
    host.write(phase_path("armed"), b"{}")
    with pytest.raises(TargetError) as caught:
        read_trial(host)
    assert caught.value.code == "damaged-state"
    write_record(host, Record("boot", digest(OLD), "the old one"), NEXT)
    assert recorded_policy(host, "boot") is None, "other bytes than were recorded"


def test_a_tree_is_no_host(tmp_path):
    assert find_live_host(TreeTarget(str(tmp_path))) is None
