"""PXELINUX, iPXE, ImageBuilder and device trees: what polpkg writes there, and what it says."""

import struct

import pytest
from device_trees import fdt, module
from hypervisors import build_hypervisor
from hypothesis import given
from hypothesis import strategies as st

from polpkg.targets.apply import apply_plan
from polpkg.targets.boot.built_in import BuiltInBootPath
from polpkg.targets.boot.configurations import with_block, without_block
from polpkg.targets.boot.device_tree import DeviceTreeBootPath
from polpkg.targets.boot.fdt import read_tree
from polpkg.targets.boot.imagebuilder import ImageBuilderBootPath, read_values
from polpkg.targets.boot.ipxe import IpxeBootPath
from polpkg.targets.boot.path import Served, why_not_enforced
from polpkg.targets.boot.placing import find_boot_path
from polpkg.targets.boot.pxelinux import PxelinuxBootPath, read_menu
from polpkg.targets.boot.set_up import with_boot_set_up
from polpkg.targets.confirm import plan_confirmation
from polpkg.targets.plan import compute_plan
from polpkg.targets.present import read_present
from polpkg.targets.probe import find_hypervisors
from polpkg.targets.verify import verify_files

SERVED = Served("/boot/xen-4.17.gz", "0" * 64, "4.17.7", "/boot/xenpolicy-4.17", "1" * 64)
XEN = "/x86/xen-4.17.gz"
POLICY = "/x86/xenpolicy-4.17"
PXE = "/pxelinux.cfg/default"
LABELS = """DEFAULT xen
PROMPT 0
LABEL local
  LOCALBOOT 0
LABEL xen
  KERNEL mboot.c32
  APPEND x86/xen-4.17.gz dom0_mem=1G --- x86/vmlinuz ro root=/dev/nfs --- x86/initrd.img
"""


def told(boot_path, tree, served=(SERVED,)):
    return [(each.code, each.path) for each in boot_path.inspect(tree, served)]


@pytest.fixture
def net(tree):
    """A tree that a TFTP server gives to other machines."""
    for name in (XEN, "/x86/vmlinuz", "/x86/initrd.img"):
        tree.write(name, name.encode())
    tree.write(PXE, LABELS.encode())
    return tree


@pytest.fixture
def install(net, make):
    def apply(text):
        boot = make.boot_file(POLICY, XEN)
        state = with_boot_set_up(net, make.wanted(text, artifacts=[make.artifact(text, boot_files=[boot])]))
        plan = compute_plan(state, read_present(net, state))
        apply_plan(net, plan, state, created=make.CREATED)
        return plan

    return apply


def confirm(target):
    plan, state = plan_confirmation(target)
    apply_plan(target, plan, state)


def drift(tree):
    """All that is found, but for the hypervisor, which is none."""
    return [(each.kind.value, each.path) for each in verify_files(tree) if each.path != XEN]


def test_hypervisors_of_a_tree_that_is_no_system(tree):
    tree.write("/pxe/xen-4.17.gz", build_hypervisor("4.17"))
    tree.write("/xen", build_hypervisor("4.17"))
    tree.write("/var/tmp/xen", build_hypervisor("4.17"))
    assert [each.path for each in find_hypervisors(tree)] == ["/pxe/xen-4.17.gz", "/xen"]
    assert find_boot_path("/pxe/xen-4.17.gz") == "/pxe/xenpolicy-4.17"
    for name in ("usr/a", "bin/a", "etc/a"):
        tree.write(f"/{name}", b"")
    assert find_hypervisors(tree) == (), "in a system, only /boot counts"


def test_pxelinux_gets_an_entry_with_the_policy_last(net, install):
    install("one")
    text = net.read(PXE).decode()
    assert text.startswith(LABELS), "what somebody wrote stays"
    menu = read_menu(text)
    assert menu.chosen.name == "polpkg-xen-4.17"
    assert menu.chosen.modules == [
        "x86/xen-4.17.gz dom0_mem=1G xsm=flask flask=enforcing",
        "x86/vmlinuz ro root=/dev/nfs",
        "x86/initrd.img",
        "x86/xenpolicy-4.17",
    ]
    assert drift(net) == []
    assert install("one").is_empty


def test_pxelinux_gets_an_entry_with_the_confirmed_policy(net, install):
    install("one")
    confirmed = net.read(POLICY)
    confirm(net)
    install("two")
    menu = read_menu(net.read(PXE).decode())
    assert [label.name for label in menu.labels] == ["local", "xen", "polpkg-xen-4.17", "polpkg-xen-4.17-confirmed"]
    assert menu.labels[-1].modules[-1] == "x86/polpkg-confirmed-4.17"
    assert menu.chosen.name == "polpkg-xen-4.17"
    assert net.read("/x86/polpkg-confirmed-4.17") == confirmed
    assert len({label.name for label in menu.labels}) == 4, "every entry has a name of its own"
    assert drift(net) == []


