"""Reads the ABI out of a hypervisor file, so that a policy can be made for exactly the hypervisor that will load it.

FLASK's table is compiled in as (xen/xsm/flask/include/avc_ss.h, xen/xsm/flask/avc.c)

    struct av_perm_to_string { u16 tclass; u32 value; const char *name; } av_perm_to_string[];
    const char *class_to_string[] = { "null", ... };
    const struct selinux_class_perm { av_perm_to_string; u32 av_pts_len, cts_len; class_to_string } selinux_class_perm;

and the initial SIDs (xen/xsm/flask/ss/services.c) as

    const char *initial_sid_to_string[] = { "null", ... };

The permission table is recognised by its shape: it starts with the first two permissions of class 1.  The structure
that points to it has the number of its entries next to the pointer, and the pointer tells the address that the
hypervisor is linked to, from which all other pointers follow.  Nothing depends on names, so that tables that are not
known are read as well.
"""

from __future__ import annotations

import re
from dataclasses import replace
from enum import Enum
from itertools import islice, takewhile
from pathlib import Path
from struct import Struct
from typing import TYPE_CHECKING, NamedTuple

from polpkg.errors import TargetError
from polpkg.policy.abi.catalogue import known_tables, load_abi, versions_of
from polpkg.policy.abi.image import MAX_SIZE, PAGE, Image, unpack_image
from polpkg.policy.abi.model import MAX_PERMISSIONS, Abi, SecurityClass, version_numbers

if TYPE_CHECKING:
    from collections.abc import Iterator

_PERMISSION = Struct("<HHIQ")  # class, padding, value, address of the name
_CLASS_TABLE = Struct("<QIIQ")  # selinux_class_perm
_POINTER = Struct("<Q")
_MAX_CLASSES = 1024
_MAX_SIDS = 256
_MAX_CANDIDATES = 32  # how many look-alikes of a table are followed, so that a made-up file cannot cost much time
_MAX_NUMBERS = 1 << 16  # how many places with the right number are looked at

_FIRST_PERMISSIONS = re.compile(rb"(?=\x01\0\0\0\x01\0\0\0.{8}\x01\0\0\0\x02\0\0\0)", re.DOTALL)
_XEN_MARK = b"Xen version %d.%d%s"  # xen/drivers/char/console.c, later common/version.c
_FLASK_MARK = b"Flask:  "  # begins FLASK's messages
_POLICY_MARK = b"\x8c\xff\x7c\xf9\x08\x00\x00\x00XenFlask"  # how a policydb for Xen begins
_NAME = re.compile(rb"[A-Za-z][A-Za-z0-9_]{0,63}(?=\0)")
_EFI_BANNER = re.compile(rb"X\0e\0n\0 \0((?:[!-~]\0){3,40}) \0\(\0c\0/\0s\0")  # xen/common/efi/boot.c, in UTF-16
_TEXT_BANNER = re.compile(rb"Xen (\d+\.\d+[!-~]{0,40})\n\0")  # XEN_BANNER, when the build had no figlet


class SidSource(Enum):
    """Where the initial SIDs of a `Hypervisor` come from.

    `FILE`: read from it, and confirmed by a known table.  `TABLE`: not found; those of the known table that has the
    same classes.  `UNCERTAIN`: read from a hypervisor that is not known; names may follow that are no initial SIDs,
    because the file does not say where the list ends.
    """

    FILE = "file"
    TABLE = "table"
    UNCERTAIN = "uncertain"


class Hypervisor(NamedTuple):
    """What a hypervisor file says of itself.

    `version`: "4.17.7", empty when the file does not tell.  `table`: its ABI, None without FLASK; the version in it is
    `version`, or else the oldest known one that has this table.  `containers` and `architecture`: see `Image`.
    `built_in_policy`: whether a policy is linked in (CONFIG_XSM_FLASK_POLICY), which serves when the boot loader gives
    none.  `sids`: where the initial SIDs come from, None without FLASK.
    """

    name: str
    version: str
    table: Abi | None
    containers: tuple[str, ...]
    architecture: str
    built_in_policy: bool
    sids: SidSource | None

    @property
    def flask(self) -> bool:
        """Whether it was built with XSM and FLASK."""
        return self.table is not None

    @property
    def abi(self) -> Abi:
        """Its ABI.  Raises TargetError `hypervisor-without-flask` when it has none."""
        if self.table is None:
            raise TargetError(
                "hypervisor-without-flask",
                f"{self.name} ({f'Xen {self.version}' if self.version else 'Xen'}) was built without FLASK",
                hint="no policy can take effect on it; use a hypervisor built with CONFIG_XSM_FLASK=y",
            )
        return self.table


