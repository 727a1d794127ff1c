"""Constants of the policydb format for the Xen target, versions 24 and 30.

Names and numbers follow libsepol's `policydb/policydb.h`, `avtab.h`, `conditional.h` and `constraint.h`; what Xen takes
is in xen/xsm/flask/ss/policydb.c (`policydb_compat`) and the readers beside it.  Every number in a file is
little-endian.
"""

from __future__ import annotations

MAGIC = 0xF97CFF8C
TARGET = b"XenFlask"
"""What stands after the magic number and its own length in a policy for the Xen target."""

VERSION_BASE = 24
"""The older layout: 32-bit memory ranges, no device tree, constraints without the names as written."""
VERSION_DEVICE_TREE = 30
"""The newer layout, and the default."""
VERSIONS = (VERSION_BASE, VERSION_DEVICE_TREE)

CONFIG_MLS = 1
CONFIG_REJECT_UNKNOWN = 2
CONFIG_ALLOW_UNKNOWN = 4

SYMBOL_TABLES = 8
OBJECT_CONTEXT_KINDS = {VERSION_BASE: 5, VERSION_DEVICE_TREE: 6}
"""How many lists of object contexts a file has, initial SIDs included."""

MAX_TYPES = 0xFFFF
"""Types, attributes and classes are 16-bit numbers in an access vector table; 0 is none."""
MAX_WORD = 0xFFFF_FFFF
MAX_LONG = 0xFFFF_FFFF_FFFF_FFFF

DEFAULTS: dict[str, tuple[str, ...]] = {
    "user": ("", "source", "target"),
    "role": ("", "source", "target"),
    "range": ("", "source low", "source high", "source low-high", "target low", "target high", "target low-high"),
    "type": ("", "source", "target"),
}
"""Where a new object gets a part of its label from, by number (`DEFAULT_*`), in the order of the parts in a file."""

OBJECT_ROLE = "object_r"
"""The role of objects: always number 1."""

PROPERTY_PRIMARY = 1
PROPERTY_ATTRIBUTE = 2

AV_ALLOW = 0x0001
AV_AUDITALLOW = 0x0002
AV_DONTAUDIT = 0x0004
AV_TRANSITION = 0x0010
AV_MEMBER = 0x0020
AV_CHANGE = 0x0040
AV_ENABLED = 0x8000
"""Set on a conditional rule whose condition holds with the default values of the booleans."""

AV_KINDS = frozenset({AV_ALLOW, AV_AUDITALLOW, AV_DONTAUDIT})
TYPE_KINDS = frozenset({AV_TRANSITION, AV_MEMBER, AV_CHANGE})

CONDITION_BOOLEAN = 1

EXPRESSION_NOT = 1
EXPRESSION_AND = 2
EXPRESSION_OR = 3
EXPRESSION_WORDS = 4
"""A comparison of two words: `u1 == u2`."""
EXPRESSION_NAMES = 5
"""A comparison of a word and a set of names: `t1 == { a b }`."""

WORD_USER = 1
WORD_ROLE = 2
WORD_TYPE = 4
WORD_TARGET = 8
WORD_NEW_TARGET = 16

WORD_PAIRS = {
    WORD_USER: ("u1", "u2"),
    WORD_ROLE: ("r1", "r2"),
    WORD_TYPE: ("t1", "t2"),
    32: ("l1", "l2"),
    64: ("l1", "h2"),
    128: ("h1", "l2"),
    256: ("h1", "h2"),
    512: ("l1", "h1"),
    1024: ("l2", "h2"),
}
"""What `EXPRESSION_WORDS` compares, by its attribute number."""

NAMED_WORDS = {
    letter_value | position_value: f"{letter}{position}"
    for letter, letter_value in (("u", WORD_USER), ("r", WORD_ROLE), ("t", WORD_TYPE))
    for position, position_value in ((1, 0), (2, WORD_TARGET), (3, WORD_NEW_TARGET))
}
"""What `EXPRESSION_NAMES` compares, by its attribute number."""

CAPABILITIES = (
    "network_peer_controls",
    "open_perms",
    "extended_socket_class",
    "always_check_network",
    "cgroup_seclabel",
    "nnp_nosuid_transition",
    "genfs_seclabel_symlinks",
    "ioctl_skip_cloexec",
)
"""Policy capabilities by number (libsepol's `polcaps.c`).  Xen reads the set and uses none of it."""
