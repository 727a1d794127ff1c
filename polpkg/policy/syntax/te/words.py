"""Words of the policy language, which no identifier may be (checkpolicy's `policy_scan.l`)."""

from __future__ import annotations

STATEMENTS = frozenset(
    """
    allow allowxperm attribute attribute_role auditallow auditallowxperm auditdeny bool category class common constrain
    default_range default_role default_type default_user devicetreecon dominance dontaudit dontauditxperm
    expandattribute fs_use_task fs_use_trans fs_use_xattr fscon genfscon ibendportcon ibpkeycon if iomemcon ioportcon
    level mlsconstrain mlsvalidatetrans module netifcon neverallow neverallowxperm nodecon optional pcidevicecon
    permissive pirqcon policycap portcon range_transition require role role_transition roleattribute sensitivity sid
    tunable type type_change type_member type_transition typealias typeattribute typebounds user validatetrans
    """.split()
)
"""Words that begin a statement."""

OTHERS = frozenset(
    """
    alias and clone dom domby else eq false glblub h1 h2 high incomp inherits l1 l2 level low low-high not or r1 r2 r3
    range roles sameuser source t1 t2 t3 target true types u1 u2 u3 xor
    """.split()
)
"""Words with a meaning inside statements."""

RESERVED = frozenset(word for lower in STATEMENTS | OTHERS for word in (lower, lower.upper()))
"""Every reserved word.  The language knows each in lower and in upper case, and in no mixture."""

XEN_REFUSES = {
    "allowxperm": "extended permissions",
    "auditallowxperm": "extended permissions",
    "dontauditxperm": "extended permissions",
    "neverallowxperm": "extended permissions",
    "portcon": "network labels",
    "netifcon": "network labels",
    "nodecon": "network labels",
    "ibpkeycon": "InfiniBand labels",
    "ibendportcon": "InfiniBand labels",
    "fscon": "file system labels",
    "genfscon": "file system labels",
    "fs_use_xattr": "file system labels",
    "fs_use_task": "file system labels",
    "fs_use_trans": "file system labels",
}
"""Statements that make no sense for a hypervisor, by what they are about: Xen has no such objects."""