def test_pxelinux_is_mended_and_left(net, install):
    install("one")
    net.write(PXE, LABELS.encode())
    assert drift(net) == [("changed", PXE)]
    install("one")
    assert "polpkg-xen" in net.read(PXE).decode()
    # When the entry that boots Xen goes, so does what was made of it.
    ours = net.read(PXE).decode()
    net.write(PXE, ours.replace("x86/xen-4.17.gz dom0_mem=1G ---", "x86/other.gz ---", 1).encode())
    install("one")
    assert net.read(PXE) == LABELS.replace("x86/xen-4.17.gz dom0_mem=1G ---", "x86/other.gz ---").encode()


@pytest.mark.parametrize(
    ("before", "default"),
    [
        ("DEFAULT local", "local"),  # somebody's own choice stays, and is told
        ("DEFAULT menu.c32", "menu.c32"),
        ("", "polpkg-xen-4.17"),
    ],
)
def test_pxelinux_default(net, install, before, default):
    text = LABELS.replace("DEFAULT xen\n", before + "\n")
    if "local" not in before:
        text = text.replace("LABEL local\n  LOCALBOOT 0\n", "")
    net.write(PXE, text.encode())
    install("one")
    menu = read_menu(net.read(PXE).decode())
    assert menu.default == default
    assert (menu.chosen.name == "local") is (default == "local")
    codes = told(PxelinuxBootPath(), net, [served(net)])
    assert codes == ([("boot-default-other", PXE)] if default == "local" else [])


def served(net, content=b"p"):
    return Served(XEN, "0" * 64, "4.17.7", POLICY, "1" * 64, content=net.read(POLICY) if net.stat(POLICY) else content)


@pytest.mark.parametrize("word", ["flask=permissive", "flask=late", "flask=enforce"])
def test_a_mode_that_somebody_set_stays_and_is_told(net, install, word):
    net.write(PXE, LABELS.replace("dom0_mem=1G", word).encode())
    install("one")
    assert f"{word} xsm=flask ---" in net.read(PXE).decode()
    (found,) = PxelinuxBootPath().inspect(net, [served(net)])
    assert found.is_wrong
    assert word in found.message


def test_words_of_flask():
    assert why_not_enforced(["xsm=flask", "flask=enforcing"], "4.22") == ""
    assert "panics on flask=enforce" in why_not_enforced(["xsm=flask", "flask=enforce"], "4.22")
    assert "linked in" in why_not_enforced(["xsm=flask", "flask=enforcing", "flask=late"], "4.17")
    assert why_not_enforced(["flask=enforcing"], "4.17") == "Xen is not told xsm=flask"
    assert why_not_enforced(["flask=enforcing"], "4.8.5") == ""


def test_a_server_on_a_system_is_left_alone(tree):
    path = "/srv/tftp/pxelinux.cfg/default"
    tree.write(path, b"LABEL xen\n KERNEL mboot.c32\n APPEND xen-4.17.gz dom0_mem=1G --- vmlinuz ro --- initrd.img\n")
    assert told(PxelinuxBootPath(), tree) == [("pxelinux-without-policy", path)]
    message = next(iter(PxelinuxBootPath().inspect(tree, (SERVED,)))).message
    assert "--- xenpolicy-" in message
    assert PxelinuxBootPath().set_up(tree, (SERVED,)).files == {}
    tree.write(
        path, b"LABEL xen\n KERNEL mboot.c32\n APPEND xen-4.17.gz --- vmlinuz --- initrd.img --- xenpolicy-4.17\n"
    )
    assert told(PxelinuxBootPath(), tree) == []
    tree.write(path, b"DEFAULT linux\nAPPEND initrd=initrd.img root=/dev/sda\n")
    assert told(PxelinuxBootPath(), tree) == []


SCRIPT = """#!ipxe
kernel x86/xen-4.17.gz dom0_mem=1G || shell
module --name kernel x86/vmlinuz ro
initrd x86/initrd.img
boot
"""


def test_ipxe_gets_a_script_of_its_own(net, install):
    net.write("/boot.ipxe", SCRIPT.encode())
    plan = install("one")
    assert any("chain polpkg.ipxe" in note for note in plan.notes)
    assert any("give it the file unpacked" in note for note in plan.notes), "iPXE does not decompress"
    assert net.read("/polpkg.ipxe").decode().splitlines() == [
        "#!ipxe",
        "# Written by polpkg, and made again with every change.",
        "imgfree",
        "kernel x86/xen-4.17.gz dom0_mem=1G xsm=flask flask=enforcing",
        "module x86/vmlinuz ro",
        "module x86/initrd.img",
        "module x86/xenpolicy-4.17",
        "boot",
    ]
    assert told(IpxeBootPath(), net, [served(net)]) == [("ipxe-not-chained", "/boot.ipxe")]
    net.write("/boot.ipxe", SCRIPT.replace("#!ipxe", "#!ipxe\nchain polpkg.ipxe ||").encode())
    assert told(IpxeBootPath(), net, [served(net)]) == []
    assert not any("chain" in note for note in install("two").notes)


