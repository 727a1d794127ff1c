"""The sections of an EFI program, by name (PE/COFF specification, sections 3 and 4)."""

from __future__ import annotations

from struct import Struct, error

_HEADER_PLACE = Struct("<60xI")
_COFF = Struct("<4sHH12xHH")  # signature, machine, sections, ..., size of the optional header, flags
_SECTION_SIZE = 40
_MAX_SECTIONS = 256


def section_names(program: bytes) -> frozenset[str]:
    """The names of the sections; none when it is no PE file, as a compressed or ELF hypervisor is not."""
    try:
        (place,) = _HEADER_PLACE.unpack_from(program)
        signature, _, count, optional_size, _ = _COFF.unpack_from(program, place)
    except error:
        return frozenset()
    if not program.startswith(b"MZ") or signature != b"PE\0\0":
        return frozenset()
    table = place + _COFF.size + optional_size
    starts = range(table, table + min(count, _MAX_SECTIONS) * _SECTION_SIZE, _SECTION_SIZE)
    return frozenset(program[start : start + 8].rstrip(b"\0").decode("ascii", "replace") for start in starts)
