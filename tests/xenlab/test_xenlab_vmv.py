"""Verifiers on a running hypervisor: they rule over their guests, nobody else does, and they rule over nothing else."""

import re

import pytest
from xenlab.lab import CONTEXT, refused

pytestmark = pytest.mark.xenlab

BUILT = "context create max_vcpus setmaxmem mem_init boot_mem_init build_image boot_image"
REFUSED = "getinfo pause unpause max_vcpus setmaxmem shutdown destroy"
PERMISSIONS = {"getinfo": "getdomaininfo", "setmaxmem": "setdomainmaxmem"}
OTHERS = ("vmv_t", "domU_t", "dom0_t", "netdom_t", "vmv_other_t", "vmv_other_web_t", "xen_t")
LISTING = "dom0_t vmv_guest_t:domain getdomaininfo"
"""Whoever lists the domains asks about each; what is refused is left out of the list."""


def domain_denials(source, target, steps):
    return {f"{source} {target}:domain {PERMISSIONS.get(step, step)}" for step in steps.split()}


def build(lab, verifier, label, *words):
    line = " ".join(("console=hvc0 quiet rdinit=/init mitigations=off", *words))
    return lab.vmvctl(f"build {CONTEXT}{label} /boot/vmlinux /boot/guest.cpio 128 '{line}'", inside=verifier)


@pytest.fixture(scope="module")
def verifiers(running):
    """Two verifiers, and an ordinary guest."""
    running.start_verifier("vmv", "vmv_t")
    running.start_verifier("other", "vmv_other_t")
    running.start("plain", "domU_t")
    yield running
    running.destroy("vmv", "other", "plain")


@pytest.fixture
def lab(verifiers, lab):
    yield lab
    assert lab.denied() <= {LISTING}, "denied, and not expected"


@pytest.fixture(scope="module")
def built(verifiers):
    """A guest of the first verifier, left paused: number and a page of it."""
    steps = build(verifiers, "vmv", "vmv_guest_t", "lab.poweroff")
    assert {name: steps.results.get(name) for name in BUILT.split()} == dict.fromkeys(BUILT.split(), "OK")
    assert verifiers.denied() <= {LISTING}
    return steps.values["DOMID"], steps.values["MFN"]


def test_labels_are_contexts(lab):
    assert lab.labels() == {
        "Domain-0": f"{CONTEXT}dom0_t",
        "vmv": f"{CONTEXT}vmv_t",
        "other": f"{CONTEXT}vmv_other_t",
        "plain": f"{CONTEXT}domU_t",
    }


def test_dom0_neither_sees_nor_reaches_nor_makes_the_guest_of_the_verifier(lab, built):
    domid, page = built
    assert refused(lab.vmvctl(f"try {domid} {REFUSED.replace('destroy', '')} map={page} destroy"), f"{REFUSED} map")
    assert lab.vmvctl(f"create {CONTEXT}vmv_guest_t").results == {"context": "OK", "create": "EACCES"}
    assert "vmv_guest_t" not in str(lab.labels())
    denied = lab.denied()
    assert domain_denials("dom0_t", "vmv_guest_t", f"{REFUSED} create") <= denied
    assert "dom0_t vmv_guest_t:mmu map_read" in denied
    assert {text.partition(":")[0] for text in denied} == {"dom0_t vmv_guest_t"}


def test_the_other_verifier_reaches_neither_the_guest_nor_the_first_verifier(lab, built):
    domid, page = built
    assert refused(lab.vmvctl(f"try {domid} {REFUSED} ports map={page}", inside="other"), f"{REFUSED} ports map")
    verifier = lab.domid("vmv")
    assert refused(lab.vmvctl(f"try {verifier} {REFUSED} ports", inside="other"), f"{REFUSED} ports")
    denied = lab.denied()
    assert domain_denials("vmv_other_t", "vmv_guest_t", REFUSED) <= denied
    assert domain_denials("vmv_other_t", "vmv_t", REFUSED) <= denied
    pairs = {text.partition(":")[0] for text in denied - {LISTING}}
    assert pairs == {"vmv_other_t vmv_guest_t", "vmv_other_t vmv_t"}


def test_the_verifier_runs_pauses_and_destroys_its_guest(lab, built):
    domid, _ = built
    steps = lab.vmvctl(f"try {domid} unpause pause unpause getinfo", inside="vmv")
    assert set(steps.results.values()) == {"OK"}
    lab.wait_in("vmv", f"vmvctl state {domid} | grep -q 'shutdown=1 reason=0'", seconds=90)  # it powers itself off
    assert lab.vmvctl(f"try {domid} destroy", inside="vmv").results == {"destroy": "OK"}


def test_the_verifier_resizes_and_shuts_down_its_guest(lab):
    domid = build(lab, "vmv", "vmv_guest_t").values["DOMID"]
    steps = lab.vmvctl(f"try {domid} setmaxmem unpause shutdown", inside="vmv")
    assert set(steps.results.values()) == {"OK"}
    lab.wait_in("vmv", f"vmvctl state {domid} | grep -q 'shutdown=1 reason=0'")
    assert lab.vmvctl(f"try {domid} destroy", inside="vmv").results == {"destroy": "OK"}


def test_each_verifier_makes_guests_of_its_own_labels_only(lab):
    for label, verifier in (("vmv_other_web_t", "other"), ("vmv_other_db_t", "other"), ("vmv_guest_t", "vmv")):
        made = lab.vmvctl(f"create {CONTEXT}{label}", inside=verifier)
        assert set(made.results.values()) == {"OK"}, (label, made)
    assert lab.denied() <= {LISTING}
    assert lab.vmvctl(f"create {CONTEXT}vmv_guest_t", inside="other").results["create"] == "EACCES"
    assert lab.denied() - {LISTING} == {"vmv_other_t vmv_guest_t:domain create"}


@pytest.mark.parametrize("label", OTHERS)
def test_the_verifier_makes_no_domain_of_another_label(lab, label):
    assert lab.vmvctl(f"create {CONTEXT}{label}", inside="vmv").results == {"context": "OK", "create": "EACCES"}
    assert lab.denied() - {LISTING} == {f"vmv_t {label}:domain create"}


def test_the_verifier_is_refused_everything_on_an_ordinary_guest(lab):
    plain = lab.domid("plain")
    assert refused(lab.vmvctl(f"try {plain} {REFUSED} ports", inside="vmv"), f"{REFUSED} ports")
    denied = lab.denied() - {LISTING}
    assert domain_denials("vmv_t", "domU_t", REFUSED) <= denied
    assert {text.partition(":")[0] for text in denied} == {"vmv_t domU_t"}


def test_the_verifier_is_refused_everything_on_dom0(lab):
    steps = "getinfo max_vcpus setmaxmem ports"
    assert refused(lab.vmvctl(f"try 0 {steps}", inside="vmv"), steps)
    denied = lab.denied() - {LISTING}
    assert domain_denials("vmv_t", "dom0_t", "getinfo max_vcpus setmaxmem") <= denied
    assert {text.partition(":")[0] for text in denied} == {"vmv_t dom0_t"}


def test_the_verifier_neither_reads_nor_changes_the_hypervisor(lab):
    steps = lab.vmvctl("host info log keys loadpolicy setenforce", inside="vmv")
    assert refused(steps, "info log keys loadpolicy setenforce"), steps
    denied = lab.denied() - {LISTING}
    assert {text for text in denied if not re.match(r"vmv_t (xen_t:xen2?|security_t:security) ", text)} == set()
    assert {"vmv_t security_t:security load_policy", "vmv_t security_t:security setenforce"} <= denied
