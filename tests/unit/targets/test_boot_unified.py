"""Unified EFI programs: sections are read and replaced, and the program is written anew with its policy."""

import struct
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polpkg.targets.apply import apply_plan
from polpkg.targets.boot.pe import (
    hypervisor_digest,
    is_signed,
    read_section,
    section_names,
    with_section,
)
from polpkg.targets.boot.set_up import inspect_boot, with_boot_set_up
from polpkg.targets.boot.xen_cfg import XenConfig
from polpkg.targets.confirm import plan_confirmation
from polpkg.targets.generations import current_generation
from polpkg.targets.plan import compute_plan
from polpkg.targets.present import read_present
from polpkg.targets.verify import verify_files

FOLDER = "/boot/efi/EFI/xen"
XEN = f"{FOLDER}/xen-4.17.efi"
POLICY = f"{FOLDER}/xenpolicy-4.17"
FALLBACK = f"{FOLDER}/polpkg-confirmed-xen-4.17.efi"
CONFIG = b"[global]\ndefault=x\n[x]\noptions=console=com1\nkernel=vmlinuz\n"
ALIGNED, IN_FILE = 0x1000, 32


def program(*sections, signed=False, room=4, magic=0x20B):
    """An EFI program with sections (name, content), and room for more headers."""
    optional = bytearray(240)
    head = 64 + 24 + len(optional)
    headers = -(-(head + (len(sections) + room) * 40) // IN_FILE) * IN_FILE
    struct.pack_into("<H", optional, 0, magic)
    struct.pack_into("<II", optional, 32, ALIGNED, IN_FILE)
    table, body = b"", b""
    for number, (name, content) in enumerate(sections, 1):
        stored = -(-len(content) // IN_FILE) * IN_FILE
        row = (name.encode(), len(content), number * ALIGNED, stored, headers + len(body), 0x40000040)
        table += struct.pack("<8s4I12xI", *row)
        body += content.ljust(stored, b"\0")
    struct.pack_into("<II", optional, 56, (len(sections) + 1) * ALIGNED, headers)
    if signed:
        struct.pack_into("<II", optional, 144, headers + len(body), 8)
        body += b"signed!!"
    coff = b"PE\0\0" + struct.pack("<HHIIIHH", 0x8664, len(sections), 0, 0, 0, len(optional), 0)
    start = b"MZ".ljust(60, b"\0") + struct.pack("<I", 64) + coff + bytes(optional) + table
    return start.ljust(headers, b"\0") + body


UNIFIED = (("text", b"\x90" * 100), (".config", CONFIG), (".kernel", b"linux" * 99), (".xsm", b"old policy"))


@pytest.fixture
def unified(tree):
    tree.write(XEN, program(*UNIFIED))
    return tree


def state_of(tree, make, text):
    record = make.boot_file(POLICY, XEN)
    digest = hypervisor_digest(tree.read(XEN))
    record = record._replace(hypervisors=tuple(h._replace(sha256=digest) for h in record.hypervisors))
    return with_boot_set_up(tree, make.wanted(text, artifacts=[make.artifact(text, boot_files=[record])]))


def install(tree, make, text):
    state = state_of(tree, make, text)
    plan = compute_plan(state, read_present(tree, state))
    apply_plan(tree, plan, state, created=make.CREATED)
    return plan


def drift(tree):
    """All that is found, but for the hypervisor, which has no tables."""
    found = [(each.kind.value, each.path) for each in verify_files(tree)]
    return [each for each in found if not each[0].startswith("hypervisor")]


def test_a_new_section_is_read_back_and_others_stay():
    before = program(*UNIFIED[:3])
    after = with_section(before, ".xsm", b"policy")
    assert read_section(after, ".xsm") == b"policy"
    assert section_names(after) == {*section_names(before), ".xsm"}
    for name, content in UNIFIED[:3]:
        assert read_section(after, name) == content
    assert with_section(after, ".xsm", b"policy") == after


def test_sections_do_not_overlap_in_memory():
    after = with_section(with_section(program(*UNIFIED), ".config", b"x" * 5000), ".xsm", b"y" * 9000)
    table = 64 + 24 + 240
    rows = sorted(struct.unpack_from("<8s4I", after, table + 40 * n)[1:3][::-1] for n in range(4))
    for (address, size), (following, _) in pairwise(rows):
        assert address + size <= following
        assert following % ALIGNED == 0
    size_of_image = struct.unpack_from("<I", after, 64 + 24 + 56)[0]
    assert rows[-1][0] + rows[-1][1] <= size_of_image


@given(st.binary(max_size=300), st.binary(max_size=300), st.binary(max_size=300))
def test_what_was_there_before_leaves_no_trace(config, first, second):
    base = with_section(program(*UNIFIED), ".config", config)
    once = with_section(with_section(base, ".xsm", first), ".xsm", second)
    assert with_section(base, ".xsm", second) == once or second == b"old policy"
    assert (read_section(once, ".xsm"), read_section(once, ".config")) == (second, config)


def test_the_same_hypervisor_has_the_same_digest():
    plain = program(*UNIFIED)
    changed = with_section(with_section(plain, ".config", b"other" * 50), ".xsm", b"new" * 500)
    assert hypervisor_digest(plain) == hypervisor_digest(changed)
    other = program(("text", b"\x91" * 100), *UNIFIED[1:])
    assert hypervisor_digest(other) != hypervisor_digest(plain)
    kernel = program(*UNIFIED[:2], (".kernel", b"linux" * 98 + b"Linux"), UNIFIED[3])
    assert hypervisor_digest(kernel) != hypervisor_digest(plain)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (program(*UNIFIED, signed=True), "signed"),
        (program(*UNIFIED[:3], room=0), "no room"),
        (program(*UNIFIED, magic=0x10B), "64-bit"),
        (b"MZ", "64-bit"),
        (b"", "64-bit"),
    ],
)
def test_programs_that_cannot_be_changed(content, reason):
    with pytest.raises(ValueError, match=reason):
        with_section(content, ".xsm", b"policy")
    assert is_signed(content) is (reason == "signed")


