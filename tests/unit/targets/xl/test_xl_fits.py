"""Whether guests fit the bundled packages, held against what a running Xen was seen to ask."""

from collections import defaultdict
from dataclasses import replace
from functools import cache

import pytest
from bundled_policies import link_bundled
from hypothesis import given
from hypothesis import strategies as st

from polpkg.diagnostics import Severity
from polpkg.policy.ir.linked import LinkedTypeRule
from polpkg.targets.xl import demands
from polpkg.targets.xl.check import check_guest
from polpkg.targets.xl.deciding import Surroundings
from polpkg.targets.xl.guest import GuestKind, read_guest

XEN = "4.17.7"
DRIVERS = {"net": "netdom_t", "stor": "stordom_t"}
SEEN_ON_XEN_4_17 = {
    "domain": "create destroy getdomaininfo getscheduler max_vcpus pause setaddrsize setaffinity setdomainmaxmem "
    "setvcpucontext unpause",
    "domain2": "resource_map set_cpu_policy setscheduler settsc",
    "mmu": "adjust map_read map_write memorymap mmuext_op pinpage",
}
SEEN_OF_PVH = {
    "domain": "create destroy getdomaininfo getscheduler max_vcpus pause setaffinity setdomainmaxmem setpagingmempool "
    "unpause",
    "domain2": "resource_map set_cpu_policy setscheduler settsc",
    "mmu": "adjust map_read map_write memorymap",
    "hvm": "altp2mhvm gethvmc sethvmc setparam",
}
"""What xl in dom0 was seen to be granted on a PV and on a PVH guest, from its creation to its end, on a Xen 4.17.7 that
logged every access; without setclaim, whose refusal does no harm."""

PLAIN = """
name = "web"
type = "{kind}"
seclabel = "system_u:system_r:{label}"
disk = [ "phy:/dev/vg/web,xvda,w{disk}" ]
vif = [ "bridge=br0{vif}" ]
"""


@cache
def policy(*names, xen=XEN):
    """The policy of bundled packages."""
    return link_bundled(xen, *names)


def config(label="domU_t", kind="pv", disk="", vif=""):
    """A guest with a disk and a network interface, and their backends."""
    given = {"disk": f",backend={disk}" if disk else "", "vif": f",backend={vif}" if vif else ""}
    return PLAIN.format(label=label, kind=kind, **given)


def check(text, *names, linked=None, **surroundings):
    """The verdict on a configuration."""
    surroundings.setdefault("backends", DRIVERS)
    return check_guest(read_guest(text, "guest.cfg"), linked or policy(*names), Surroundings(**surroundings))


def codes(verdict, severity=Severity.ERROR):
    """The codes of the findings of a level."""
    return [f.diagnostic.code for f in verdict.findings if f.diagnostic.severity is severity]


@pytest.mark.parametrize(("kind", "seen"), [(GuestKind.PV, SEEN_ON_XEN_4_17), (GuestKind.PVH, SEEN_OF_PVH)])
def test_what_is_demanded_to_build_a_guest_is_what_xen_was_seen_to_ask(kind, seen):
    demanded = defaultdict(set)
    for demand in (*demands.BUILD, *demands.RUN):
        if demand.target in ("guest", "building") and kind in demand.kinds and demand.until is None:
            demanded[demand.security_class].update(demand.permissions)
    assert demanded == {name: set(text.split()) for name, text in seen.items()}


def test_before_paging_pools_xl_asked_for_shadow_memory():
    linked = without(policy(xen="4.14.6"), *BUILDER, "shadow", "enable")
    assert codes(check(config(kind="pvh"), linked=linked, creator="dom0_t")) == ["xl-refused"]
    assert check(config(kind="pvh"), linked=without(policy(), *BUILDER, "shadow", "enable"), creator="dom0_t").fits


@pytest.mark.parametrize("needed", [(n, p) for n, text in SEEN_OF_PVH.items() for p in text.split()], ids=" ".join)
def test_each_permission_that_a_pvh_guest_needs_is_named(needed):
    verdict = check(config(kind="pvh"), linked=without(policy(), *BUILDER, *needed), creator="dom0_t")
    named = {(m.security_class, p) for f in verdict.findings for m in f.missing for p in m.permissions}
    assert not verdict.fits
    assert needed in named


