"""The sections of an EFI program, read and replaced (Microsoft's PE Format: "COFF File Header", "Optional Header",
"Section Table").

A new section goes behind all others, in the file and in memory, as `objcopy --add-section` with `--change-section-vma`
would put it (Xen's docs/misc/efi.pandoc, "Unified Xen kernel image").  The same program and the same content always
give the same bytes.
"""

from __future__ import annotations

from hashlib import sha256
from struct import Struct, error, pack_into, unpack_from
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

_HEADER_PLACE = Struct("<60xI")
_COFF = Struct("<4sHH12xHH")  # signature, machine, sections, ..., size of the optional header, flags
_SECTION = Struct("<8s4I12xI")  # name, size and address in memory, size and place in the file, ..., flags
_ALIGNMENTS = Struct("<32xII16xII")  # of sections in memory, in the file; sizes of the image and of the headers
_COUNT_PLACE = 6
_SYMBOLS_PLACE = 12
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
    others = _closed_up(layout.sections, old)
    new = _behind(program, layout, others, name, len(content))
    kept = bytearray(program[: _end(others)])
    if old is not None:
        kept[old.place : old.place + old.stored] = bytes(len(kept[old.place : old.place + old.stored]))
    tail = max(_end(layout.sections), len(kept))
    changed = kept.ljust(new.place, b"\0") + content.ljust(new.stored, b"\0") + program[tail:]
    table = b"".join(map(_packed, (*others, new)))
    changed[layout.table : layout.table + len(table)] = table
    _write_headers(changed, layout, (*others, new), moved=(tail, new.place + new.stored))
    return bytes(changed)


def hypervisor_digest(content: bytes) -> str:
    """The digest of a hypervisor file, in hex: of a unified program without its policy and its configuration.

    These change with every policy, while it stays the same hypervisor, signed or not.
    """
    layout = _layout(content)
    if layout is None or not VARIABLE_SECTIONS & {each.name for each in layout.sections}:
        return sha256(content).hexdigest()
    found = sha256()
    for each in layout.sections:
        if each.name not in VARIABLE_SECTIONS:
            found.update(f"{each.name} {each.address} {each.size}\n".encode())
            found.update(content[each.place : each.place + min(each.size, each.stored)])
    return found.hexdigest()


def _closed_up(sections: tuple[Section, ...], old: Section | None) -> tuple[Section, ...]:
    """The sections without `old`, where the one before it in the file takes its place: signatures tolerate no gaps."""
    others = [each for each in sections if each is not old]
    if old is None or not old.stored or old.place >= _end(others):
        return tuple(others)
    before = max((each for each in others if each.place <= old.place), key=lambda each: each.place, default=None)
    end = old.place + old.stored
    return tuple(
        each._replace(stored=max(each.stored, end - each.place)) if each is before else each for each in others
    )


def _behind(program: bytes, layout: _Layout, others: tuple[Section, ...], name: str, size: int) -> Section:
    """A section of `size` bytes behind all others.  Raises ValueError when there is no room for it."""
    in_memory, in_file, _, headers = _ALIGNMENTS.unpack_from(program, layout.optional)
    table_end = layout.table + (len(others) + 1) * _SECTION.size
    if table_end > min([headers, *(each.place for each in others if each.stored)]):
        raise ValueError("its headers have no room for one more section")
    address = _rounded(max((each.address + (each.size or each.stored) for each in others), default=0), in_memory)
    place = _rounded(max(headers, _end(others)), in_file)
    if not 0 < in_file <= _MAX_ALIGNMENT or address + size + in_memory > _MAX_ADDRESS or place > 2 * len(program):
        raise ValueError("its headers do not make sense")
    return Section(name, size, address, _rounded(size, in_file), place, _FLAGS)


def _write_headers(program: bytearray, layout: _Layout, sections: tuple[Section, ...], moved: tuple[int, int]) -> None:
    """What the headers say of the sections; `moved`: where what comes behind them, symbols that is, was and is."""
    in_memory = _ALIGNMENTS.unpack_from(program, layout.optional)[0]
    last = sections[-1]
    (symbols,) = unpack_from("<I", program, layout.coff + _SYMBOLS_PLACE)
    if symbols >= moved[0]:
        pack_into("<I", program, layout.coff + _SYMBOLS_PLACE, min(symbols - moved[0] + moved[1], _MAX_ADDRESS))
    pack_into("<H", program, layout.coff + _COUNT_PLACE, len(sections))
    pack_into("<I", program, layout.optional + _IMAGE_SIZE_PLACE, _rounded(last.address + last.size, in_memory))
    pack_into("<I", program, layout.optional + _CHECKSUM_PLACE, 0)  # no firmware asks for it


def _end(sections: Iterable[Section]) -> int:
    """Where, in the file, the last section ends."""
    return max((each.place + each.stored for each in sections if each.stored), default=0)


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
    return Section(name.rstrip(b"\0").decode("latin-1"), *numbers)


def _packed(section: Section) -> bytes:
    return _SECTION.pack(section.name.encode("latin-1"), *section[1:])


def _rounded(number: int, alignment: int) -> int:
    return number + -number % max(alignment, 1)
