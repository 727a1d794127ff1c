"""Packages for guests and services: which labels there are, who reaches whom, on hypervisors old and new."""

from __future__ import annotations

import pytest
from bundled_policies import Grants, link_bundled

from polpkg.errors import PolicyError
from polpkg.policy.analysis.access import Subject
from polpkg.policy.analysis.contexts import read_context

VERSIONS = ("4.14.6", "4.17.7", "4.22.0")
CONTROL = ("domain", "domain2", "hvm", "mmu", "resource", "shadow")
MEMORY = {"map_read", "map_write"}

EXAMPLE_LABELS = [
    *(
        f"system_u:system_r:{name}"
        for name in (
            "dom0_t", "domU_t", "domU_t_self", "domU_t_target", "dm_dom_t", "dm_dom_t_self", "domHVM_t",
            "isolated_domU_t", "isolated_domU_t_self", "prot_domU_t", "prot_domU_t_self", "nomigrate_t",
            "nomigrate_t_self", "nomigrate_t_building", "xenstore_t", "xen_t", "domio_t", "domxen_t",
            "unlabeled_t", "security_t",
        )
    ),
    *(f"user_{n}:vm_r:{name}" for n in (1, 2, 3) for name in ("domU_t", "isolated_domU_t", "prot_domU_t")),
    *(f"system_u:object_r:{name}" for name in ("nic_dev_t", "device_t", "irq_t", "iomem_t", "ioport_t")),
    *(f"system_u:object_r:{name}_channel" for name in ("dom0_t", "domU_t", "prot_domU_t", "nomigrate_t")),
]  # fmt: skip
"""The labels that a configuration for Xen's example policy may name."""


@pytest.mark.parametrize("version", VERSIONS)
class TestGuests:
    def test_labels_of_the_example_policy_are_there(self, version):
        on = {"xen-compat": ("xenstore",)}
        policy = link_bundled(version, "xen-compat", "xenstoredom", options=on)
        aliases = {alias: symbol.name for symbol in policy.types for alias in symbol.aliases}
        for label in EXAMPLE_LABELS:
            user, role, name = label.split(":")
            assert isinstance(read_context(policy, f"{user}:{role}:{aliases.get(name, name)}"), Subject), label

    def test_isolated_guests_reach_nobody(self, version):
        grants = Grants(link_bundled(version, "domu-isolated", "xen-compat"))
        for guest in ("domu_isolated_guest_t", "isolated_domU_t"):
            assert grants.reached(guest, *CONTROL) == {f"{guest}_self"}
            assert grants.reached(guest, "grant", "argo") == {f"{guest}_self", "dom0_t"}
            assert grants.holders(guest, "grant") == {"dom0_t"}

    def test_sealed_guests_are_reached_while_they_are_built(self, version):
        grants = Grants(link_bundled(version, "domu-nomigrate", "xen-compat"))
        for guest in ("domu_nomigrate_guest_t", "nomigrate_t"):
            assert grants.ever("dom0_t", f"{guest}_building", "mmu") >= MEMORY
            assert not grants.holders(guest, "mmu", "hvm", "shadow")
            assert grants.ever("dom0_t", guest, "domain") >= {"pause", "unpause", "destroy"}

    def test_the_store_moves_out_of_dom0(self, version):
        names = ("netdom", "stordom", "vmv", "domu-isolated")
        before, after = Grants(link_bundled(version, *names)), Grants(link_bundled(version, *names, "xenstoredom"))
        for client in ("domU_t", "domu_isolated_guest_t", "netdom_t", "vmv_t"):
            assert after.ever("xenstoredom_t", client, "grant") >= MEMORY
            assert after.ever("xenstoredom_t", client, "domain") == {"getdomaininfo"}
            assert after.ever("dom0_t", client, "grant") <= before.ever("dom0_t", client, "grant")
        assert after.ever("xenstoredom_t", "dom0_t", "grant") >= MEMORY
        assert after.ever("dom0_t", "xenstoredom_t", "domain") >= {"create", "set_virq_handler", "destroy"}
        assert after.reached("xenstoredom_t", "mmu", "hvm", "shadow") == {"xenstoredom_t_self"}
        assert "copy" not in after.ever("dom0_t", "domU_t", "grant")

    def test_a_stub_domain_reaches_the_guest_that_it_is_paired_with(self, version):
        two = {"stubdom": {"stubdom": {"guests": ("desktop",)}, "other": {"guests": ("desktop",)}}}
        grants = Grants(link_bundled(version, "stubdom", instances=two))
        assert grants.holders("stubdom_desktop_t_target", "mmu", "hvm") == {"stubdom_t"}
        assert grants.reached("stubdom_t", "mmu", "hvm") == {"stubdom_desktop_t_target", "stubdom_t_self"}
        assert grants.ever("stubdom_other_t", "stubdom_desktop_t", "domain") == set()
        assert "dm" in grants.ever("stubdom_t", "stubdom_desktop_t_target", "hvm")

    def test_every_driver_domain_has_its_own_clients(self, version):
        instances = {
            "netdom": {"lan": {"clients": ("domU_t",)}, "dmz": {"clients": ("dm_dom_t",)}},
            "stordom": {"fast": {"clients": ("domU_t",), "backend": "qemu"}, "slow": {"clients": ("domU_t",)}},
        }
        grants = Grants(link_bundled(version, "netdom", "stordom", instances=instances))
        assert grants.holders("domU_t", "grant") >= {"netdom_lan_t", "stordom_fast_t", "stordom_slow_t"}
        assert "netdom_dmz_t" not in grants.holders("domU_t", "grant")
        assert "netdom_lan_t" not in grants.holders("dm_dom_t", "grant")
        assert "copy" in grants.ever("dom0_t", "dm_dom_t", "grant"), "dom0 serves the disks of those that nobody names"
        assert "copy" in grants.ever("stordom_fast_t", "domU_t", "grant")
        assert "copy" not in grants.ever("stordom_slow_t", "domU_t", "grant")
        assert "copy" not in grants.ever("dom0_t", "domU_t", "grant")


