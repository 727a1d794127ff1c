"""The sections of an EFI program, read and replaced (Microsoft's PE Format: "COFF File Header", "Optional Header",
"Section Table").

A new section goes behind all others, in the file and in memory, as `objcopy --add-section` with `--change-section-vma`
would put it (Xen's docs/misc/efi.pandoc, "Unified Xen kernel image").  The same program and the same content always
give the same bytes.
"""

from __future__ import annotations

from hashlib import sha256
from struct import Struct, error, pack_into
from typing import NamedTuple

_HEADER_PLACE = Struct("<60xI")
_COFF = Struct("<4sHH12xHH")  # signature, machine, sections, ..., size of the optional header, flags
_SECTION = Struct("<8s4I12xI")  # name, size and address in memory, size and place in the file, ..., flags
_ALIGNMENTS = Struct("<32xII16xII")  # of sections in memory, in the file; sizes of the image and of the headers
_COUNT_PLACE = 6
_IMAGE_SIZE_PLACE = 56
_CHECKSUM_PLACE = 64
_PE32_PLUS = 0x20B
_CERTIFICATES_PLACE = {0x10B: 96 + 4 * 8, _PE32_PLUS: 112 + 4 * 8}
"""Where the optional header, by its magic number, has the place and the size of the signatures."""

_FLAGS = 0x40000040  # initialized data, readable
_MAX_SECTIONS = 256
_MAX_ALIGNMENT = 1 << 16
_MAX_ADDRESS = (1 << 32) - 1

VARIABLE_SECTIONS = frozenset((".xsm", ".config"))
"""What may change in a unified program without its being another hypervisor."""


class Section(NamedTuple):
    """A section: `size` and `address` in memory, `stored` bytes at `place` in the file."""

    name: str
    size: int
    address: int
    stored: int
    place: int
    flags: int


class _Layout(NamedTuple):
    """Where things are: `coff` and `optional` headers, the `table` of sections, and what it says."""

    coff: int
    optional: int
    table: int
    sections: tuple[Section, ...]


def section_names(program: bytes) -> frozenset[str]:
    """The names of the sections; none when it is no PE file, as a compressed or ELF hypervisor is not."""
    layout = _layout(program)
    return frozenset(each.name for each in layout.sections) if layout else frozenset()


def read_section(program: bytes, name: str) -> bytes | None:
    """What is in a section; None when there is none of that name.  As Xen's `pe_find_section`: the first counts."""
    layout = _layout(program)
    found = next((each for each in layout.sections if each.name == name), None) if layout else None
    if found is None:
        return None
    content = program[found.place : found.place + min(found.size, found.stored)]
    return content.ljust(min(found.size, len(program)), b"\0")


def is_signed(program: bytes) -> bool:
    """Whether the program has signatures, which a change of any byte makes worthless."""
    layout = _layout(program)
    if layout is None:
        return False
    place = _CERTIFICATES_PLACE.get(int.from_bytes(program[layout.optional : layout.optional + 2], "little"))
    return place is not None and any(program[layout.optional + place : min(layout.optional + place + 8, layout.table)])


def with_section(program: bytes, name: str, content: bytes) -> bytes:
    """The program with a section of this content, instead of one that has the name already.

    Raises ValueError when it is no 64-bit PE program, is signed, or has no room for one more section header.
    """
    layout = _layout(program)
    if layout is None or program[layout.optional : layout.optional + 2] != _PE32_PLUS.to_bytes(2, "little"):
        raise ValueError("it is no 64-bit EFI program")
    old = next((each for each in layout.sections if each.name == name), None)
    if old is not None and read_section(program, name) == content:
        return program
    if is_signed(program):
        raise ValueError("it is signed")
    in_memory, in_file, _, headers = _ALIGNMENTS.unpack_from(program, layout.optional)
    others = tuple(each for each in layout.sections if each is not old)
    end = layout.table + (len(others) + 1) * _SECTION.size
    if end > min([headers, *(each.place for each in others if each.stored)]):
        raise ValueError("its headers have no room for one more section")
    address = _rounded(max((each.address + max(each.size, each.stored) for each in others), default=0), in_memory)
    if not 0 < in_file <= _MAX_ALIGNMENT or address + len(content) + in_memory > _MAX_ADDRESS:
        raise ValueError("its headers do not make sense")
    changed = _without(program, old)
    changed += bytes(-len(changed) % in_file)
    place = len(changed)
    changed += content + bytes(-len(content) % in_file)
    new = Section(name, len(content), address, len(changed) - place, place, _FLAGS)
    changed[layout.table : end] = b"".join((*(_row(program, layout, each) for each in others), _packed(new)))
    pack_into("<H", changed, layout.coff + _COUNT_PLACE, len(others) + 1)
    pack_into("<I", changed, layout.optional + _IMAGE_SIZE_PLACE, _rounded(address + len(content), in_memory))
    pack_into("<I", changed, layout.optional + _CHECKSUM_PLACE, 0)  # no firmware asks for it
    return bytes(changed)


def hypervisor_digest(content: bytes) -> str:
    """The digest of a hypervisor file, in hex: of a unified program without its policy and its configuration.

    These change with every policy, while it stays the same hypervisor.
    """
    layout = _layout(content)
    if layout is None or not VARIABLE_SECTIONS & {each.name for each in layout.sections}:
        return sha256(content).hexdigest()
    head = bytearray(content[: layout.table])
    pack_into("<H", head, layout.coff + _COUNT_PLACE, 0)
    if layout.table - layout.optional >= _CHECKSUM_PLACE + 4:
        pack_into("<I", head, layout.optional + _IMAGE_SIZE_PLACE, 0)
        pack_into("<I", head, layout.optional + _CHECKSUM_PLACE, 0)
    found = sha256(head)
    for each in layout.sections:
        if each.name not in VARIABLE_SECTIONS:
            found.update(_packed(each))
            found.update(content[each.place : each.place + each.stored])
    return found.hexdigest()


def _layout(program: bytes) -> _Layout | None:
    """Where the headers are; None when it is no PE file."""
    try:
        (coff,) = _HEADER_PLACE.unpack_from(program)
        signature, _, count, optional_size, _ = _COFF.unpack_from(program, coff)
        optional = coff + _COFF.size
        table = optional + optional_size
        rows = range(table, table + min(count, _MAX_SECTIONS) * _SECTION.size, _SECTION.size)
        sections = tuple(_section(_SECTION.unpack_from(program, place)) for place in rows)
    except error:
        return None
    if not program.startswith(b"MZ") or signature != b"PE\0\0":
        return None
    return _Layout(coff, optional, table, sections)


def _section(values: tuple[bytes, int, int, int, int, int]) -> Section:
    name, *numbers = values
    return Section(name.rstrip(b"\0").decode("ascii", "replace"), *numbers)


def _packed(section: Section) -> bytes:
    return _SECTION.pack(section.name.encode("ascii", "replace"), *section[1:])


def _row(program: bytes, layout: _Layout, section: Section) -> bytes:
    """The header of a section as it is, relocations and all."""
    place = layout.table + layout.sections.index(section) * _SECTION.size
    return program[place : place + _SECTION.size]


def _without(program: bytes, section: Section | None) -> bytearray:
    """The program without what is in a section: cut off at the end, zeros elsewhere."""
    changed = bytearray(program)
    if section is not None and section.stored:
        end = section.place + section.stored
        if end >= len(program):
            del changed[section.place :]
        else:
            changed[section.place : end] = bytes(section.stored)
    return changed


def _rounded(number: int, alignment: int) -> int:
    return number + -number % max(alignment, 1)
