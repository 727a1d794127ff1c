"""What the packages for domPs grant and what their assertions catch, on every hypervisor that they are meant for.

Expectations are lines `source target:class permission...`.  A permission that a hypervisor does not have is left out.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from functools import cache

import pytest
from bundled_policies import TENANTS, Grants, link_bundled, supported_versions

from polpkg.errors import PolicyError
from polpkg.policy.backends.backend import CompileOptions
from polpkg.policy.backends.builtin import BuiltinBackend

VERSIONS = supported_versions()
ALL = ("vmv", "netdom", "stordom")
CONTROL = ("domain", "domain2", "hvm", "mmu", "resource", "shadow")
"""Classes that are about ruling over a domain, rather than talking to it."""


@cache
def granted(version: str, names: tuple[str, ...] = (), options: tuple[str, ...] = ()) -> Grants:
    on = {name: (option,) for name, option in (text.split(":") for text in options)}
    instances = TENANTS if "vmv" in names else {}
    return Grants(link_bundled(version, *names, instances=instances, options=on))


def expectations(text):
    for line in text.strip().splitlines():
        types, _, permissions = line.strip().partition(":")
        source, target = types.split()
        security_class, *wanted = permissions.split()
        yield source, target, security_class, set(wanted)


def check_allowed(grants, text):
    abi = grants.policy.abi
    for source, target, security_class, wanted in expectations(text):
        wanted &= set(abi.permissions(security_class))
        missing = wanted - grants.always(source, target, security_class)
        assert not missing, f"{source} {target}:{security_class} lacks {sorted(missing)}"


def check_denied(grants, text):
    for source, target, security_class, unwanted in expectations(text):
        found = unwanted & grants.ever(source, target, security_class)
        assert not found, f"{source} {target}:{security_class} has {sorted(found)}"


ORDINARY = """
    dom0_t domU_t:domain create max_vcpus setdomainmaxmem getdomaininfo pause unpause destroy shutdown resume trigger
    dom0_t domU_t:domain setaffinity getaffinity getvcpuinfo getscheduler setpodtarget getvcpucontext setvcpucontext
    dom0_t domU_t:domain2 resource_map set_cpu_policy setscheduler settsc gettsc setclaim get_domain_state soft_reset
    dom0_t domU_t:hvm gethvmc sethvmc getparam setparam hvmctl dm
    dom0_t domU_t:mmu adjust map_read map_write memorymap mmuext_op physmap pinpage updatemp pageinfo stat
    dom0_t domU_t:shadow enable disable logdirty
    dom0_t domU_t:grant setup map_read map_write unmap
    dom0_t domU_t:resource add remove
    dom0_t domU_t_channel:event create
    dom0_t dom0_t_channel:event create send
    dom0_t_channel domU_t:event bind
    domU_t_channel dom0_t:event bind
    dom0_t domxen_t:domain getdomaininfo
    dom0_t domxen_t:domain2 get_domain_state
    dom0_t domxen_t:mmu map_read map_write
    dom0_t domxen_t:resource plug unplug use
    dom0_t dom0_t:domain getdomaininfo setaffinity setdomainmaxmem set_virq_handler
    dom0_t security_t:security check_context load_policy setbool setenforce add_ocontext del_ocontext
    dom0_t xen_t:xen settime readconsole clearconsole microcode physinfo kexec sleep debug getcpuinfo heap cpupool_op
    dom0_t xen_t:xen getscheduler setscheduler pm_op tbufcontrol writeconsole
    dom0_t device_t:resource setup add_device remove_device use_iommu use_noiommu plug unplug
    dom0_t irq_t:hvm bind_irq
    dom0_t domio_t:resource add remove
    domio_t device_t:resource use_iommu
    dom0_t dm_dom_t:domain2 make_priv_for
    dom0_t domU_t:domain2 set_as_target
    dm_dom_t domU_t:domain set_target
    dm_dom_t domU_t_target:hvm dm getparam setparam
    dm_dom_t domU_t_target:mmu adjust map_read map_write physmap target_hack
    domU_t domU_t_self:mmu adjust map_read map_write mmuext_op physmap pinpage updatemp
    domU_t domU_t_self:grant query setup map_read
    domU_t domU_t:grant copy map_read map_write unmap
    xen_t device_t:resource remove_irq remove_iomem remove_ioport