@pytest.mark.parametrize(
    ("isolation", "permissions"),
    [
        ("iommu", {"use_iommu"}),
        ("iommu-nointremap", {"use_iommu", "use_iommu_nointremap"}),
        ("none", {"use_iommu", "use_iommu_nointremap", "use_noiommu"}),
    ],
)
@pytest.mark.parametrize("package", ["netdom", "stordom"])
def test_what_isolates_devices(package, isolation, permissions):
    policy = link_bundled("4.17.7", package, instances={package: {package: {"isolation": isolation}}})
    assert Grants(policy).ever(f"{package}_t", f"{package}_device_t", "resource") == permissions


def test_pci_functions_that_a_policy_labels_are_numbered_as_xen_does():
    rules = "label_pci_function(0000:03:1f.7, device_t)\nlabel_pci_function(`0001:00:02.0', irq_t)\n"
    policy = link_bundled("4.17.7", rules=rules)
    labelled = {(found.low, policy.types[found.context.type].name) for found in policy.object_contexts}
    assert labelled == {(0x3FF, "device_t"), (0x10010, "irq_t")}


def test_dom0less_guests_are_out_of_reach_of_all_but_who_serves_them():
    grants = Grants(link_bundled("4.22.0", "dom0less", "netdom"))
    assert grants.ever("xenboot_t", "unlabeled_t", "domain") == {"create"}
    assert "create" not in grants.ever("dom0_t", "unlabeled_t", "domain")
    assert grants.reached("unlabeled_t", *CONTROL) == {"unlabeled_t_self"}
    assert "netdom_t" in grants.holders("unlabeled_t", "grant")


@pytest.mark.parametrize(
    ("version", "names", "code"),
    [("4.14.6", ("dom0less",), "refused-by-package"), ("4.22.0", ("dom0less", "vmv"), "assertion-violated")],
)
def test_where_dom0less_guests_are_not_to_be(version, names, code):
    with pytest.raises(PolicyError) as caught:
        link_bundled(version, *names)
    assert {d.code for d in caught.value.diagnostics} == {code}


@pytest.mark.parametrize("version", ["4.14.6", "4.22.0"])
@pytest.mark.parametrize(
    ("names", "rule"),
    [
        (("domu-isolated",), "allow domU_t domu_isolated_guest_t:grant map_read;"),
        (("domu-isolated",), "allow dom0_t domu_isolated_guest_t:domain2 relabelto;"),
        (("domu-nomigrate",), "allow dom0_t domu_nomigrate_guest_t:mmu map_read;"),
        (("domu-nomigrate",), "allow dom0_t domu_nomigrate_guest_t:domain create;"),
        (("domu-nomigrate",), "allow domU_t domu_nomigrate_guest_t_building:domain2 relabelfrom;"),
        (("stubdom",), "allow stubdom_t stubdom_guest_t:mmu map_read;"),
        (("stubdom",), "allow dom0_t stubdom_guest_t_target:mmu map_read;"),
        (("stubdom",), "allow stubdom_t domU_t:domain set_target;"),
        (("xenstoredom",), "allow xenstoredom_t domU_t:mmu map_read;"),
        (("xenstoredom",), "allow xenstoredom_t domU_t:domain pause;"),
        (("xen-compat",), "allow dom0_t nomigrate_t:mmu map_read;"),
        (("xen-compat",), "allow prot_domU_t dom0_t:domain pause;"),
    ],
    ids=lambda value: value if isinstance(value, str) else "+".join(value),
)
def test_what_may_not_be_granted(version, names, rule):
    with pytest.raises(PolicyError) as caught:
        link_bundled(version, *names, rules=rule)
    assert {d.code for d in caught.value.diagnostics} == {"assertion-violated"}
