"""Booting once with `xen.efi`: what xen.cfg says meanwhile, and what the firmware is told."""

import pytest

from polpkg.errors import TargetError
from polpkg.targets.apply import apply_plan
from polpkg.targets.boot.firmware import LABEL, boot_once
from polpkg.targets.boot.path import BootOnce
from polpkg.targets.boot.set_up import with_boot_set_up
from polpkg.targets.boot.xen_cfg import FALLBACK_SECTION, XenConfig
from polpkg.targets.confirm import plan_confirmation
from polpkg.targets.host.commands import Completed
from polpkg.targets.plan import compute_plan
from polpkg.targets.present import read_present
from polpkg.targets.rollback import rollback_state
from polpkg.targets.tree import TreeTarget
from polpkg.targets.verify import verify_files

FOLDER = "/boot/efi/EFI/xen"
XEN = f"{FOLDER}/xen-4.17.efi"
CONFIG = f"{FOLDER}/xen.cfg"
TEXT = b"[global]\ndefault=debian\n[debian]\noptions=a\nkernel=vmlinuz ro\n"
VARIABLE = "/sys/firmware/efi/efivars/BootOrder-8be4df61-93ca-11d2-aa0d-00e098032b8c"
ONCE = BootOnce(XEN, "xen-4.17.efi debian")


class Firmware:
    """A host's programs: efibootmgr and those that find the partition."""

    def __init__(self):
        self.entries = {"0000": "Debian"}
        self.next = ""
        self.called = []
        self.broken = ""

    def run(self, argv, *, stdin=b"", timeout=0):
        self.called.append(list(argv))
        if argv[0] == self.broken:
            return Completed(127, b"", b"not found")
        answers = {"findmnt": b"/dev/nvme0n1p1 /boot/efi\n", "lsblk": b"nvme0n1\n", "cat": b"1\n"}
        if argv[0] in answers:
            return Completed(0, answers[argv[0]])
        options = dict(zip(argv, (*argv[1:], ""), strict=True))
        if "--delete-bootnum" in options:
            del self.entries[options["--bootnum"]]
        elif "--create-only" in options:
            self.entries["0007"] = options["--label"]
            self.created = {**options, "words": stdin}
        elif "--bootnext" in options:
            self.next = options["--bootnext"]
        head = f"BootNext: {self.next}\nBootCurrent: 0000\nBootOrder: 0000\n"
        return Completed(0, (head + "".join(f"Boot{n}* {label}\n" for n, label in self.entries.items())).encode())


@pytest.fixture
def host(root):
    """A host that runs and was started by EFI firmware."""
    target = TreeTarget(str(root))
    target.commands = Firmware()
    for path, content in ((XEN, b"MZ"), (CONFIG, TEXT), (VARIABLE, b"")):
        target.write(path, content)
    return target


def install(target, make, text):
    boot = make.boot_file(f"{FOLDER}/xenpolicy-4.17", XEN)
    return put(target, make, make.wanted(text, artifacts=[make.artifact(text, boot_files=[boot])]))


def put(target, make, state):
    state = with_boot_set_up(target, state)
    apply_plan(target, compute_plan(state, read_present(target, state)), state, created=make.CREATED)
    return state.boot


def confirm(target):
    plan, state = plan_confirmation(target)
    apply_plan(target, plan, state)


def defaults(target):
    config = XenConfig(target.read(CONFIG))
    return config.value("global", "default"), config.section


def drift(target):
    return [each.path for each in verify_files(target) if each.path != XEN]


def test_the_confirmed_policy_is_the_default_while_another_is_tried(host, make):
    assert install(host, make, "one").once == (), "there is nothing to fall back to"
    assert defaults(host) == ("debian", "debian")
    confirm(host)
    once = install(host, make, "two").once
    assert once == (ONCE,)
    assert defaults(host) == (FALLBACK_SECTION, "debian")
    config = XenConfig(host.read(CONFIG))
    assert config.value("debian", "xsm") == "xenpolicy-4.17"
    assert config.value(FALLBACK_SECTION, "xsm") == "polpkg-confirmed-4.17"
    assert drift(host) == []
    confirm(host)
    assert defaults(host) == ("debian", "debian")
    assert XenConfig(host.read(CONFIG)).value(FALLBACK_SECTION, "kernel") == "vmlinuz ro"
    assert b"boots once" not in host.read(CONFIG)
    assert drift(host) == []


def test_going_back_ends_the_trial(host, make):
    install(host, make, "one")
    confirm(host)
    install(host, make, "two")
    assert put(host, make, rollback_state(host)).once == ()
    assert defaults(host) == ("debian", "debian")


def test_a_trial_goes_on_when_the_host_is_seen_as_a_tree(host, make, root):
    install(host, make, "one")
    confirm(host)
    install(host, make, "two")
    tree = TreeTarget(str(root))
    assert drift(tree) == []
    assert install(tree, make, "three").once == ()
    assert defaults(tree) == (FALLBACK_SECTION, "debian")


def test_a_tree_begins_no_trial(tree, make):
    tree.write(XEN, b"MZ")
    tree.write(CONFIG, TEXT)
    install(tree, make, "one")
    confirm(tree)
    assert install(tree, make, "two").once == ()
    assert defaults(tree) == ("debian", "debian")


def test_without_a_default_there_is_no_trial(host, make):
    host.write(CONFIG, b"kernel=vmlinuz\n")
    install(host, make, "one")
    confirm(host)
    assert install(host, make, "two").once == ()


def test_what_the_firmware_is_told():
    firmware = Firmware()
    firmware.entries["0003"] = LABEL
    boot_once(firmware, ONCE)
    assert firmware.next == "0007"
    assert firmware.entries == {"0000": "Debian", "0007": LABEL}, "one entry, and BootOrder as it was"
    told = {key: firmware.created[key] for key in ("--disk", "--part", "--loader", "--append-binary-args", "words")}
    assert told == {
        "--disk": "/dev/nvme0n1",
        "--part": "1",
        "--loader": "\\EFI\\xen\\xen-4.17.efi",
        "--append-binary-args": "-",
        "words": "xen-4.17.efi debian\0".encode("utf-16-le"),
    }


@pytest.mark.parametrize("program", ["efibootmgr", "findmnt"])
def test_a_firmware_that_does_not_take_it(program):
    firmware = Firmware()
    firmware.broken = program
    with pytest.raises(TargetError) as caught:
        boot_once(firmware, ONCE)
    assert caught.value.code == "no-boot-once"
    assert program in caught.value.message
