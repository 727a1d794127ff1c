"""Hypervisor files for tests, made here: small, but with what polpkg reads laid out as Xen's build lays it out.

    from hypervisors import build_hypervisor        # pytest puts tests/ on the path (pyproject.toml)

    (root / "boot").mkdir()
    (root / "boot/xen-4.17-amd64.gz").write_bytes(build_hypervisor("4.17"))
    build_hypervisor("4.22.0", container="pe")      # also: gz, elf32, elf64, pe, image
    build_hypervisor(some_abi, flask=False)         # a build without FLASK

They hold no code and boot nowhere.
"""

from __future__ import annotations

import gzip
import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from polpkg.policy.abi import Abi, load_abi

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

X86_BASE = 0xFFFF82D040200000
ARM_BASE = 0x00000A0000000000
PAGE = 4096
CONTAINERS = ("gz", "elf32", "elf64", "pe", "image")
POLICY = struct.pack("<II", 0xF97CFF8C, 8) + b"XenFlask" + struct.pack("<4I", 30, 1, 8, 7)


def build_hypervisor(
    abi: Abi | str,
    *,
    container: str = "gz",
    flask: bool = True,
    banner: str = "efi",
    built_in_policy: bool = False,
    class_order: Sequence[int] = (),
    after_sids: Sequence[str] = ("NONE", "SYSIO"),
) -> bytes:
    """A hypervisor file with this ABI, whose version is that of the ABI.

    `container`: one of `CONTAINERS`.  `banner`: how it tells its version: "efi", "text" or "" for not at all.
    `class_order`: class numbers in the order of the permission table (Xen's is not that of the numbers).
    `after_sids`: names that an unrelated array, right behind that of the initial SIDs, holds.
    """
    table = load_abi(abi) if isinstance(abi, str) else abi
    memory = _Memory(ARM_BASE if container == "image" else X86_BASE)
    memory.add(_image_header() if container == "image" else b"\x90" * 64)
    memory.add(b"Xen version %d.%d%s (%s@%s) (%s) %s %s\n\0")
    memory.add(_banner(banner, table.version))
    if flask:
        memory.add(b"<6>Flask:  Starting in enforcing mode.\n\0")
        _add_tables(memory, table, class_order or range(len(table.classes), 0, -1), after_sids)
    if built_in_policy:
        memory.add(POLICY, align=8)
    memory.add(b"the end\0", align=PAGE)
    return _wrap(bytes(memory.data), container)


@dataclass
class _Memory:
    """What lies in memory from `base` on."""

    base: int
    data: bytearray = field(default_factory=bytearray)

    def add(self, piece: bytes, align: int = 1) -> int:
        """The address of `piece`, put at the next multiple of `align`."""
        self.data += b"\0" * (-len(self.data) % align)
        address = self.base + len(self.data)
        self.data += piece
        return address

    def add_names(self, names: Iterable[str]) -> dict[str, int]:
        """The addresses of literals; one that another ends with is merged into it, as linkers do."""
        addresses: dict[str, int] = {}
        for name in sorted(set(names), key=len, reverse=True):
            longer = next((known for known in addresses if known.endswith(name)), None)
            if longer is None:
                addresses[name] = self.add(name.encode() + b"\0")
            else:
                addresses[name] = addresses[longer] + len(longer) - len(name)
        return addresses


def _add_tables(memory: _Memory, abi: Abi, class_order: Iterable[int], after_sids: Sequence[str]) -> None:
    permissions = {p for c in abi.classes for p in c.permissions}
    names = memory.add_names({"null", *permissions, *(c.name for c in abi.classes), *abi.initial_sids, *after_sids})
    rows = [
        struct.pack("<HHIQ", number, 0, 1 << bit, names[permission])
        for number in sorted(class_order, key=lambda n: n != 1)
        for bit, permission in enumerate(abi.classes[number - 1].permissions)
    ]
    perms = memory.add(b"".join(rows), align=32)
    sids = [names[name] for name in ("null", *abi.initial_sids, *after_sids)]
    memory.add(struct.pack(f"<{len(sids)}Q", *sids), align=32)
    classes = [names[name] for name in ("null", *(c.name for c in abi.classes))]
    class_table = memory.add(struct.pack(f"<{len(classes)}Q", *classes), align=PAGE)
    memory.add(struct.pack("<QIIQ", perms, len(rows), len(classes), class_table), align=32)


