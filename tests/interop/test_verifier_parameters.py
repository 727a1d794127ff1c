"""What each parameter of the package vmv grants and takes away, on hypervisors old and new."""

from __future__ import annotations

import pytest
from bundled_policies import FILES, TENANTS, Grants, link_bundled

from polpkg.errors import PolicyError

VERSIONS = ("4.14.6", "4.17.7", "4.22.0")
GUEST = "vmv_web_t"
SERVICES = ("xenstore", "console", "net-backend", "block-backend")
MEMORY = {"map_read", "map_write"}


def verifier(version, *others, options=(), rules="", **parameters):
    given = {name.replace("_", "-"): value for name, value in parameters.items()}
    instances = {"vmv": {"vmv": {"guests": ("web", "db"), **given}}}
    return Grants(link_bundled(version, "vmv", *others, instances=instances, options={"vmv": options}, rules=rules))


def codes(**given):
    with pytest.raises(PolicyError) as caught:
        verifier("4.17.7", **given)
    return [d.code for d in caught.value.diagnostics]


@pytest.mark.parametrize("version", VERSIONS)
class TestParameters:
    def test_without_services_nobody_but_the_verifier_has_anything_on_a_guest(self, version):
        grants = verifier(version, "netdom", "stordom")
        assert grants.holders(GUEST, "domain", "domain2", "mmu", "hvm", "resource", "shadow") == {"vmv_t"}
        assert not grants.holders(GUEST, "grant")

    @pytest.mark.parametrize("service", SERVICES)
    def test_a_service_is_served_by_its_owner_alone(self, version, service):
        grants = verifier(version, "netdom", "stordom", services=(service,))
        owner = {"net-backend": "netdom_t", "block-backend": "stordom_t"}.get(service, "dom0_t")
        assert grants.holders(GUEST, "grant") - {"vmv_t"} == {owner}
        assert grants.ever(owner, GUEST, "grant") >= {"map_read", "map_write", "unmap"}
        assert grants.ever(owner, GUEST, "domain") <= {"getdomaininfo"}
        assert not grants.ever(owner, GUEST, "mmu")

    def test_dom0_serves_what_nobody_else_owns_and_no_more(self, version):
        grants = verifier(version, services=SERVICES)
        assert grants.ever("dom0_t", GUEST, "domain") == {"getdomaininfo"}
        assert grants.ever("dom0_t", GUEST, "domain2") <= {"get_domain_state"}
        assert grants.holders(GUEST, "mmu", "hvm", "shadow", "resource") == {"vmv_t"}

    def test_pvh_and_hvm_guests_take_more_to_build_than_pv(self, version):
        assert not verifier(version).ever("vmv_t", GUEST, "hvm")
        for kind in ("pvh", "hvm"):
            grants = verifier(version, builds=("pv", kind))
            assert grants.ever("vmv_t", GUEST, "hvm") >= {"getparam", "setparam", "gethvmc", "sethvmc"}
            assert grants.ever("vmv_t", GUEST, "mmu") >= {"physmap", "map_write"}
            assert grants.holders(GUEST, "mmu", "hvm") == {"vmv_t"}

    def test_the_verifier_emulates_devices_itself(self, version):
        grants = verifier(version, builds=("hvm",), device_model="verifier")
        assert "dm" in grants.ever("vmv_t", GUEST, "hvm")
        assert "send" in grants.ever(GUEST, f"{GUEST}_channel", "event")

    def test_a_device_model_of_its_own_reaches_its_guest_alone(self, version):
        grants = verifier(version, builds=("hvm",), device_model="stubdom", services=SERVICES)
        model = "vmv_web_dm_t"
        assert grants.holders(f"{GUEST}_target", "mmu", "hvm") == {model}
        assert grants.reached(model, "mmu", "hvm") == {f"{GUEST}_target", f"{model}_self"}
        assert grants.ever(model, GUEST, "domain") == {"set_target"}
        assert grants.holders(model, "domain2", "mmu", "hvm") - {"dom0_t"} == {"vmv_t"}
        for domain in (GUEST, model):
            assert grants.ever("dom0_t", domain, "domain") == {"getdomaininfo"}
            assert not grants.ever("dom0_t", domain, "mmu") | grants.ever("dom0_t", domain, "hvm")
            assert "setup" not in grants.ever("dom0_t", domain, "grant")

    def test_guests_talk_among_themselves_when_asked_to(self, version):
        assert not verifier(version).ever(GUEST, "vmv_db_t", "grant")
        grants = verifier(version, talk=True)
        assert (
            grants.ever(GUEST, "vmv_db_t", "grant") == grants.ever(GUEST, GUEST, "grant") == {"copy", "unmap"} | MEMORY
        )
        assert grants.ever(f"{GUEST}_channel", "vmv_db_t", "event") == {"bind"}
        assert grants.holders(GUEST, "grant") == {GUEST, "vmv_db_t"}

    def test_sealed_guests_are_out_of_reach_of_their_verifier(self, version):
        grants = verifier(version, options=("sealed-guests",), services=SERVICES)
        assert grants.ever("vmv_t", f"{GUEST}_building", "mmu") >= MEMORY
        assert not grants.holders(GUEST, "mmu", "hvm", "shadow")
        assert grants.ever("vmv_t", GUEST, "domain") >= {"getdomaininfo", "pause", "unpause", "shutdown", "destroy"}
        assert grants.ever("vmv_t", GUEST, "domain").isdisjoint(
            {"create", "getvcpucontext", "setvcpucontext", "hypercall", "max_vcpus", "setdomainhandle", "set_target"}
        )
        assert grants.ever("vmv_t", GUEST, "domain2") & {"relabelfrom", "relabelto", "resource_map", "soft_reset"} == {
            "relabelto"
        }
        assert grants.ever("vmv_t", GUEST, "grant") == set()
        assert grants.ever("dom0_t", f"{GUEST}_building", "grant") >= MEMORY

    def test_migration_is_for_the_verifier_that_may(self, version):
        assert not verifier(version).ever("vmv_t", GUEST, "shadow")
        grants = verifier(version, migration=True)
        assert "logdirty" in grants.ever("vmv_t", GUEST, "shadow")
        assert grants.holders(GUEST, "shadow") == {"vmv_t"}
        assert grants.ever("vmv_t", "domxen_t", "mmu") == {"map_read"}

    def test_a_guest_is_handed_from_dom0_to_the_verifier(self, version):
        given = "domu_isolated_guest_t"
        before, grants = verifier(version, "domu-isolated"), verifier(version, "domu-isolated", admits=(given,))
        assert before.ever("dom0_t", given, "mmu") >= MEMORY
        assert not grants.ever("dom0_t", given, "mmu")
        assert grants.ever("dom0_t", given, "domain") == {"getdomaininfo"}
        assert grants.ever("vmv_t", given, "mmu") >= MEMORY
        assert grants.ever("vmv_t", given, "domain") >= {"create", "destroy"}

    def test_users_keep_guests_of_one_kind_apart(self, version):
        policy = verifier(version, talk=True, separation="user", users=("red", "blue")).policy
        assert {"vmv_red_u", "vmv_blue_u"} <= {user.name for user in policy.users}
        (role,) = (role for role in policy.roles if role.name == "vm_r")
        separated = {policy.types[n].name for n in range(len(policy.types)) if role.types >> n & 1}
        assert separated == {f"{guest}{end}" for guest in (GUEST, "vmv_db_t") for end in ("", "_self", "_channel")}


