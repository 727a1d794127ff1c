"""Machines of many kinds, and what is proposed for each."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sysfs_trees import MEMORY, MEMORY_64, PORTS, Card, add_disk, build_sysfs

from polpkg.errors import TargetError, UsageError
from polpkg.targets.devices.contexts import object_contexts
from polpkg.targets.devices.function import Address, PciFunction, Span, parse_address
from polpkg.targets.devices.proposal import propose
from polpkg.targets.devices.sysfs import Machine, parse_lspci, read_machine
from polpkg.targets.tree import open_tree

NIC, DISK, BRIDGE, USB, SOUND = 0x020000, 0x010601, 0x060400, 0x0C0330, 0x040300


def machine(root, cards, **facts):
    """The machine that a tree of these cards shows."""
    return read_machine(open_tree(str(build_sysfs(root, cards, **facts))))


def given_to(found):
    """Addresses by package."""
    return {str(a.function.address): a.package for a in propose(found).assignments}


def codes(found):
    """The codes of what is said about a machine."""
    return [finding.code for finding in propose(found).findings]


def test_a_function_is_read_with_all_that_labels_need(tmp_path):
    bars = (
        (0xF7C00000, 0xF7C1FFFF, MEMORY),
        (0, 0, 0),
        (0xE000, 0xE01F, PORTS),
        (0x3FC0000000, 0x3FC00FFFFF, MEMORY_64),
    )
    card = Card(NIC, 16, bars, 7, "e1000e", vendor=0x8086, device=0x1533)
    (function,) = machine(tmp_path, {"0000:03:00.0": card}).functions
    assert function == PciFunction(
        Address(0, 3, 0, 0),
        NIC,
        0x8086,
        0x1533,
        "e1000e",
        16,
        uses_msi=False,
        ports=(Span(0xE000, 0xE01F),),
        memory=(Span(0xF7C00000, 0xF7C1FFFF), Span(0x3FC0000000, 0x3FC00FFFFF)),
        group=7,
    )
    assert list(object_contexts(function, "C")) == [
        "pcidevicecon 0x300 C",
        "pirqcon 16 C",
        "iomemcon 0xf7c00-0xf7c1f C",
        "iomemcon 0x3fc0000-0x3fc00ff C",
        "ioportcon 0xe000-0xe01f C",
    ]


def test_two_bars_in_one_page_are_labelled_once():
    function = PciFunction(Address(0, 0, 3, 1), NIC, 0, 0, memory=(Span(0x1000, 0x10FF), Span(0x1800, 0x2FFF)))
    assert list(object_contexts(function, "C")) == ["pcidevicecon 0x19 C", "iomemcon 0x1-0x2 C"]


def test_network_and_storage_go_to_their_driver_domains(tmp_path):
    cards = {
        "0000:00:1f.0": Card(0x060100, group=1),
        "0000:01:00.0": Card(NIC, 16, group=2),
        "0000:02:00.0": Card(DISK, 17, group=3),
        "0000:03:00.0": Card(0x010802, 18, group=4),
        "0000:04:00.0": Card(SOUND, 19, group=5),
    }
    found = machine(tmp_path, cards)
    assert given_to(found) == {"0000:01:00.0": "netdom", "0000:02:00.0": "stordom", "0000:03:00.0": "stordom"}
    assert codes(found) == []


@pytest.mark.parametrize("layers", [0, 1, 2])
def test_the_controller_of_the_boot_disk_stays(tmp_path, layers):
    cards = {"0000:00:17.0": Card(DISK, 16, group=1, disks=("sda",)), "0000:02:00.0": Card(DISK, 17, group=2)}
    names = ["sda", "dm-0", "dm-1"][: layers + 1]
    boot = "8:0" if not layers else f"253:{layers - 1}"
    root = build_sysfs(tmp_path, cards, boot=boot)
    for number, (below, name) in enumerate(pairwise(names)):
        add_disk(root, name, f"devices/virtual/block/{name}", f"253:{number}", (below,))
    found = read_machine(open_tree(str(root)))
    assert given_to(found) == {"0000:02:00.0": "stordom"}
    assert codes(found) == ["boot-disk"]


def test_the_boot_disk_is_found_by_the_name_of_its_volume(tmp_path):
    root = build_sysfs(tmp_path, {"0000:00:17.0": Card(DISK, 16, group=1, disks=("sda",))}, boot="0:25")
    add_disk(root, "dm-0", "devices/virtual/block/dm-0", "253:0", ("sda",), "vg-root")
    (root / "proc/self/mountinfo").write_text("22 1 0:25 /@ / rw - btrfs /dev/mapper/vg-root rw\n")
    assert codes(read_machine(open_tree(str(root)))) == ["boot-disk"]


def test_a_group_stays_whole(tmp_path):
    cards = {
        "0000:00:1c.0": Card(BRIDGE, group=7),
        "0000:03:00.0": Card(NIC, 16, group=7),
        "0000:04:00.0": Card(USB, 17, group=7),
        "0000:05:00.0": Card(NIC, 18, group=8),
    }
    found = machine(tmp_path, cards)
    assert given_to(found) == {"0000:05:00.0": "netdom"}
    (finding,) = propose(found).findings
    assert finding.code == "group-not-whole"
    assert finding.message == (
        "IOMMU group 7 is shared by 0000:03:00.0 (network controller, netdom), "
        "0000:04:00.0 (serial bus controller, dom0)"
    )


def test_a_group_of_one_kind_goes_together(tmp_path):
    cards = {f"0000:03:00.{n}": Card(NIC, 0, group=7) for n in range(4)}
    assert set(given_to(machine(tmp_path, cards)).values()) == {"netdom"}


def test_without_groups_the_functions_of_a_device_go_together(tmp_path):
    cards = {"0000:03:00.0": Card(NIC), "0000:03:00.1": Card(SOUND), "0000:04:00.0": Card(NIC)}
    found = machine(tmp_path, cards)
    assert given_to(found) == {"0000:04:00.0": "netdom"}
    assert codes(found) == ["no-iommu", "group-not-whole"]
    assert propose(found).findings[1].message.startswith("one device is shared by 0000:03:00.0")


def test_under_xen_groups_do_not_show_and_that_is_no_missing_iommu(tmp_path):
    assert codes(machine(tmp_path, {"0000:04:00.0": Card(NIC)}, xen=True)) == ["no-groups"]


def test_a_shared_interrupt_is_refused(tmp_path):
    cards = {
        "0000:03:00.0": Card(NIC, 16, group=1),
        "0000:04:00.0": Card(USB, 16, group=2),
        "0000:05:00.0": Card(NIC, 17, group=3),
        "0000:06:00.0": Card(NIC, 17, group=4),
    }
    found = machine(tmp_path, cards)
    assert given_to(found) == {"0000:05:00.0": "netdom", "0000:06:00.0": "netdom"}
    (finding,) = propose(found).findings
    assert finding.code == "shared-irq"
    assert finding.message.startswith("interrupt 16 is shared by 0000:03:00.0 (network controller, netdom), ")


def test_an_interrupt_shared_by_two_driver_domains_is_refused(tmp_path):
    cards = {"0000:03:00.0": Card(NIC, 16, group=1), "0000:04:00.0": Card(DISK, 16, group=2)}
    found = machine(tmp_path, cards)
    assert given_to(found) == {}
    assert codes(found) == ["shared-irq"]


def test_messages_share_no_line(tmp_path):
    cards = {"0000:03:00.0": Card(NIC, 16, group=1, msi=True), "0000:04:00.0": Card(USB, 16, group=2)}
    found = machine(tmp_path, cards)
    assert given_to(found) == {"0000:03:00.0": "netdom"}
    assert codes(found) == ["line-unknown"]
    assert not any("pirqcon" in line for line in object_contexts(found.functions[0], "C"))


def test_registers_in_one_page_are_refused(tmp_path):
    cards = {
        "0000:03:00.0": Card(NIC, 16, ((0xF0000000, 0xF00000FF, MEMORY),), 1),
        "0000:04:00.0": Card(USB, 17, ((0xF0000800, 0xF00008FF, MEMORY),), 2),
    }
    found = machine(tmp_path, cards)
    assert given_to(found) == {}
    assert codes(found) == ["shared-page"]


def test_virtual_functions_need_their_physical_one(tmp_path):
    cards = {
        "0000:03:00.0": Card(NIC, 16, group=1),
        "0000:03:10.0": Card(NIC, 0, ((0x3FC0000000, 0x3FC0003FFF, MEMORY_64),), 2, physfn="0000:03:00.0"),
    }
    found = machine(tmp_path, cards)
    assert found.functions[1].parent == Address(0, 3, 0, 0)
    assert codes(found) == ["virtual-function"]


def test_a_machine_without_pci_says_what_else_there_is(tmp_path):
    with pytest.raises(TargetError) as caught:
        read_machine(open_tree(str(tmp_path)))
    assert caught.value.code == "no-pci-devices"
    assert "lspci -Dmmn" in caught.value.hint


@pytest.mark.parametrize(
    ("file", "text"), [("irq", "many"), ("class", "0xzz"), ("resource", "0x0 0x0\n"), ("resource", "x")]
)
def test_damaged_files_are_told(tmp_path, file, text):
    root = build_sysfs(tmp_path, {"0000:03:00.0": Card(NIC)})
    (root / "sys/bus/pci/devices/0000:03:00.0" / file).write_text(text)
    with pytest.raises(TargetError) as caught:
        read_machine(open_tree(str(root)))
    assert caught.value.code == "damaged-sysfs"


LSPCI = """0000:00:1f.2 "0106" "8086" "2922" -r02 -p01 "1af4" "1100"
0000:03:00.0 "0200" "8086" "10d3" "1af4" ""
"""


def test_lspci_tells_addresses_and_classes():
    found = parse_lspci(LSPCI)
    assert given_to(found) == {"0000:00:1f.2": "stordom", "0000:03:00.0": "netdom"}
    assert codes(found) == ["no-resources"]


@pytest.mark.parametrize("text", ['00:1f.2 "0106" "8086" "2922"', "nonsense", 'x "y', '0000:03:00.0 "SATA" "a" "b"'])
def test_other_text_is_no_lspci(text):
    with pytest.raises(UsageError) as caught:
        parse_lspci(text)
    assert caught.value.code == "bad-lspci"


@given(st.tuples(st.integers(0, 0xFFFF), st.integers(0, 0xFF), st.integers(0, 0x1F), st.integers(0, 7)))
def test_addresses_are_read_back(parts):
    address = Address(*parts)
    assert parse_address(str(address)) == address
    assert (address.number >> 16, address.number >> 8 & 0xFF, address.number >> 3 & 0x1F, address.number & 7) == parts


functions = st.builds(
    PciFunction,
    st.builds(Address, st.just(0), st.integers(0, 2), st.integers(0, 2), st.integers(0, 1)),
    st.sampled_from((NIC, DISK, USB, BRIDGE)),
    st.just(0),
    st.just(0),
    irq=st.integers(0, 3),
    uses_msi=st.booleans(),
    group=st.none() | st.integers(0, 2),
    has_boot_disk=st.booleans(),
)


@given(st.lists(functions, max_size=8, unique_by=lambda function: function.address))
def test_no_proposal_splits_what_belongs_together(found):
    owners = {a.function.address: a.package for a in propose(Machine(tuple(found), shows_groups=True)).assignments}
    for one in found:
        for other in found:
            if one.is_bridge or other.is_bridge:
                continue
            same_line = one.line and one.line == other.line
            key = "slot" if one.group is None else "group"
            same_group = one.group == other.group and (key == "group" or one.address.slot == other.address.slot)
            if same_line or same_group:
                assert owners.get(one.address) == owners.get(other.address)
    assert not any(f.has_boot_disk or f.is_bridge for f in found if f.address in owners)
