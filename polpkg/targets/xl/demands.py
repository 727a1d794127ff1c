"""What a hypervisor asks of the policy while `xl` builds, serves and passes devices to a guest: one table.

Each line says which permissions who needs on whom.  Sources: the hooks of Xen's xen/xsm/flask/hooks.c, the order of
libxl's calls (tools/libs/light/libxl_create.c, libxl_dom.c, libxl_pci.c), and what Xen 4.17.7 was seen to ask, with
every access logged, while xl built PV and PVH guests.  What the ABI does not have its hypervisor does not ask for.

Who is named by what it is to the guest:

    builder     the domain that xl runs in         guest      the guest once it runs
    building    the guest while it is built        hardware   the label of a real device
    backend     a domain that serves the guest     model      the stub domain with its device model
    X-channel   event channels of X towards the other one of the pair
    target      the guest as its stub domain sees it
"""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple

from polpkg.targets.xl.guest import GuestKind


class Need(Enum):
    """How much a demand matters."""

    ALWAYS = "always"
    XL = "xl"
    """xl asks for it; another toolstack, on libxenctrl alone, need not."""


class Demand(NamedTuple):
    """`source` needs these permissions of a class on `target`.

    `until`: a class and a permission; hypervisors that have it ask for that in place of these.
    """

    source: str
    target: str
    security_class: str
    permissions: tuple[str, ...]
    need: Need = Need.ALWAYS
    kinds: frozenset[GuestKind] = frozenset(GuestKind)
    until: tuple[str, str] | None = None


_PV = frozenset({GuestKind.PV})
_HARDWARE_ASSISTED = frozenset({GuestKind.PVH, GuestKind.HVM})


def _demand(
    pair: str, what: str, need: Need = Need.ALWAYS, kinds: frozenset[GuestKind] = frozenset(GuestKind)
) -> Demand:
    source, target = pair.split(" > ")
    security_class, _, permissions = what.partition(" ")
    return Demand(source, target, security_class, tuple(permissions.split()), need, kinds)


BUILD = (
    _demand("builder > building", "domain create max_vcpus setdomainmaxmem"),
    _demand("builder > building", "domain setaddrsize setvcpucontext", kinds=_PV),
    _demand("builder > building", "mmu adjust map_read map_write"),
    _demand("builder > building", "mmu mmuext_op pinpage", kinds=_PV),
    _demand("builder > building", "hvm gethvmc sethvmc setparam", kinds=_HARDWARE_ASSISTED),
    _demand("builder > building", "hvm altp2mhvm", Need.XL, _HARDWARE_ASSISTED),
    _demand("builder > building", "domain setpagingmempool", Need.XL, _HARDWARE_ASSISTED),
    _demand("builder > building", "shadow enable", Need.XL, _HARDWARE_ASSISTED)._replace(
        until=("domain", "setpagingmempool")
    ),
    _demand("builder > building", "domain getscheduler setaffinity getdomaininfo", Need.XL),
    _demand("builder > building", "domain2 resource_map set_cpu_policy setscheduler settsc", Need.XL),
    _demand("builder > building", "mmu memorymap", Need.XL),
    _demand("builder > building-channel", "event create", Need.XL),
    _demand("builder > security", "security check_context"),
)
"""Making the guest, under the label that it has while it is built."""

RUN = (_demand("builder > guest", "domain getdomaininfo pause unpause destroy"),)
"""Letting it run, and ending it."""

RELABEL = (
    _demand("builder > building", "domain2 relabelfrom"),
    _demand("builder > guest", "domain2 relabelto"),
    _demand("building > guest", "domain transition"),
)
"""Changing the label once the guest is built (`flask_relabel_domain`)."""

_CHANNEL = (
    _demand("backend > backend-channel", "event create send"),
    _demand("backend-channel > guest", "event bind"),
    _demand("guest > guest-channel", "event create send"),
    _demand("guest-channel > backend", "event bind"),
)

RING = (_demand("backend > guest", "grant map_read map_write unmap"), *_CHANNEL)
"""Serving the guest over a ring: a disk, and with more besides a network, the store and the console."""

STORE = (_demand("backend > guest", "domain getdomaininfo"), *RING)
"""Serving the store and the console: their daemons also see whether the guest lives."""

STORE_WHILE_BUILT = tuple(demand for demand in STORE if demand.source != "guest")
"""The same while the guest is built: its daemons are introduced before it does anything itself."""

COPY_FROM = (_demand("backend > guest", "grant copy"),)
"""What serving a disk with QEMU needs in addition."""

COPY_BOTH = (_demand("backend > guest", "grant copy"), _demand("guest > backend", "grant copy"))
"""What a network needs in addition."""

EMULATE = (
    _demand("builder > guest", "hvm dm getparam setparam hvmctl"),
    _demand("builder > guest", "mmu map_read map_write"),
    _demand("builder > guest", "domain2 resource_map"),
)
"""Emulating devices with QEMU next to the builder."""

STUB_DOMAIN = (
    _demand("builder > model", "domain create max_vcpus setdomainmaxmem setvcpucontext unpause destroy"),
    _demand("builder > model", "mmu adjust map_read map_write mmuext_op pinpage"),
    _demand("builder > model", "domain2 make_priv_for"),
    _demand("builder > building", "domain2 set_as_target"),
    _demand("model > building", "domain set_target"),
    _demand("model > target", "hvm dm getparam setparam hvmctl"),
    _demand("model > target", "mmu map_read map_write adjust physmap"),
)
"""Emulating devices from a stub domain (`flask_set_target`)."""

PASS_THROUGH = (
    _demand("builder > guest", "resource add"),
    _demand("builder > hardware", "resource add_device add_irq add_iomem"),
    _demand("builder > hardware", "hvm bind_irq", kinds=frozenset({GuestKind.HVM})),
)
"""Giving the guest a real device (`flask_assign_device`, `flask_map_domain_irq`, `flask_iomem_permission`)."""

ISOLATION = ("use_iommu", "use_iommu_nointremap", "use_noiommu")
"""The permission that a guest needs on its device: by what isolates the device, best first
(`flask_iommu_resource_use_perm`)."""

MIGRATE = (
    _demand("builder > guest", "mmu map_read pageinfo stat"),
    _demand("builder > guest", "domain getvcpucontext getaddrsize", kinds=_PV),
    _demand("builder > guest", "hvm gethvmc getparam", kinds=_HARDWARE_ASSISTED),
    _demand("builder > guest", "shadow enable disable logdirty"),
)
"""Saving the guest, or sending it elsewhere, while it runs."""