def test_ipxe_falls_back_when_the_policy_cannot_be_fetched(net, install):
    net.write("/boot.ipxe", SCRIPT.encode())
    install("one")
    confirm(net)
    install("two")
    lines = net.read("/polpkg.ipxe").decode().splitlines()
    assert "module x86/xenpolicy-4.17 || goto confirmed" in lines
    assert lines.index(":confirmed") < lines.index("module x86/polpkg-confirmed-4.17")
    assert drift(net) == []


def test_ipxe_on_a_system_is_told(tree):
    path = "/srv/tftp/boot.ipxe"
    tree.write(path, b"#!ipxe\nkernel http://h/xen.gz dom0_mem=1G\nmodule vmlinuz\nmodule initrd\nboot\n")
    assert told(IpxeBootPath(), tree) == [("ipxe-without-policy", path)]
    tree.write(path, b"#!ipxe\nkernel xen.gz\nmodule vmlinuz\nmodule initrd\nmodule xenpolicy-4.17\nboot\n")
    assert told(IpxeBootPath(), tree) == []


CONFIG = """MEMORY_START="0x0"
XEN="x86/xen-4.17.gz"
XEN_CMD="console=dtuart dom0_mem=1G"   # as on the board
DOM0_KERNEL="Image"
NUM_DOMUS=1
UBOOT_SOURCE="boot.source"
UBOOT_SCRIPT="boot.scr"
"""


