"""What is different between two ABIs, and whether a policy for one loads on the other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from polpkg.policy.abi.model import Abi


@dataclass(frozen=True, slots=True)
class Difference:
    """What changed from one ABI to another; permissions are written `class.permission`.

    "Renumbered" names are in both, at different numbers.  Permissions of a class that came or went are not listed.
    `len()` is the number of changes; a difference without changes is false.
    """

    classes_added: tuple[str, ...] = ()
    classes_removed: tuple[str, ...] = ()
    classes_renumbered: tuple[str, ...] = ()
    permissions_added: tuple[str, ...] = ()
    permissions_removed: tuple[str, ...] = ()
    permissions_renumbered: tuple[str, ...] = ()
    sids_added: tuple[str, ...] = ()
    sids_removed: tuple[str, ...] = ()
    sids_renumbered: tuple[str, ...] = ()

    def __len__(self) -> int:
        return sum(len(names) for _, _, names in self._parts())

    def lines(self) -> tuple[str, ...]:
        """The changes for people, a line for each kind: "permissions added: domain2.vuart_op"."""
        return tuple(f"{what} {how}: {', '.join(names)}" for what, how, names in self._parts() if names)

    def to_json(self) -> dict[str, dict[str, list[str]]]:
        """The changes as a JSON value, by what changed and how."""
        document: dict[str, dict[str, list[str]]] = {}
        for what, how, names in self._parts():
            document.setdefault(what.replace(" ", "_"), {})[how] = list(names)
        return document

    def _parts(self) -> tuple[tuple[str, str, tuple[str, ...]], ...]:
        return (
            ("classes", "added", self.classes_added),
            ("classes", "removed", self.classes_removed),
            ("classes", "renumbered", self.classes_renumbered),
            ("permissions", "added", self.permissions_added),
            ("permissions", "removed", self.permissions_removed),
            ("permissions", "renumbered", self.permissions_renumbered),
            ("initial SIDs", "added", self.sids_added),
            ("initial SIDs", "removed", self.sids_removed),
            ("initial SIDs", "renumbered", self.sids_renumbered),
        )


def difference(old: Abi, new: Abi) -> Difference:
    """What changed from `old` to `new`, user-space classes left out."""
    old_classes, new_classes = dict(old.classes), dict(new.classes)
    shared = [name for name in new_classes if name in old_classes]

    def permissions(pick: Callable[[Sequence[str], Sequence[str]], tuple[str, ...]]) -> tuple[str, ...]:
        return tuple(f"{c}.{p}" for c in shared for p in pick(old_classes[c], new_classes[c]))

    old_names, new_names = tuple(old_classes), tuple(new_classes)
    return Difference(
        *(pick(old_names, new_names) for pick in (_added, _removed, _renumbered)),
        *(permissions(pick) for pick in (_added, _removed, _renumbered)),
        *(pick(old.initial_sids, new.initial_sids) for pick in (_added, _removed, _renumbered)),
    )


def accepts(policy: Abi, hypervisor: Abi) -> str | None:
    """Why a policy compiled for `policy` does not fit `hypervisor`; None when it does.

    Follows `validate_classes` (xen/xsm/flask/ss/services.c): every class and permission of the hypervisor must be in
    the policy at the same number; more classes and permissions after them do no harm.  Xen does not look at the names
    of initial SIDs, so that a policy with others would load and label the wrong things: they must agree as well.
    """
    return (
        _refused_class(policy, hypervisor) or _refused_permission(policy, hypervisor) or _wrong_sid(policy, hypervisor)
    )


def _refused_class(policy: Abi, hypervisor: Abi) -> str | None:
    for number, wanted in enumerate(hypervisor.classes, 1):
        if not policy.has_class(wanted.name):
            return f"class {wanted.name} is missing"
        if policy.class_id(wanted.name) != number:
            return f"class {wanted.name} is number {policy.class_id(wanted.name)}, the hypervisor's is {number}"
    return None


def _refused_permission(policy: Abi, hypervisor: Abi) -> str | None:
    for name, permissions in hypervisor.classes:
        for bit, permission in enumerate(permissions):
            if not policy.has_permission(name, permission):
                return f"permission {permission} of class {name} is missing"
            if policy.permission_bit(name, permission) != bit:
                found = policy.permission_bit(name, permission)
                return f"permission {permission} of class {name} is bit {found}, the hypervisor's is {bit}"
    return None


def _wrong_sid(policy: Abi, hypervisor: Abi) -> str | None:
    for number, wanted in enumerate(hypervisor.initial_sids, 1):
        found = policy.initial_sids[number - 1] if number <= len(policy.initial_sids) else "missing"
        if found != wanted:
            return f"initial SID {number} is {found}, the hypervisor's is {wanted}"
    return None


def _added(old: Sequence[str], new: Sequence[str]) -> tuple[str, ...]:
    known = set(old)
    return tuple(name for name in new if name not in known)


def _removed(old: Sequence[str], new: Sequence[str]) -> tuple[str, ...]:
    return _added(new, old)


def _renumbered(old: Sequence[str], new: Sequence[str]) -> tuple[str, ...]:
    numbers = {name: number for number, name in enumerate(old)}
    return tuple(name for number, name in enumerate(new) if numbers.get(name, number) != number)
