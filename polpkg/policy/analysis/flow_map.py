"""Which way information flows when a permission is used: the data that every question about flows is answered from.

`w`: from the source to the target of the rule; `r`: from the target to the source; `rw`: both; `-`: neither, or nothing
that the two could agree a message on.  Taken from the comments of Xen's access vectors (xen/xsm/flask/policy/
access_vectors) and from what the hooks check (xen/xsm/flask/hooks.c, releases 4.6 to 4.22), among them:

- grant `copy` is checked with the domain that is copied from as the source and the one that is copied to as the target,
  whoever of the two makes the hypercall (`xsm_grant_copy(XSM_HOOK, src->domain, dest->domain)` in grant_table.c);
- an event goes from its sender to the label of its endpoint (`send`), and from there to the domain that the endpoint
  is bound to (`bind`, whose source is the label);
- Argo messages go from whoever may `send`; registering a ring is the receiver's side of it.

A part (`xen_t` has a console and a policy, which are different things) keeps flows apart that meet in one label:
what is written to the console of the hypervisor is read from its console, and not with its version.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple


class Flow(NamedTuple):
    """What using a permission does: `reads` from the target, `writes` to it; `part`: of the target, "" for all."""

    reads: bool
    writes: bool
    part: str = ""


UNKNOWN = Flow(reads=True, writes=True)
"""What a permission is taken for that the table does not have, such as one of a class of user space."""

_TABLE = """
domain  r   getaffinity getscheduler getdomaininfo getvcpuinfo getvcpucontext getextvcpucontext getvcpuextstate
domain  r   getaddrsize getpodtarget getpagingmempool
domain  w   setvcpucontext setextvcpucontext setvcpuextstate pause unpause resume create transition max_vcpus destroy
domain  w   setaffinity setdomainmaxmem setdomainhandle hypercall settime set_target shutdown setaddrsize trigger
domain  w   setpodtarget set_misc_info setpagingmempool
domain  rw  setdebugging
domain  -   set_virq_handler
domain2 r   gettsc get_vnumainfo get_cpu_policy get_domain_state
domain2 w   relabelfrom relabelto relabelself set_cpuid set_cpu_policy settsc setscheduler setclaim set_vnumainfo
domain2 w   soft_reset cacheflush set_max_evtchn set_gnttab_limits create_hardware_domain dt_overlay set_llc_colors
domain2 w   make_priv_for set_as_target
domain2 rw  psr_cmt_op psr_cat_op psr_alloc vm_event mem_access mem_paging mem_sharing resource_map vuart_op
hvm     r   gethvmc getparam audit_p2m trackdirtyvram
hvm     w   sethvmc setparam pcilevel irqlevel pciroute cacheattr send_irq hvmctl altp2mhvm altp2mhvm_op nested
hvm     rw  mem_sharing share_mem dm
hvm     -   bind_irq
event   r   status
event   w   bind send reset
event   -   create
grant   r   map_read query
grant   w   map_write transfer setup copy
grant   -   unmap
mmu     r   map_read pageinfo pagelist stat
mmu     w   map_write adjust updatemp physmap pinpage memorymap remote_remap mmuext_op
mmu     rw  exchange target_hack
shadow  r   logdirty
shadow  w   disable enable
argo    w   send
argo    -   enable register_single_source register_any_source
resource w  add remove setup add_irq remove_irq add_ioport remove_ioport add_iomem remove_iomem add_device remove_device
resource w  plug unplug
resource r  stat_device
resource rw use use_iommu use_iommu_nointremap use_noiommu
xen:console     r   readconsole
xen:console     w   writeconsole clearconsole
xen:platform    r   mtrr_read physinfo readapic getidle getcpuinfo heap getscheduler
xen:platform    w   settime mtrr_add mtrr_del microcode quirk writeapic kexec firmware sleep frequency
xen:platform    w   mca_op setscheduler tmem_control privprofile nonprivprofile
xen:platform    rw  tbufcontrol perfcontrol debug pm_op lockprof cpupool_op tmem_op hypfs_op
xen2:platform   r   get_symbol get_cpu_levelling_caps get_cpu_featureset
xen2:platform   w   pmu_ctrl livepatch_op set_parameter
xen2:platform   rw  resource_op psr_cmt_op psr_cat_op psr_alloc gcov_op coverage_op
xen2:platform   -   pmu_use
xen2:console    rw  get_dom0_console
version:version r   xen_extraversion xen_compile_info xen_capabilities xen_changeset xen_pagesize xen_guest_handle
version:version r   xen_commandline xen_build_id
security:policy r   compute_av compute_create compute_member compute_relabel compute_user check_context
security:policy w   load_policy setenforce setbool setsecparam add_ocontext del_ocontext
"""


@cache
def flow_map() -> dict[tuple[str, str], Flow]:
    """The whole table: what using each (class, permission) does."""
    found: dict[tuple[str, str], Flow] = {}
    for line in _TABLE.strip().splitlines():
        where, direction, *permissions = line.split()
        name, _, part = where.partition(":")
        flow = Flow("r" in direction, "w" in direction, part)
        found.update(((name, permission), flow) for permission in permissions)
    return found


def flow_of(class_name: str, permission: str) -> Flow:
    """What using a permission does; `UNKNOWN` for one that Xen does not have."""
    return flow_map().get((class_name, permission), UNKNOWN)
