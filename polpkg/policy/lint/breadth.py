"""Dangerous permissions for whoever joins an attribute."""

from __future__ import annotations

from typing import TYPE_CHECKING

from polpkg.policy.ir.linked import bits
from polpkg.policy.ir.statements import AvKind, AvRule, Conditional
from polpkg.policy.lint.subject import written_at
from polpkg.policy.lint.table import finding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from polpkg.diagnostics import Diagnostic
    from polpkg.policy.ir.statements import NameSet
    from polpkg.policy.lint.subject import Subject

DANGEROUS: dict[str, frozenset[str]] = {
    "domain": frozenset(("create", "destroy", "transition", "setvcpucontext", "setdebugging", "set_target")),
    "domain2": frozenset(
        ("relabelfrom", "relabelto", "mem_access", "mem_paging", "mem_sharing", "vm_event", "resource_map")
    ),
    "mmu": frozenset(
        ("map_read", "map_write", "physmap", "adjust", "target_hack", "memorymap", "updatemp", "exchange")
    ),
    "hvm": frozenset(("sethvmc", "gethvmc", "dm", "mem_sharing", "share_mem", "audit_p2m")),
    "grant": frozenset(("map_read", "map_write", "copy", "transfer")),
    "resource": frozenset(("use", "use_iommu", "use_iommu_nointremap", "use_noiommu", "add_device", "add_iomem")),
    "security": frozenset(("load_policy", "setenforce", "setbool", "setsecparam", "add_ocontext", "del_ocontext")),
    "xen": frozenset(("kexec", "microcode", "mtrr_add", "mtrr_del", "debug", "reboot", "expertpm", "setscheduler")),
    "xen2": frozenset(("livepatch_op", "coverage_op")),
}
"""Permissions (of Xen's `access_vectors`) by which one domain rules another or the hypervisor."""


def over_broad_rules(subject: Subject) -> Iterator[Diagnostic]:
    """Rules of the package's own fragments that give such a permission to, or on, an attribute that others join."""
    package = subject.module.package
    for rule in _rules(subject):
        if rule.kind is not AvKind.ALLOW or not written_at(rule.place, package):
            continue
        dangerous = [f"{name} {' '.join(found)}" for name in rule.classes if (found := _dangerous(subject, name, rule))]
        shared = [name for name in (*rule.source.names, *rule.target.names) if _is_shared(subject, name)]
        if dangerous and shared:
            message = f"`{shared[0]}` may be extended by other packages, and this rule gives {', '.join(dangerous)}"
            yield finding("over-broad-rule", rule.place, message, "name types, or an attribute that only you give")


def _rules(subject: Subject) -> Iterator[AvRule]:
    for statement in subject.module.statements:
        if isinstance(statement, AvRule):
            yield statement
        elif isinstance(statement, Conditional):
            yield from (rule for rule in (*statement.then, *statement.otherwise) if isinstance(rule, AvRule))


def _dangerous(subject: Subject, security_class: str, rule: AvRule) -> list[str]:
    """Those of a rule's permissions that are dangerous."""
    known = DANGEROUS.get(security_class, frozenset())
    abi = subject.policy.abi
    if not known or not abi.has_class(security_class):
        return []
    return [name for name in abi.permissions(security_class) if name in known and _names(rule.permissions, name)]


def _names(permissions: NameSet, name: str) -> bool:
    return permissions.star or (name in permissions.names) != permissions.complement


def _is_shared(subject: Subject, name: str) -> bool:
    """Whether types of other packages have the attribute `name`."""
    policy, package = subject.policy, subject.module.package
    number = policy.number_of_type(name)
    if number < 0 or not policy.types[number].is_attribute:
        return False
    members = (policy.types[bit].name for bit in bits(policy.expand(number)))
    return any(subject.declared_by.get(member, package) != package for member in members)