@pytest.mark.parametrize(
    ("packages", "text", "served"),
    [
        ((), config(), {"disk": "dom0_t", "vif": "dom0_t"}),
        ((), config(kind="pvh"), {"disk": "dom0_t", "vif": "dom0_t"}),
        ((), config(kind="hvm"), {"disk": "dom0_t", "vif": "dom0_t"}),
        (("netdom", "stordom"), config(disk="stor", vif="net"), {"disk": "stordom_t", "vif": "netdom_t"}),
        (("netdom", "stordom"), config(kind="pvh", disk="stor", vif="net"), {"disk": "stordom_t", "vif": "netdom_t"}),
        (("vmv",), "seclabel = 'system_u:system_r:vmv_t'; disk = [ 'phy:/x,xvda,r' ]", {"disk": "dom0_t"}),
        (("netdom",), "seclabel = 'system_u:system_r:netdom_t'", {}),
        ((), "memory = 64", {}),
    ],
)
def test_guests_that_ran_on_xen_fit(packages, text, served):
    verdict = check(text, *packages)
    assert codes(verdict) == []
    assert verdict.fits
    assert verdict.creator == "dom0_t"
    assert dict(verdict.served_by) == {"store and console": "dom0_t", **served}


def test_a_guest_of_a_verifier_fits_and_xl_is_told_apart_from_smaller_toolstacks():
    verdict = check("seclabel = 'system_u:system_r:vmv_guest_t'", "vmv")
    assert verdict.fits
    assert verdict.creator == "vmv_t"
    assert codes(verdict, Severity.WARNING) == ["xl-refused", "no-store"]


def test_dom0_may_not_build_the_guest_of_a_verifier_and_is_told_who_may():
    verdict = check("seclabel = 'system_u:system_r:vmv_guest_t'", "vmv", creator="dom0_t")
    assert codes(verdict) == ["build-refused"]
    (finding,) = verdict.findings
    assert finding.diagnostic.hint == "vmv_t may: run the toolstack there"
    assert finding.diagnostic.origin.line == 1
    assert "create" in finding.missing[0].permissions


def test_dom0_no_longer_serves_what_netdom_took_over():
    verdict = check(config(vif=""), "netdom", "stordom")
    assert codes(verdict) == ["vif-refused"]
    (finding,) = [f for f in verdict.findings if f.is_error]
    assert [str(m) for m in finding.missing] == ["allow dom0_t domU_t:grant copy;", "allow domU_t dom0_t:grant copy;"]
    assert finding.diagnostic.hint == "netdom_t may: backend=net"
    assert finding.diagnostic.origin.line == 6


def test_a_disk_that_dom0_could_still_map_is_noted():
    verdict = check(config(vif="net"), "netdom", "stordom")
    assert verdict.fits
    assert "served-by-dom0" in codes(verdict, Severity.NOTE)


def test_an_image_is_served_by_qemu_which_copies():
    text = "disk = [ 'format=qcow2,vdev=xvda,target=/x' ]"
    assert check(text).fits
    assert codes(check(text, "netdom", "stordom")) == ["disk-refused"]


def without(linked, source, target, security_class, permission):
    """The policy without the rules that grant one permission from one type to another."""
    left, right = linked.number_of_type(source), linked.number_of_type(target)
    number = linked.abi.class_id(security_class) - 1
    bit = 1 << linked.abi.all_classes[number].permissions.index(permission)

    def thinned(rules):
        for rule in rules:
            if isinstance(rule, LinkedTypeRule):
                yield rule
                continue
            about = linked.expand(rule.source) >> left & 1 and linked.expand(rule.target) >> right & 1
            taken = bit if about and rule.security_class == number else 0
            yield rule._replace(permissions=rule.permissions & ~taken)

    return replace(
        linked,
        rules=tuple(thinned(linked.rules)),
        conditionals=tuple(
            c._replace(then=tuple(thinned(c.then)), otherwise=tuple(thinned(c.otherwise))) for c in linked.conditionals
        ),
    )