"""
NEVER = """
    domU_t dom0_t:domain create destroy pause getdomaininfo
    domU_t dom0_t:mmu map_read map_write
    domU_t dom0_t:grant map_read map_write
    domU_t domU_t:domain create destroy pause getdomaininfo getvcpucontext
    domU_t domU_t:mmu map_read map_write
    domU_t security_t:security load_policy setenforce setbool check_context
    domU_t device_t:resource use_iommu use_iommu_nointremap use_noiommu
    domU_t xen_t:xen physinfo kexec readconsole
    domU_t xen_t:version xen_commandline xen_build_id
    dm_dom_t domU_t:mmu map_read map_write
    dm_dom_t domU_t:hvm dm
    dm_dom_t dm_dom_t:domain set_target
    dom0_t unlabeled_t:domain create destroy
    dom0_t dom0_t:domain create
    xen_t domU_t:domain create
"""
OFF_BY_DEFAULT = """
    dom0_t domU_t:domain setdebugging
    dom0_t domU_t:domain2 vm_event mem_access mem_sharing mem_paging
    dom0_t dom0_t_channel:event status
    domU_t domU_t_channel:event status
"""


@pytest.mark.parametrize("version", VERSIONS)
class TestEveryHypervisor:
    def test_dom0_and_ordinary_guests(self, version):
        grants = granted(version)
        check_allowed(grants, ORDINARY + "dom0_t domU_t:grant copy\n domU_t dom0_t:grant copy")
        check_denied(grants, NEVER)
        for source, target, security_class, permissions in expectations(OFF_BY_DEFAULT):
            assert not permissions & grants.always(source, target, security_class)
            assert permissions <= grants.ever(source, target, security_class)

    def test_a_driver_domain_takes_copying_out_of_dom0(self, version):
        grants = granted(version, ALL)
        check_allowed(grants, ORDINARY)
        check_denied(grants, NEVER)
        for client in ("domU_t", "dm_dom_t"):
            check_allowed(
                grants, f"netdom_t {client}:grant copy map_read map_write unmap\n {client} netdom_t:grant copy"
            )
            check_allowed(grants, f"stordom_t {client}:grant map_read map_write unmap")
            check_denied(
                grants, f"dom0_t {client}:grant copy\n stordom_t {client}:grant copy\n {client} dom0_t:grant copy"
            )
        check_allowed(grants, "stordom_t netdom_t:grant map_read map_write unmap")
        check_allowed(
            grants, "netdom_t netdom_device_t:resource use_iommu\n dom0_t netdom_device_t:resource add_device"
        )
        check_denied(grants, "dom0_t netdom_t:grant copy\n dom0_t stordom_t:grant copy\n netdom_t dom0_t:grant copy")

    @pytest.mark.parametrize("domain", ["netdom_t", "stordom_t"])
    def test_a_driver_domain_rules_over_nobody(self, version, domain):
        grants = granted(version, ALL)
        devices = {domain.replace("_t", "_device_t")}
        assert grants.reached(domain, *CONTROL) == {f"{domain}_self", "domio_t", *devices}
        assert grants.reached(domain, "xen", "xen2", "security") == {"xen_t"}

    @pytest.mark.parametrize("netdom", [(), ("netdom", "stordom")])
    def test_only_its_verifier_rules_over_a_guest(self, version, netdom):
        grants = granted(version, ("vmv", *netdom))
        for tenant in ("a", "b"):
            guests = {f"vmv_tenant_{tenant}_{item}_t" for item in ("web", "db")}
            for guest in guests:
                assert grants.holders(guest, *CONTROL) == {f"vmv_tenant_{tenant}_t"}
                assert not grants.holders(guest, "grant")
                channel = f"{guest}_channel"
                users = grants.holders(channel, "event")
                assert {user for user in users if grants.ever(user, channel, "event") > {"status"}} == {guest}
            vmv = f"vmv_tenant_{tenant}_t"
            assert grants.reached(vmv, *CONTROL) == {*guests, f"{vmv}_self", "domxen_t"}
            assert grants.ever(vmv, "domxen_t", "domain") == {"getdomaininfo"}  # whoever lists domains
            assert grants.holders("domxen_t", "domain2", "mmu", "resource") == {"dom0_t"}
            check_allowed(
                grants,
                f"""
                {vmv} vmv_tenant_{tenant}_web_t:domain create max_vcpus setdomainmaxmem pause unpause destroy hypercall
                {vmv} vmv_tenant_{tenant}_web_t:mmu adjust map_read map_write mmuext_op pinpage
                {vmv} security_t:security check_context
                dom0_t {vmv}:domain create destroy
                """,
            )

    @pytest.mark.parametrize("name", ["netdom", "stordom"])
    def test_the_option_pciback_is_the_only_way_for_dom0_to_the_device(self, version, name):
        assert granted(version, (name,)).ever("dom0_t", f"{name}_device_t", "resource").isdisjoint({"use_iommu"})
        check_allowed(granted(version, (name,), (f"{name}:pciback",)), f"dom0_t {name}_device_t:resource use_iommu")


CREATES, MANAGES = "only the VMV creates its guests", "only the VMV manages its guests"
REACHES, SERVED = (
    "only the VMV reaches the memory of its guests",
    "only who serves a guest uses the pages that it grants",
)
RULES = "a VMV rules over nothing but guests of VMVs"
TABLES = "a VMV maps nothing of the hypervisor, but the tables for migrating guests"
INSPECTED = "nobody debugs or watches what the verifier vouches for"
STAYS = "what the verifier vouches for is not migrated"
GUEST = "vmv_tenant_a_web_t"
FORBIDDEN = [
    (CREATES, f"allow dom0_t {GUEST}:domain create;"),
    (CREATES, f"allow xen_t {GUEST}:domain create;"),
    (CREATES, f"allow vmv_tenant_b_t {GUEST}:domain create;"),
    (CREATES, f"allow dom0_t {GUEST}:domain2 relabelto;"),
    (CREATES, f"allow vmv_tenant_a_t {GUEST}:domain2 relabelto;"),
    (CREATES, f"allow domU_t {GUEST}:domain transition;"),
    (CREATES, f"allow dom0_t {GUEST}:domain2 relabelfrom;"),
    (CREATES, f"type intruder_t, domain_type; allow {GUEST} intruder_t:domain transition;"),
    (MANAGES, f"allow dom0_t {GUEST}:domain pause;"),
    (MANAGES, f"allow dom0_t {GUEST}:domain setaddrsize;"),
    (MANAGES, f"allow dom0_t {GUEST}:domain2 soft_reset;"),
    (MANAGES, f"allow dom0_t {GUEST}:domain2 set_as_target;"),
    (MANAGES, f"allow dom0_t {GUEST}:domain2 settsc;"),
    (MANAGES, f"allow dom0_t {GUEST}:hvm setparam;"),
    (MANAGES, f"allow dom0_t {GUEST}:hvm altp2mhvm_op;"),
    (MANAGES, f"allow dom0_t {GUEST}:resource add;"),
    (MANAGES, f"allow dom0_t {GUEST}:shadow enable;"),
    (MANAGES, f"allow dom0_t {GUEST}:event reset;"),
    (MANAGES, f"allow dom0_t {GUEST}_channel:event create;"),
    (MANAGES, f"allow vmv_tenant_b_t {GUEST}:domain destroy;"),
    (MANAGES, "allow dom0_t domain_type:domain unpause;"),
    (MANAGES, f"bool intruder_on false; if (intruder_on) {{ allow dom0_t {GUEST}:domain pause; }}"),
    (REACHES, f"allow dom0_t {GUEST}:mmu map_read;"),
    (REACHES, f"allow dom0_t {GUEST}:mmu stat;"),
    (REACHES, f"allow domxen_t {GUEST}:mmu map_write;"),
    (REACHES, f"allow dom0_t {GUEST}:domain2 resource_map;"),
    (REACHES, f"allow dom0_t {GUEST}:grant setup;"),
    (REACHES, f"allow dom0_t {GUEST}:hvm dm;"),
    (REACHES, f"allow dom0_t {GUEST}:hvm gethvmc;"),
    (REACHES, f"attribute intruder_all; typeattribute dom0_t intruder_all; allow intruder_all {GUEST}:mmu map_read;"),
    (SERVED, f"allow dom0_t {GUEST}:grant map_read;"),
    (SERVED, f"allow domU_t {GUEST}:grant copy;"),
    (RULES, "allow vmv_tenant_a_t domU_t:domain pause;"),
    (RULES, "allow vmv_tenant_a_t dom0_t:mmu map_read;"),
    (RULES, "allow vmv_tenant_a_t xen_t:xen kexec;"),
    (RULES, "allow vmv_tenant_a_t xen_t:xen2 pmu_ctrl;"),
    (RULES, "allow vmv_tenant_a_t xen_t:mmu memorymap;"),
    (TABLES, "allow vmv_tenant_a_t domxen_t:mmu map_read;"),
    (RULES, "allow vmv_tenant_a_t security_t:security setbool;"),
    (RULES, "allow vmv_tenant_a_t device_t:resource use_iommu;"),
    ("guests of VMVs rule over nothing", f"allow {GUEST} domU_t:mmu map_read;"),
    ("guests of VMVs rule over nothing", f"allow {GUEST} xen_t:xen physinfo;"),
    (INSPECTED, f"allow dom0_t {GUEST}:domain setdebugging;"),
    (INSPECTED, "allow dom0_t vmv_tenant_a_t:domain2 vm_event;"),
    (INSPECTED, f"allow vmv_tenant_a_t {GUEST}:hvm mem_sharing;"),
    (STAYS, "allow dom0_t vmv_tenant_a_t:mmu pageinfo;"),
    (STAYS, f"allow vmv_tenant_a_t {GUEST}:shadow logdirty;"),
    ("only the owner of policy-admin changes the policy", "allow domU_t security_t:security setenforce;"),
    ("only the owner of policy-admin changes the policy", "allow xen_t security_t:security load_policy;"),
    ("only the owner of platform changes the hypervisor", "allow domU_t xen_t:xen2 livepatch_op;"),
    ("only the owner of platform changes the hypervisor", "allow domU_t xen_t:xen hypfs_op;"),
    ("nothing unlabelled runs", "allow dom0_t unlabeled_t:domain create;"),
    ("nothing unlabelled is created", "allow xen_t unlabeled_t:domain create;"),
    ("only the booting hypervisor creates dom0", "allow dom0_t dom0_t:domain create;"),
    ("only the booting hypervisor creates dom0", "allow dom0_t dom0_t:domain2 relabelto;"),
    ("only the owner of domain-builder creates guests", "allow domU_t domU_t:domain create;"),
    ("only the owner of domain-builder creates device models", "allow domU_t dm_dom_t:domain create;"),
    ("unlabelled devices are not for guests", "allow domU_t device_t:resource use_iommu;"),
    ("dom0 is out of the network of the clients", "allow domU_t dom0_t:grant copy;"),
    ("dom0 is out of the network of the clients", f"allow {GUEST} dom0_t:grant copy;"),
    ("dom0 is out of the network of the clients", "allow dom0_t domU_t:grant copy;"),
    ("dom0 is out of the storage of the clients", "allow dom0_t dm_dom_t:grant copy;"),
    ("dom0 is out of the storage of the clients", "allow stordom_t domU_t:grant copy;"),
    ("clients copy from the network domain and do nothing else to it", "allow domU_t netdom_t:grant map_read;"),
    ("clients copy from the network domain and do nothing else to it", f"allow {GUEST} netdom_t:domain getdomaininfo;"),
    ("clients do nothing to the storage domain", "allow domU_t stordom_t:grant copy;"),
    ("clients do nothing to the storage domain", "allow domU_t stordom_t:argo send;"),
    ("dom0 copies from pages of the network domain only to serve its disk", "allow dom0_t netdom_t:grant copy;"),
    ("dom0 copies from no page of the storage domain", "allow dom0_t stordom_t:grant copy;"),
    ("only the network domain uses its devices", "allow dom0_t netdom_device_t:resource use_noiommu;"),
    ("only the network domain uses its devices", "allow xen_t netdom_device_t:resource use_iommu;"),
    ("only the storage domain uses its devices", "allow netdom_t stordom_device_t:resource use_iommu;"),
    ("the network domain rules over nothing and reaches granted pages only", "allow netdom_t domU_t:mmu map_read;"),
    ("the network domain rules over nothing and reaches granted pages only", "allow netdom_t domU_t:domain shutdown;"),
    (
        "the network domain rules over nothing and reaches granted pages only",
        "allow netdom_t irq_t:resource use_iommu;",
    ),
    ("the storage domain rules over nothing and reaches granted pages only", "allow stordom_t xen_t:xen physinfo;"),
    ("the storage domain rules over nothing and reaches granted pages only", "allow stordom_t domio_t:resource add;"),
    ("the storage domain rules over nothing and reaches granted pages only", "allow stordom_t domU_t:grant setup;"),
    ("the storage domain rules over nothing and reaches granted pages only", "allow stordom_t domU_t:domain2 settsc;"),
]


@pytest.mark.parametrize("version", [VERSIONS[0], VERSIONS[-1]])
@pytest.mark.parametrize(("assertion", "rule"), FORBIDDEN, ids=[rule for _, rule in FORBIDDEN])
def test_what_a_package_may_not_grant(version, assertion, rule):
    with pytest.raises(PolicyError) as caught:
        link_bundled(version, *ALL, instances=TENANTS, rules=rule)
    broken = [d for d in caught.value.diagnostics if d.code == "assertion-violated"]
    assert any(f"assertion {assertion!r}" in d.message for d in broken), caught.value.diagnostics
    assert all(d.origin.package == "intruder" for d in broken)


@pytest.mark.parametrize("rule", ["allow netdom_t domU_t:domain getdomaininfo;", "allow dom0_t netdom_t:mmu stat;"])
def test_what_a_package_may_grant(rule):
    link_bundled("4.17.7", *ALL, instances=TENANTS, rules=rule)


def test_the_name_of_a_function_needs_no_quotes():
    link_bundled("4.17.7", rules="for_each_owner(device_model, domU_t, `device_model_client')")


@pytest.mark.parametrize("version", [VERSIONS[0], VERSIONS[-1]])
def test_the_builder_of_a_sealed_client_reaches_its_memory_only_while_it_builds(version):
    rules = """
        declare_domain(intruder_t)
        sealed_client(intruder_t)
        assert_only_creator_build_label(dom0_t, intruder_t)
        assert_only_manager(dom0_t, intruder_t)
    """
    grants = Grants(link_bundled(version, rules=rules))
    assert not grants.ever("dom0_t", "intruder_t", "mmu") | grants.ever("dom0_t", "intruder_t", "hvm")
    assert "create" not in grants.ever("dom0_t", "intruder_t", "domain")
    check_allowed(
        grants,
        """
        dom0_t intruder_t_building:domain create destroy getdomaininfo max_vcpus
        dom0_t intruder_t_building:domain2 relabelfrom resource_map
        dom0_t intruder_t_building:mmu map_read map_write
        dom0_t intruder_t_building:grant map_read map_write unmap
        dom0_t intruder_t:domain2 relabelto
        dom0_t intruder_t:domain pause destroy getdomaininfo
        dom0_t intruder_t:grant map_read map_write unmap
        dom0_t_channel intruder_t_building:event bind
        intruder_t_building intruder_t:domain transition
        """,
    )


@pytest.mark.interop
@pytest.mark.skipif(not shutil.which("sesearch"), reason="needs sesearch")
def test_sesearch_reads_the_same_from_the_compiled_policy(tmp_path):
    grants = granted("4.17.7", ALL)
    file = tmp_path / "policy"
    file.write_bytes(BuiltinBackend().compile(grants.policy, CompileOptions(version=30)))
    for source, target, security_class, wanted in expectations(ORDINARY):
        wanted &= set(grants.policy.abi.permissions(security_class))
        assert wanted <= searched(file, source, target, security_class)
    for guest in (GUEST, "domU_t"):
        assert "copy" not in searched(file, "dom0_t", guest, "grant")
    for security_class in CONTROL:
        assert not searched(file, "dom0_t", GUEST, security_class)


def searched(file, source, target, security_class):
    """The permissions that sesearch finds, attributes included."""
    words = ["sesearch", "--allow", "-s", source, "-t", target, "-c", security_class, str(file)]
    text = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    found = re.findall(r":\w+ (?:\{ (.*?) \}|(\w+));", text)
    return {permission for many, one in found for permission in (many or one).split()}