def test_what_does_not_go_together():
    refused = ["refused-by-package"]
    assert codes(separation="user") == refused
    assert codes(users=("red",)) == refused
    assert codes(device_model="stubdom") == refused
    assert codes(options=("sealed-guests",), builds=("hvm",), device_model="verifier") == refused
    assert codes(options=("sealed-guests",), migration=True) == refused
    assert codes(admits=("nobody_t",)) == ["unknown-client"]
    assert codes(builds=("vax",)) == ["project-bad-parameter"]


BROKEN = [
    ({}, (), "allow vmv_t domxen_t:mmu map_read;"),
    ({"migration": True}, (), "allow vmv_t domxen_t:mmu map_write;"),
    ({}, ("sealed-guests",), f"allow vmv_t {GUEST}:mmu map_read;"),
    ({}, ("sealed-guests",), f"allow vmv_t {GUEST}:domain create;"),
    ({}, ("sealed-guests",), f"allow dom0_t {GUEST}_building:mmu map_read;"),
    ({}, ("sealed-guests",), f"allow {GUEST}_building domU_t:domain transition;"),
    ({"talk": True}, (), f"allow domU_t {GUEST}:grant map_read;"),
    ({"talk": True}, (), f"allow dom0_t {GUEST}:grant copy;"),
    ({"services": ("console",)}, (), f"allow netdom_t {GUEST}:grant copy;"),
    ({"builds": ("hvm",), "device-model": "stubdom"}, (), f"allow vmv_db_dm_t {GUEST}_target:mmu map_read;"),
    ({"builds": ("hvm",), "device-model": "stubdom"}, (), f"allow vmv_t {GUEST}_target:mmu map_read;"),
    ({"builds": ("hvm",), "device-model": "stubdom"}, (), f"allow vmv_web_dm_t {GUEST}:mmu map_read;"),
]


@pytest.mark.parametrize("version", [VERSIONS[0], VERSIONS[-1]])
@pytest.mark.parametrize(("parameters", "options", "rule"), BROKEN, ids=[rule for *_, rule in BROKEN])
def test_what_may_not_be_granted_with_them(version, parameters, options, rule):
    with pytest.raises(PolicyError) as caught:
        verifier(version, "netdom", options=options, rules=rule, **parameters)
    assert {d.code for d in caught.value.diagnostics} == {"assertion-violated"}


def test_two_verifiers_never_share():
    both = {tenant: {**TENANTS["vmv"][tenant], "talk": True} for tenant in TENANTS["vmv"]}
    grants = Grants(link_bundled("4.17.7", "vmv", instances={"vmv": both}))
    assert not grants.ever("vmv_tenant_a_web_t", "vmv_tenant_b_web_t", "grant")
    assert grants.ever("vmv_tenant_a_web_t", "vmv_tenant_a_db_t", "grant")


def test_every_parameter_says_what_it_is_for():
    template = FILES["vmv"].manifest.instance
    assert template is not None
    assert all(parameter.help for parameter in template.parameters.values())