BUILDER = ("dom0_t", "domU_t")
NEEDED = [
    *((*BUILDER, name, permission) for name, text in SEEN_ON_XEN_4_17.items() for permission in text.split()),
    ("dom0_t", "domU_t_channel", "event", "create"),
    ("dom0_t", "security_t", "security", "check_context"),
    ("domU_t_channel", "netdom_t", "event", "bind"),
    ("netdom_t_channel", "domU_t", "event", "bind"),
    *(("netdom_t", "domU_t", "grant", p) for p in ("map_read", "map_write", "unmap", "copy")),
    ("domU_t", "netdom_t", "grant", "copy"),
    *(("stordom_t", "domU_t", "grant", p) for p in ("map_read", "map_write", "unmap")),
    ("stordom_t_channel", "domU_t", "event", "bind"),
    ("domU_t_channel", "dom0_t", "event", "bind"),
    ("dom0_t", "domU_t", "grant", "map_read"),
]


@pytest.mark.parametrize("needed", NEEDED, ids=" ".join)
def test_each_permission_that_is_taken_away_is_named(needed):
    linked = without(policy("netdom", "stordom"), *needed)
    verdict = check(config(disk="stor", vif="net"), linked=linked, creator="dom0_t")
    assert not verdict.fits
    named = {
        (m.source, m.target, m.security_class, p) for f in verdict.findings for m in f.missing for p in m.permissions
    }
    assert needed in named


HARDWARE = [
    ("dom0_t", "netdom_t", "resource", "add"),
    *(("dom0_t", "netdom_device_t", "resource", p) for p in ("add_device", "add_irq", "add_iomem")),
    ("netdom_t", "netdom_device_t", "resource", "use_iommu"),
]
WITH_DEVICE = "seclabel = 'system_u:system_r:netdom_t'\npci = [ '0000:03:00.0' ]"


def test_a_device_that_has_the_label_of_the_driver_domain_fits():
    verdict = check(WITH_DEVICE, "netdom", devices={"0000:03:00.0": "system_u:object_r:netdom_device_t"})
    assert verdict.fits
    assert ("0000:03:00.0", "netdom_device_t") in verdict.served_by
    assert "needs-iommu" in codes(verdict, Severity.NOTE)


def test_a_device_without_a_label_is_refused_with_the_command_that_labels_it():
    (finding,) = [f for f in check(WITH_DEVICE, "netdom").findings if f.is_error]
    assert finding.diagnostic.code == "device-refused"
    assert finding.diagnostic.hint == (
        "label the device: flask-label-pci 0000:03:00.0 system_u:object_r:netdom_device_t"
    )
    assert finding.diagnostic.origin.line == 2


@pytest.mark.parametrize("needed", HARDWARE, ids=" ".join)
def test_each_permission_on_devices_that_is_taken_away_is_named(needed):
    linked = without(policy("netdom"), *needed)
    verdict = check(WITH_DEVICE, linked=linked, devices={"0000:03:00.0": "netdom_device_t"}, creator="dom0_t")
    named = {
        (m.source, m.target, m.security_class, p) for f in verdict.findings for m in f.missing for p in m.permissions
    }
    assert needed in named


SEALED = """
declare_domain(intruder_sealed_t)
sealed_client(intruder_sealed_t)
"""


@cache
def sealed():
    """A policy with a guest that is built under a label of its own."""
    return link_bundled(XEN, rules=SEALED, requires=("xen-base",))


def test_a_build_label_fits_its_guest():
    label = "system_u:system_r:intruder_sealed_t"
    text = f"seclabel = '{label}'\ninit_seclabel = 'system_u:system_r:intruder_sealed_t_building'"
    assert codes(check(text, linked=sealed())) == []


def test_a_missing_build_label_is_offered():
    verdict = check("seclabel = 'system_u:system_r:intruder_sealed_t'", linked=sealed())
    assert codes(verdict) == ["build-refused"]
    assert 'init_seclabel = "system_u:system_r:intruder_sealed_t_building"' in verdict.findings[0].diagnostic.hint


@pytest.mark.parametrize(
    "needed",
    [
        ("dom0_t", "intruder_sealed_t_building", "domain2", "relabelfrom"),
        ("dom0_t", "intruder_sealed_t", "domain2", "relabelto"),
        ("intruder_sealed_t_building", "intruder_sealed_t", "domain", "transition"),
    ],
    ids=" ".join,
)
def test_each_permission_of_the_change_of_label_is_named(needed):
    label = "system_u:system_r:intruder_sealed_t"
    text = f"seclabel = '{label}'\ninit_seclabel = '{label}_building'"
    verdict = check(text, linked=without(sealed(), *needed), creator="dom0_t")
    (finding,) = [f for f in verdict.findings if f.is_error]
    assert finding.diagnostic.code == "relabel-refused"
    assert finding.diagnostic.origin.line == 2
    assert [(m.source, m.target, m.security_class, *m.permissions) for m in finding.missing] == [needed]