def sourced(text, *names):
    """What the shell makes of a configuration."""
    import subprocess

    words = "".join(f'echo "${name}"\n' for name in names)
    done = subprocess.run(["sh", "-euc", f"{text}\n{words}"], capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


def test_imagebuilder_gets_the_policy_and_the_options(net, install):
    net.write("/config", CONFIG.encode())
    plan = install("one")
    text = net.read("/config").decode()
    assert text.startswith(CONFIG)
    assert sourced(text, "XEN_POLICY", "XEN_CMD") == [
        "x86/xenpolicy-4.17",
        "console=dtuart dom0_mem=1G xsm=flask flask=enforcing",
    ]
    assert any("run it again" in note for note in plan.notes)
    assert [code for code, _ in told(ImageBuilderBootPath(), net, [served(net)])] == ["imagebuilder-command"]
    assert drift(net) == []
    assert install("one").is_empty


def test_imagebuilder_gets_a_second_script(net, install):
    net.write("/config", CONFIG.encode())
    install("one")
    confirm(net)
    install("two")
    text = net.read("/polpkg-confirmed-config").decode()
    assert sourced(text, "XEN_POLICY", "UBOOT_SCRIPT") == ["x86/polpkg-confirmed-4.17", "polpkg-confirmed-boot.scr"]
    assert sourced(net.read("/config").decode(), "XEN_POLICY", "UBOOT_SCRIPT") == ["x86/xenpolicy-4.17", "boot.scr"]
    assert drift(net) == []


def test_imagebuilder_without_a_command_line_is_told(net, install):
    net.write("/config", CONFIG.replace("XEN_CMD=", "OTHER=").encode())
    assert any("no XEN_CMD" in note for note in install("one").notes)
    assert sourced(net.read("/config").decode() + "\n: ${XEN_CMD:=none}", "XEN_CMD") == ["none"]


def test_imagebuilder_in_boot(tree):
    path = "/boot/config"
    tree.write("/boot/xen-4.17.gz", b"xen")
    tree.write(path, b'MEMORY_START="0x0"\nXEN="xen-4.17.gz"\nDOM0_KERNEL="Image"\nNUM_DOMUS=1\n')
    assert ("imagebuilder-policy", path) in told(ImageBuilderBootPath(), tree)
    tree.write(path, b'XEN="xen-4.17.gz"\nDOM0_KERNEL="Image"\nXEN_POLICY="xenpolicy-4.17"\nXEN_CMD="flask=late"\n')
    assert ("imagebuilder-policy", path) not in told(ImageBuilderBootPath(), tree), "the block says it after that"
    tree.write(path, b"CONFIG_XEN=y\n")
    assert told(ImageBuilderBootPath(), tree) == []


def test_values_of_a_configuration():
    text = "A=1\nexport B='two words' # c\n# C=3\nD=\"x\nE[0]=5\nA=2\n"
    assert read_values(text) == {"A": "2", "B": "two words", "D": '"x'}


BYTES = st.lists(st.sampled_from(["a", "# c", "", "  x=1", "b\r"])).map("\n".join)


@given(BYTES, st.lists(st.sampled_from(["one", "two"]), max_size=3), st.booleans())
def test_a_block_comes_and_goes(text, lines, ends):
    text += "\n" if ends else ""
    once = with_block(text, lines).decode("latin-1")
    assert with_block(once, lines).decode("latin-1") == once
    assert without_block(once) in (text, text + "\n")
    assert with_block(once, []) in (text.encode(), f"{text}\n".encode())


def reg(address, size):
    return struct.pack(">4I", 0, address, 0, size)


def test_device_trees(tree):
    tree.write("/boot/dtb/a.dtb", fdt(("domU1", module("xen,domain"))))
    tree.write("/boot/dtb/b.dtb", fdt(("module@1", module("xen,xsm-policy multiboot,module", reg=reg(1, 9)))))
    tree.write("/boot/dtb/c.dtb", fdt(("x", module("arm,foundation"))))
    assert told(DeviceTreeBootPath(), tree, [SERVED._replace(content=b"123456789")]) == [
        ("device-tree-without-policy", "/boot/dtb/a.dtb"),
        ("device-tree-policy", "/boot/dtb/b.dtb"),
    ]


@pytest.mark.parametrize(
    ("node", "code"),
    [
        (module("xen,xsm-policy multiboot,module", reg=reg(1, 8)), "device-tree-too-small"),
        (module("xen,xsm-policy multiboot,module"), "device-tree-no-place"),
        (module("xen,xsm-policy", reg=reg(1, 9)), "device-tree-no-module"),
        (module("xen,xsm-policy multiboot,module", **{"xen,uefi-binary": b"old\0"}), "device-tree-other-policy"),
        (module("xen,xsm-policy multiboot,module", **{"xen,uefi-binary": b"xenpolicy-4.17\0"}), None),
    ],
)
def test_a_node_that_the_policy_does_not_fit(tree, node, code):
    tree.write("/boot/a.dtb", fdt(("module@1", node)))
    found = list(DeviceTreeBootPath().inspect(tree, [SERVED._replace(content=b"123456789")]))
    assert [(each.code, each.is_wrong) for each in found] == ([(code, True)] if code else [])


def test_a_damaged_device_tree_is_told(tree):
    whole = fdt(("domU1", module("xen,domain")))
    for cut in range(0, len(whole), 7):
        with pytest.raises(ValueError, match=r"."):
            read_tree(whole[:cut] if cut < 100 else whole[:60] + b"\xff" * 4 + whole[64:])
    tree.write("/boot/a.dtb", b"\xd0\x0d\xfe\xedxen,domain\0multiboot,kernel\0")
    assert told(DeviceTreeBootPath(), tree) == [("device-tree-damaged", "/boot/a.dtb")]


@given(st.binary(max_size=200), st.integers(0, 150))
def test_no_bytes_break_the_reader_of_device_trees(noise, place):
    whole = fdt(("module@1", module("xen,xsm-policy multiboot,module", reg=reg(1, 9))))
    try:
        read_tree(whole[:place] + noise + whole[place + len(noise) :])
    except ValueError:
        return


def test_a_policy_that_is_linked_in(tree):
    tree.write(SERVED.hypervisor, build_hypervisor("4.17", built_in_policy=True))
    assert told(BuiltInBootPath(), tree) == [("built-in-policy", SERVED.hypervisor)]
    tree.write(SERVED.hypervisor, build_hypervisor("4.17"))
    assert told(BuiltInBootPath(), tree) == []
    tree.write("/boot/xen-4.17.config", b"CONFIG_XSM=y\nCONFIG_XSM_FLASK_POLICY=y\n")
    assert told(BuiltInBootPath(), tree) == [("built-in-policy", SERVED.hypervisor)]
    tree.write("/boot/xen-4.17.config", b"# CONFIG_XSM_FLASK_POLICY is not set\n")
    assert told(BuiltInBootPath(), tree) == []


def test_boot_paths_ask_once_what_is_there(tree, make):
    """A host answers over a wire, and GRUB's folder has hundreds of modules."""
    for number in range(200):
        tree.write(f"/boot/grub/i386-pc/{number}.mod", b"")
    tree.write("/boot/xen-4.17.gz", b"xen")
    tree.write("/boot/config-6.1", b"CONFIG_XEN=y\n")
    asked = []
    for name in ("stat", "list", "read_link", "read"):
        method = getattr(tree, name)
        setattr(tree, name, lambda path, name=name, method=method: (asked.append((name, path)), method(path))[1])
    boot = make.boot_file("/boot/xenpolicy-4.17", "/boot/xen-4.17.gz")
    with_boot_set_up(tree, make.wanted("one", artifacts=[make.artifact("one", boot_files=[boot])]))
    assert len(asked) < 40
    assert not [path for _, path in asked if "/grub/i386-pc" in path]
