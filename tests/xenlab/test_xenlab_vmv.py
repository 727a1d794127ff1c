"""A verifier on a running hypervisor: it rules over its guests, nobody else does, and it rules over nothing else."""

import re

import pytest

pytestmark = pytest.mark.xenlab

BUILT = "context create max_vcpus setmaxmem mem_init boot_mem_init build_image boot_image unpause pause destroy"
REFUSED = "getinfo pause unpause max_vcpus setmaxmem shutdown destroy"
PERMISSIONS = {"getinfo": "getdomaininfo", "setmaxmem": "setdomainmaxmem"}


def refused(results, steps):
    return {step: results.get(step) for step in steps.split()} == dict.fromkeys(steps.split(), "EACCES")


def test_boots_enforcing(console):
    assert "Starting in enforcing mode" in console.text
    assert console.status == 0, console.text[-3000:]


def test_the_xen_tools_start(scenario):
    assert "##FAILED" not in scenario.text


def test_labels_are_contexts(scenario, labels):
    seen = dict(re.findall(r"^##LIST (\S+) +\d+ .* (\S+)$", scenario.text, re.MULTILINE))
    assert seen["vmv"] == labels["VMV"]
    assert seen["plain"] == labels["PLAIN"]
    assert seen["Domain-0"] == "system_u:system_r:dom0_t"


def test_dom0_starts_and_destroys_an_ordinary_guest_and_the_verifier(scenario):
    for guest in ("plain", "vmv"):
        assert scenario.results("dom0", guest) == {"start": "OK", "destroy": "OK"}


def test_the_verifier_builds_runs_pauses_and_destroys_its_guest(scenario):
    results = scenario.results("vmv", "guest")
    assert {step: results.get(step) for step in BUILT.split()} == dict.fromkeys(BUILT.split(), "OK")
    assert re.search(r"^##STATE shutdown=1 reason=0 ", scenario.text, re.MULTILINE), (
        "the guest did not power itself off"
    )


def test_dom0_neither_sees_nor_reaches_nor_makes_the_guest_of_the_verifier(scenario):
    results = scenario.results("dom0", "guest")
    assert refused(results, f"{REFUSED} map")
    assert scenario.results("dom0", "label") == {"context": "OK", "create": "EACCES"}
    assert len(re.findall(r"^##SEEN (?!Name)", scenario.text, re.MULTILINE)) == 3  # dom0, vmv, plain
    for step in REFUSED.split():
        assert f"dom0_t vmv_guest_t:domain {PERMISSIONS.get(step, step)}" in scenario.denials
    assert "dom0_t vmv_guest_t:mmu map_read" in scenario.denials


def test_the_verifier_is_refused_everything_on_others(scenario, labels):
    assert refused(scenario.results("vmv", "plain"), f"{REFUSED} ports")
    assert refused(scenario.results("vmv", "dom0"), "getinfo max_vcpus setmaxmem ports")
    for label in labels["OTHERS"].split():
        assert scenario.results("vmv", label) == {"context": "OK", "create": "EACCES"}
        assert f"vmv_t {label.split(':')[2]}:domain create" in scenario.denials


def test_nothing_is_denied_that_the_scenario_did_not_provoke(scenario):
    provoked = {"vmv_t vmv_guest_t:domain2 setclaim"}  # libxenguest asks, is refused, and goes on
    assert {d for d in scenario.denials if not d.startswith(("vmv_t ", "dom0_t vmv_guest_t:"))} == set()
    assert {d for d in scenario.denials if d.startswith("vmv_t vmv_guest_t:")} <= provoked