@given(st.binary(max_size=400), st.integers(0, 500))
def test_no_bytes_break_the_reader(noise, place):
    whole = program(*UNIFIED)
    content = whole[:place] + noise + whole[place + len(noise) :]
    section_names(content)
    hypervisor_digest(content)
    is_signed(content)
    try:
        with_section(content, ".xsm", b"policy")
    except ValueError:
        return


def test_the_program_gets_its_policy_and_has_it_enforced(unified, make):
    install(unified, make, "one")
    after = unified.read(XEN)
    assert read_section(after, ".xsm") == unified.read(POLICY)
    config = XenConfig(read_section(after, ".config"))
    assert config.value("x", "options") == "console=com1 xsm=flask flask=enforcing"
    assert config.value("x", "xsm") == "", "the section counts alone"
    assert drift(unified) == []
    assert install(unified, make, "one").is_empty
    assert current_generation(unified).generation == 1


def test_the_confirmed_policy_has_a_program_of_its_own(unified, make):
    install(unified, make, "one")
    first = unified.read(XEN)
    plan, state = plan_confirmation(unified)
    apply_plan(unified, plan, state)
    install(unified, make, "two")
    assert unified.read(XEN) != first
    assert read_section(unified.read(FALLBACK), ".xsm") == read_section(first, ".xsm")
    assert drift(unified) == []
    assert install(unified, make, "two").is_empty


def test_somebody_elses_policy_inside_is_drift_and_mended(unified, make):
    install(unified, make, "one")
    right = unified.read(XEN)
    unified.write(XEN, with_section(right, ".xsm", b"mine"))
    assert drift(unified) == [("changed", XEN)]
    install(unified, make, "one")
    assert unified.read(XEN) == right


def test_a_signed_program_is_left_and_told_of(unified, make):
    unified.write(XEN, program(*UNIFIED, signed=True))
    before = unified.read(XEN)
    plan = install(unified, make, "one")
    assert unified.read(XEN) == before
    assert any("sbsign --key KEY" in note and ".xsm=/boot" in note for note in plan.notes)
    found = inspect_boot(unified, current_generation(unified).policies)
    assert [(each.is_wrong, each.path) for each in found] == [(True, XEN)]


def test_a_signed_program_that_has_the_policy_is_right(unified, make):
    install(unified, make, "one")
    made = unified.read(XEN)
    signed = bytearray(made + b"signed!!")
    struct.pack_into("<II", signed, 64 + 24 + 144, len(made), 8)
    unified.write(XEN, bytes(signed))
    plan = install(unified, make, "one")
    assert unified.read(XEN) == bytes(signed)
    assert not any("sbsign" in note for note in plan.notes)


def test_no_room_is_told_of(unified, make):
    unified.write(XEN, program(*UNIFIED[:3], room=0))
    assert any("objcopy" in note for note in install(unified, make, "one").notes)


def test_a_configuration_beside_a_program_with_a_policy(unified, make):
    unified.write(XEN, program(UNIFIED[0], UNIFIED[3]))
    unified.write(f"{FOLDER}/xen.cfg", CONFIG)
    install(unified, make, "one")
    assert read_section(unified.read(XEN), ".xsm") == unified.read(POLICY)
    found = XenConfig(unified.read(f"{FOLDER}/xen.cfg"))
    assert found.value("x", "options").endswith("xsm=flask flask=enforcing")
    assert found.value("x", "xsm") == ""
    assert drift(unified) == []