def read_hypervisor(source: Path | str | bytes, name: str = "") -> Hypervisor:
    """Read a hypervisor file, which must have FLASK; `name` is for messages, by default the path.

    Raises TargetError: `hypervisor-without-flask`, or as `inspect_hypervisor` does.
    """
    found = inspect_hypervisor(source, name)
    return found._replace(table=found.abi)


def resolve_xen(xen: str) -> Abi:
    """The ABI that `--xen` means: of a release ("4.17"), of a full version ("4.18.3"), or of a hypervisor file.

    Raises UsageError `unknown-xen-release` when it is neither a known version nor the path of a file, and TargetError
    as `read_hypervisor` does.
    """
    is_path = "/" in xen or (not version_numbers(xen) and Path(xen).exists())
    return read_hypervisor(xen).abi if is_path else load_abi(xen)


def inspect_hypervisor(source: Path | str | bytes, name: str = "") -> Hypervisor:
    """Read a hypervisor file, with or without FLASK.

    Raises TargetError: `unreadable-hypervisor` when the file cannot be read, `not-a-hypervisor`, `damaged-hypervisor`,
    `unsupported-compression`, and `unreadable-abi` when there is FLASK but its table is not found.
    """
    if isinstance(source, bytes):
        return _inspect(source, name or "the file")
    path = Path(source)
    try:
        with path.open("rb") as file:
            data = file.read(MAX_SIZE)
    except (OSError, ValueError) as error:  # ValueError: a path with a zero byte
        reason = error.strerror if isinstance(error, OSError) else error
        raise TargetError("unreadable-hypervisor", f"{name or path} cannot be read: {reason}") from None
    return _inspect(data, name or str(path))


def _inspect(data: bytes, name: str) -> Hypervisor:
    image = unpack_image(data, name)
    memory = image.data
    if _XEN_MARK not in memory:
        raise TargetError(
            "not-a-hypervisor", f"{name} is not a Xen hypervisor", hint="it does not contain Xen's banner"
        )
    version = _find_version(memory)
    if _FLASK_MARK not in memory:
        return _without_flask(image, name, version)
    table, sids = _read_abi(memory, name)
    known = versions_of(table.fingerprint)
    table = replace(table, version=version or (known[0] if known else ""))
    return Hypervisor(name, version, table, image.containers, image.architecture, _POLICY_MARK in memory, sids)


def _without_flask(image: Image, name: str, version: str) -> Hypervisor:
    return Hypervisor(name, version, None, image.containers, image.architecture, built_in_policy=False, sids=None)


def _find_version(memory: bytes) -> str:
    if found := _EFI_BANNER.search(memory):
        return found[1].decode("utf-16-le")
    found = _TEXT_BANNER.search(memory)
    return found[1].decode("ascii") if found else ""