def test_a_build_label_of_another_guest_is_refused():
    text = "seclabel = 'system_u:system_r:domU_t'\ninit_seclabel = 'system_u:system_r:intruder_sealed_t_building'"
    assert "relabel-refused" in codes(check(text, linked=sealed()))


STUB = "type = 'hvm'\ndevice_model_stubdomain_override = 1\n"


def test_stub_domains_fit():
    verdict = check(f"{STUB}disk = [ 'phy:/x,xvda,w' ]\nvif = [ '' ]")
    assert codes(verdict) == []
    assert ("device model", "dm_dom_t") in verdict.served_by


def test_a_label_that_is_no_device_model_of_the_guest_is_refused():
    verdict = check(f"{STUB}device_model_stubdomain_seclabel = 'system_u:system_r:domU_t'")
    (finding,) = [f for f in verdict.findings if f.is_error]
    assert (finding.diagnostic.code, finding.diagnostic.origin.line) == ("model-refused", 3)
    assert finding.diagnostic.hint == 'device_model_stubdomain_seclabel = "system_u:system_r:dm_dom_t"'


@pytest.mark.parametrize(
    ("label", "code", "hint"),
    [
        ("system_u:system_r:domu_t", "unknown-label", "system_u:system_r:domU_t"),
        ("domU_t", "malformed-label", "system_u:system_r:domU_t"),
        ("user_u:system_r:domU_t", "unknown-label", "system_u:system_r:domU_t"),
        ("system_u:object_r:domU_t", "", ""),
        ("system_u:system_r:device_t", "invalid-label", "system_u:object_r:device_t"),
        ("system_u:system_r:domU_t:s0", "invalid-label", "system_u:system_r:domU_t"),
        ("system_u:system_r:domain_type", "unknown-label", ""),
    ],
)
def test_labels_that_the_policy_does_not_know(label, code, hint):
    verdict = check(f"seclabel = '{label}'")
    found = [f.diagnostic for f in verdict.findings if f.diagnostic.code == code]
    assert bool(found) is bool(code)
    assert all(hint in each.hint for each in found)


def test_a_backend_nobody_knows_is_told_and_does_not_count_as_refused():
    verdict = check(config(disk="elsewhere"))
    assert verdict.fits
    assert codes(verdict, Severity.WARNING) == ["unknown-backend"]


@pytest.mark.parametrize("xen", ["4.14.6", "4.18.6", "4.22.0"])
def test_permissions_that_a_hypervisor_lacks_are_not_demanded(xen):
    assert codes(check(config(), linked=policy(xen=xen))) == []


types = st.sampled_from(
    ["domU_t", "dm_dom_t", "dom0_t", "netdom_t", "stordom_t", "xen_t", "device_t", "domain_type", ""]
)
labels = st.one_of(types.map("system_u:system_r:{}".format), st.text("abc:_'", max_size=8))


@given(
    kind=st.sampled_from(["pv", "pvh", "hvm"]),
    keys=st.dictionaries(st.sampled_from(["seclabel", "init_seclabel", "device_model_stubdomain_seclabel"]), labels),
    devices=st.lists(st.sampled_from(["disk = [ ',backend=x' ]", "vif = [ 'backend=net' ]", "pci = [ '03:00.*' ]"])),
    stub=st.booleans(),
    creator=types,
)
def test_there_is_a_verdict_on_every_guest(kind, keys, devices, stub, creator):
    lines = [f'{key} = "{value}"' for key, value in keys.items()]
    text = "\n".join([f"type = '{kind}'", f"device_model_stubdomain_override = {stub:d}", *lines, *devices])
    verdict = check(text, "netdom", "stordom", creator=creator)
    assert verdict.fits is not any(finding.is_error for finding in verdict.findings)
    assert all(finding.diagnostic.message for finding in verdict.findings)
