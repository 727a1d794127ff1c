"""What a hypervisor compiles in: its security classes, their permissions, and its initial SIDs, in order.

The order is the interface.  Xen's build numbers classes, permissions and initial SIDs by their position in
`xen/xsm/flask/policy/{security_classes,access_vectors,initial_sids}` (mkflask.sh, mkaccess_vector.sh), and a policy
fits only when its own numbers agree (`validate_classes` in xen/xsm/flask/ss/services.c).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

MAX_PERMISSIONS = 32
"""How many permissions a class can have: an access vector is one 32-bit word."""


class SecurityClass(NamedTuple):
    """A security class and its permissions; the first permission is bit 0."""

    name: str
    permissions: tuple[str, ...]


@dataclass(frozen=True)
class Abi:
    """The classes, permissions and initial SIDs of one hypervisor.

    `classes` and `initial_sids` are the hypervisor's own; the first of each has number 1.  `version` is the full
    version that was asked for or read ("4.18.3"), empty when it is not known; two hypervisors of different versions can
    have one table, and then one `fingerprint`.  `user_space` are classes that only programs use (oxenstored's, an
    imported tree's): a policy numbers them after the hypervisor's, and the hypervisor ignores them.

    Raises ValueError for a duplicate class, permission or initial SID, and for a class with more than 32 permissions.
    """

    classes: tuple[SecurityClass, ...]
    initial_sids: tuple[str, ...]
    version: str = ""
    user_space: tuple[SecurityClass, ...] = ()

    def __post_init__(self) -> None:
        if _has_duplicates(c.name for c in self.all_classes) or _has_duplicates(self.initial_sids):
            raise ValueError("a class or an initial SID has two numbers")
        for name, permissions in self.all_classes:
            if len(permissions) > MAX_PERMISSIONS or _has_duplicates(permissions):
                raise ValueError(f"class {name} has a permission twice, or more than {MAX_PERMISSIONS}")

    @property
    def all_classes(self) -> tuple[SecurityClass, ...]:
        """Every class a policy for this ABI knows: the hypervisor's, then those of user space."""
        return self.classes + self.user_space

    @property
    def text(self) -> str:
        """The hypervisor's table as text: `class NAME PERMISSION...` and `sid NAME` lines, in order."""
        classes = "".join(f"class {name} {' '.join(permissions)}\n" for name, permissions in self.classes)
        return classes + "".join(f"sid {name}\n" for name in self.initial_sids)

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of `text`, in hexadecimal: equal exactly when two hypervisors have the same table."""
        from hashlib import sha256

        return sha256(self.text.encode()).hexdigest()

    @property
    def version_numbers(self) -> tuple[int, ...]:
        """`version` as numbers, (4, 18, 3), without any vendor's addition; empty when it is not known."""
        return version_numbers(self.version)

    def has_class(self, name: str) -> bool:
        """Whether there is a class `name`."""
        return name in self._class_ids

    def has_permission(self, class_name: str, permission: str) -> bool:
        """Whether class `class_name` exists and has `permission`."""
        return permission in self._bits.get(class_name, ())

    def class_id(self, name: str) -> int:
        """The number of class `name`, from 1.  Raises KeyError."""
        return self._class_ids[name]

    def permission_bit(self, class_name: str, permission: str) -> int:
        """The position of `permission` in access vectors of its class, from 0.  Raises KeyError."""
        return self._bits[class_name][permission]

    def permissions(self, class_name: str) -> tuple[str, ...]:
        """The permissions of class `class_name`, in order.  Raises KeyError."""
        return self.all_classes[self._class_ids[class_name] - 1].permissions

    def sid_number(self, name: str) -> int:
        """The number of initial SID `name`, from 1.  Raises KeyError."""
        try:
            return self.initial_sids.index(name) + 1
        except ValueError:
            raise KeyError(name) from None

    def with_user_space(self, classes: Iterable[SecurityClass]) -> Abi:
        """Number `classes` after all that there are.  Raises ValueError when one exists already."""
        return replace(self, user_space=(*self.user_space, *classes))

    @cached_property
    def _class_ids(self) -> dict[str, int]:
        return {c.name: number for number, c in enumerate(self.all_classes, 1)}

    @cached_property
    def _bits(self) -> dict[str, dict[str, int]]:
        return {name: {p: bit for bit, p in enumerate(permissions)} for name, permissions in self.all_classes}


def parse_table(text: str, version: str = "") -> Abi:
    """The ABI whose `Abi.text` is `text`.  Raises ValueError for any other line."""
    classes: list[SecurityClass] = []
    sids: list[str] = []
    for line in text.splitlines():
        match line.split():
            case ["class", name, *permissions]:
                classes.append(SecurityClass(name, tuple(permissions)))
            case ["sid", name]:
                sids.append(name)
            case _:
                raise ValueError(f"not a line of an ABI table: {line!r}")
    return Abi(tuple(classes), tuple(sids), version)


def version_numbers(version: str) -> tuple[int, ...]:
    """The leading numbers of a Xen version: (4, 17, 7) of "4.17.7-pre"; empty when there are none."""
    numbers: list[int] = []
    for part in version.split("."):
        digits = part[: len(part) - len(part.lstrip("0123456789"))]
        if not digits.isascii() or not 0 < len(digits) < 10:
            break
        numbers.append(int(digits))
        if digits != part:
            break
    return tuple(numbers)


def _has_duplicates(names: Iterable[str]) -> bool:
    listed = tuple(names)
    return len(set(listed)) != len(listed)