class _Linked(NamedTuple):
    """A hypervisor's memory and the address that it is linked to."""

    memory: bytes
    base: int

    def name_at(self, address: int) -> str | None:
        """The identifier at `address`, if one is there."""
        offset = address - self.base
        found = _NAME.match(self.memory, offset) if 0 <= offset < len(self.memory) else None
        return found[0].decode("ascii") if found else None

    def names_at(self, offset: int, limit: int) -> tuple[str, ...]:
        """The identifiers that the array of pointers at `offset` names, up to `limit` or the first that is none."""
        names: dict[str, None] = {}
        length = min(limit, (len(self.memory) - offset) // _POINTER.size)
        for (address,) in _POINTER.iter_unpack(self.memory[offset : offset + length * _POINTER.size]):
            name = self.name_at(address)
            if name is None or name in names:
                break
            names[name] = None
        return tuple(names)

    def arrays_of_names(self, known: int) -> Iterator[tuple[str, ...]]:
        """The arrays of distinct names that begin with "null", without it, but for the one at address `known`."""
        for literal in islice(_occurrences(self.memory, b"null\0"), _MAX_CANDIDATES):
            pointer = _POINTER.pack(self.base + literal)
            for offset in islice(_occurrences(self.memory, pointer), _MAX_CANDIDATES):
                if offset % _POINTER.size == 0 and offset + self.base != known:
                    yield self.names_at(offset, _MAX_SIDS)[1:]


class _Permissions(NamedTuple):
    """A table of permissions: where it is, and the address of each name by class number, in order."""

    offset: int
    length: int
    names: dict[int, list[int]]


def _read_abi(memory: bytes, name: str) -> tuple[Abi, SidSource]:
    """The ABI, and where its initial SIDs come from."""
    for permissions in islice(_find_permissions(memory), _MAX_CANDIDATES):
        for base, count, class_table in islice(_find_class_tables(memory, permissions), _MAX_CANDIDATES):
            linked = _Linked(memory, base)
            classes = _name_classes(linked, linked.names_at(class_table - base, count), permissions)
            if len(classes) == count - 1:
                return _add_sids(linked, classes, class_table, name)
    raise TargetError("unreadable-abi", f"{name} has FLASK, but its table of classes and permissions was not found")


def _find_permissions(memory: bytes) -> Iterator[_Permissions]:
    """Whatever has the shape of `av_perm_to_string`: each class once, in any order; its values double from 1."""
    for found in _FIRST_PERMISSIONS.finditer(memory):
        if found.start() % _POINTER.size == 0:
            names: dict[int, list[int]] = {}
            length = _walk_permissions(memory, found.start(), names)
            yield _Permissions(found.start(), length, names)


def _walk_permissions(memory: bytes, offset: int, names: dict[int, list[int]]) -> int:
    current, length = 0, 0
    for position in range(offset, len(memory) - _PERMISSION.size + 1, _PERMISSION.size):
        number, padding, value, address = _PERMISSION.unpack_from(memory, position)
        following = number == current and len(names[number]) < MAX_PERMISSIONS and value == 1 << len(names[number])
        starting = 0 < number < _MAX_CLASSES and number not in names and value == 1
        if padding or not (following or starting):
            break
        names.setdefault(number, []).append(address)
        current, length = number, length + 1
    return length


def _find_class_tables(memory: bytes, permissions: _Permissions) -> Iterator[tuple[int, int, int]]:
    """Link address, length and address of `class_to_string`, where a structure with the right length makes sense."""
    numbers = _occurrences(memory, Struct("<I").pack(permissions.length))
    for found in islice(numbers, _MAX_NUMBERS):
        start = found - _POINTER.size
        if start % _POINTER.size == 0 and 0 <= start <= len(memory) - _CLASS_TABLE.size:
            table, _, count, class_table = _CLASS_TABLE.unpack_from(memory, start)
            base = table - permissions.offset
            if base % PAGE == 0 and 0 <= base <= class_table and max(permissions.names) < count <= _MAX_CLASSES:
                yield base, count, class_table


def _name_classes(linked: _Linked, names: tuple[str, ...], permissions: _Permissions) -> tuple[SecurityClass, ...]:
    """The classes in order, up to the first whose permissions have no proper names; `names` begins with "null"."""
    classes: list[SecurityClass] = []
    for number, class_name in enumerate(names[1:], 1):
        addresses = permissions.names.get(number, [])
        named = tuple(filter(None, map(linked.name_at, addresses)))
        if len(set(named)) != len(addresses):
            break
        classes.append(SecurityClass(class_name, named))
    return tuple(classes)


def _add_sids(
    linked: _Linked, classes: tuple[SecurityClass, ...], class_table: int, name: str
) -> tuple[Abi, SidSource]:
    """The list has no end mark, and names of something else may follow it: a known list that it begins with decides."""
    arrays = [sids for names in linked.arrays_of_names(class_table) if (sids := _leading_sids(names))]
    same = {abi.initial_sids for abi in known_tables() if abi.classes == classes}
    for sids in same:
        if any(names[: len(sids)] == sids for names in arrays):
            return Abi(classes, sids), SidSource.FILE
    confirmed = {abi.initial_sids for abi in known_tables()}.intersection(arrays)
    if len(confirmed) == 1:
        return Abi(classes, confirmed.pop()), SidSource.FILE
    if len(arrays) == 1:
        return Abi(classes, arrays[0]), SidSource.UNCERTAIN
    if not arrays and len(same) == 1:
        return Abi(classes, same.pop()), SidSource.TABLE
    raise TargetError("unreadable-abi", f"the table of initial SIDs was not found in {name}")


def _leading_sids(names: tuple[str, ...]) -> tuple[str, ...]:
    """The names up to the first that begins with a capital: no initial SID ever did."""
    return tuple(takewhile(lambda name: name[0].islower(), names))


def _occurrences(memory: bytes, wanted: bytes) -> Iterator[int]:
    """Where `wanted` lies in `memory`, in order."""
    offset = memory.find(wanted)
    while offset >= 0:
        yield offset
        offset = memory.find(wanted, offset + 1)