def _banner(kind: str, version: str) -> bytes:
    if kind == "efi":
        return f"Xen {version} (c/s git:0123abc) EFI loader\r\n\0".encode("utf-16-le")
    return f" Xen {version}\n\0".encode() if kind == "text" else b""


def _image_header() -> bytes:
    """The arm64 header: code that spells MZ, and the magic number at 56."""
    return b"MZ\0\x91" + bytes(52) + b"ARM\x64" + bytes(4)


def _wrap(memory: bytes, container: str) -> bytes:
    match container:
        case "gz":
            return gzip.compress(_elf32(memory), 1, mtime=0)
        case "elf32":
            return _elf32(memory)
        case "elf64":
            return _elf64(memory)
        case "pe":
            return _pe(memory)
        case "image":
            return memory
    raise ValueError(container)


def _elf32(memory: bytes) -> bytes:
    """As Xen's mkelf32 writes it: one segment at its physical address."""
    start = 128
    ident = b"\x7fELF\x01\x01\x01".ljust(16, b"\0")
    header = ident + struct.pack("<HHIIIIIHHHHHH", 2, 3, 1, 0x200000, 52, 0, 0, 52, 32, 1, 0, 0, 0)
    segment = struct.pack("<8I", 1, start, 0x200000, 0x200000, len(memory), len(memory) + PAGE, 7, 64)
    return (header + segment).ljust(start, b"\0") + memory


def _elf64(memory: bytes) -> bytes:
    """As ld writes xen-syms, but with two segments and their order in the file turned round."""
    half = len(memory) // 2 // PAGE * PAGE
    parts = [(half, memory[half:]), (0, memory[:half])]
    ident = b"\x7fELF\x02\x01\x01".ljust(16, b"\0")
    header = ident + struct.pack("<HHIQQQIHHHHHH", 2, 62, 1, 0x200000, 64, 0, 0, 64, 56, 2, 0, 0, 0)
    offset, table, body = 0x8000, b"", b""
    for address, part in parts:
        table += struct.pack(
            "<IIQQQQQQ", 1, 7, offset + len(body), X86_BASE + address, address, len(part), len(part), 0
        )
        body += part
    return (header + table).ljust(offset, b"\0") + body


def _pe(memory: bytes) -> bytes:
    """As ld writes xen.efi: sections that lie closer in the file than in memory, and debug sections."""
    rva, half = 0x200000, len(memory) // 2 // PAGE * PAGE
    debug = b"null\0settime\0" * 8
    sections = [
        (b".rodata", rva, memory[:half], 0x40000040),
        (b".data", rva + half, memory[half:], 0xC0000040),
        (b"/4", rva + len(memory), debug, 0x42000040),
    ]
    optional = struct.pack("<H22xQ", 0x20B, X86_BASE - rva).ljust(240, b"\0")
    coff = b"PE\0\0" + struct.pack("<HHIIIHH", 0x8664, len(sections), 0, 0, 0, len(optional), 0x206)
    start, offset = 0x40, 0x408
    table, body = b"", b""
    for name, address, data, flags in sections:
        table += struct.pack("<8sIIII12xI", name, len(data), address, len(data), offset + len(body), flags)
        body += data + bytes(-len(data) % 32)
    header = b"MZ".ljust(60, b"\0") + struct.pack("<I", start) + coff + optional + table
    return header.ljust(offset, b"\0") + body
