"""`xen.cfg`, as `xen.efi` reads it."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polpkg.targets.apply import apply_plan
from polpkg.targets.boot.pe import section_names
from polpkg.targets.boot.set_up import with_boot_set_up
from polpkg.targets.boot.xen_cfg import FALLBACK_SECTION, XenConfig, config_names
from polpkg.targets.confirm import plan_confirmation
from polpkg.targets.plan import compute_plan
from polpkg.targets.present import read_present
from polpkg.targets.verify import verify_files

FOLDER = "/boot/efi/EFI/xen"
XEN = f"{FOLDER}/xen-4.17.efi"
CONFIG = f"{FOLDER}/xen.cfg"
OPTIONS = ("xsm=flask", "flask=enforcing")
TEXT = b"""# my own
[global]
default=debian
[debian]
options=console=vga dom0_mem=512M
kernel=vmlinuz root=/dev/sda2 ro
ramdisk=initrd.img
[other]
kernel=old
"""


def program(*sections):
    """An EFI program with nothing but section headers."""
    coff = b"PE\0\0" + struct.pack("<HHIIIHH", 0x8664, len(sections), 0, 0, 0, 0, 0)
    return (
        b"MZ".ljust(60, b"\0") + struct.pack("<I", 64) + coff + b"".join(s.encode().ljust(40, b"\0") for s in sections)
    )


@pytest.fixture
def efi(tree):
    tree.write(XEN, program(".text"))
    tree.write(CONFIG, TEXT)
    return tree


def install(tree, make, text):
    boot = make.boot_file(f"{FOLDER}/xenpolicy-4.17", XEN)
    state = with_boot_set_up(tree, make.wanted(text, artifacts=[make.artifact(text, boot_files=[boot])]))
    plan = compute_plan(state, read_present(tree, state))
    apply_plan(tree, plan, state, created=make.CREATED)
    return plan


def drift(tree):
    """All that is found, but for the hypervisor, which is none."""
    return [(each.kind.value, each.path) for each in verify_files(tree) if each.path != XEN]


def config(tree):
    return XenConfig(tree.read(CONFIG))


def test_names_that_a_program_tries():
    # The example of docs/misc/efi.pandoc.
    assert list(config_names("xen-4.2-unstable.efi")) == ["xen-4.2-unstable.cfg", "xen-4.2.cfg", "xen-4.cfg", "xen.cfg"]


def test_the_section_that_boots_names_the_policy(efi, make):
    install(efi, make, "one")
    lines = efi.read(CONFIG).decode().splitlines()
    assert lines == [
        "# my own",
        "[global]",
        "default=debian",
        "[debian]",
        "options=console=vga dom0_mem=512M xsm=flask flask=enforcing",
        "kernel=vmlinuz root=/dev/sda2 ro",
        "xsm=xenpolicy-4.17",
        "ramdisk=initrd.img",
        "[other]",
        "kernel=old",
    ]
    assert drift(efi) == []
    assert install(efi, make, "one").is_empty


def test_the_configuration_changes_after_the_policy_is_there(efi, make):
    paths = [each.path for each in install(efi, make, "one").file_changes]
    assert paths.index(CONFIG) > paths.index(f"{FOLDER}/xenpolicy-4.17")


def test_a_section_for_what_was_confirmed(efi, make):
    install(efi, make, "one")
    plan, state = plan_confirmation(efi)
    apply_plan(efi, plan, state)
    confirmed = efi.read(f"{FOLDER}/xenpolicy-4.17")
    install(efi, make, "two")
    found = config(efi)
    assert found.section == "debian"
    assert found.value(FALLBACK_SECTION, "xsm") == "polpkg-confirmed-4.17"
    assert found.value(FALLBACK_SECTION, "kernel") == "vmlinuz root=/dev/sda2 ro"
    assert found.value(FALLBACK_SECTION, "options").endswith("flask=enforcing")
    assert efi.read(f"{FOLDER}/polpkg-confirmed-4.17") == confirmed
    assert drift(efi) == []


def test_somebody_elses_edit_is_drift_and_mended(efi, make):
    install(efi, make, "one")
    efi.write(CONFIG, TEXT)
    assert drift(efi) == [("changed", CONFIG)]
    install(efi, make, "one")
    assert config(efi).value("debian", "xsm") == "xenpolicy-4.17"


def test_permissive_is_left_and_told(efi, make):
    efi.write(CONFIG, TEXT.replace(b"dom0_mem=512M", b"flask=permissive"))
    plan = install(efi, make, "one")
    assert any("flask=permissive" in note for note in plan.notes)
    assert config(efi).value("debian", "options") == "console=vga flask=permissive xsm=flask"


def test_no_policy_beside_one_in_the_device_tree(efi, make):
    """Xen refuses to boot with both."""
    from device_trees import fdt, module

    efi.write(CONFIG, TEXT.replace(b"ramdisk=initrd.img", b"dtb=board.dtb"))
    efi.write(f"{FOLDER}/board.dtb", fdt(("module@1", module("xen,xsm-policy multiboot,module"))))
    plan = install(efi, make, "one")
    assert any("would not boot" in note for note in plan.notes)
    assert b"xsm=" not in efi.read(CONFIG)


def test_no_configuration_is_told(efi, make):
    efi.remove(CONFIG)
    assert any("no configuration beside it" in note for note in install(efi, make, "one").notes)


@pytest.mark.parametrize("content", [b"", b"MZ", b"\x1f\x8b", b"MZ" + b"\xff" * 100, program()])
def test_what_is_no_program_has_no_sections(content):
    assert section_names(content) == frozenset()


def test_without_a_default_the_first_counts():
    found = XenConfig(b"[a]\nkernel=one\n[b]\nkernel=two\nxsm=old\n")
    found.change("new", OPTIONS)
    assert found.content == b"[a]\nkernel=one\noptions=xsm=flask flask=enforcing\n[b]\nkernel=two\nxsm=new\n"


def test_the_section_that_is_named_counts_though_others_come_first():
    found = XenConfig(b"[a]\nkernel=one\n[global]\ndefault=b\n[b] # here\n kernel=two # a comment\n;xsm=no\n")
    assert found.value("b", "kernel") == "two"
    found.change("new", ("flask=enforcing",))
    assert found.value("b", "xsm") == "new"
    assert found.value("a", "xsm") == ""


LINES = st.sampled_from(
    [
        b"[global]",
        b"default=a",
        b"[a]",
        b"[b]",
        b"kernel=k x",
        b"options=flask=late",
        b"options=a b",
        b"xsm=x",
        b"#c",
        b"",
    ]
)


@given(st.lists(LINES, max_size=12), st.sampled_from([b"\n", b"\r\n"]), st.booleans())
def test_changing_twice_changes_once(lines, end, ends):
    content = end.join(lines) + (end if ends else b"")
    found = XenConfig(content)
    assert found.content == content
    found.change("p", OPTIONS)
    found.set_fallback("f")
    once = found.content
    again = XenConfig(once)
    again.change("p", OPTIONS)
    again.set_fallback("f")
    assert again.content == once
    boots = again.value(again.section, "kernel")
    assert not boots or again.value(again.section, "xsm") == "p"
    assert set(content.split()) - {b"xsm=x"} <= set(once.split())
