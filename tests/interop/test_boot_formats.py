"""Formats of boot loaders, against those who know them: sections by binutils, device trees by dtc."""

import shutil
import subprocess
from functools import cache

import pytest
from device_trees import fdt, module

from polpkg.targets.boot.device_tree import policy_nodes
from polpkg.targets.boot.fdt import read_tree
from polpkg.targets.boot.pe import hypervisor_digest, is_signed, read_section, section_names, with_section

pytestmark = pytest.mark.interop


@cache
def can_link():
    """Whether binutils is here and knows EFI programs."""
    if not all(map(shutil.which, ("as", "ld", "objcopy", "objdump"))):
        return False
    return b"i386pep" in subprocess.run(["ld", "-V"], capture_output=True, check=False).stdout


needs_binutils = pytest.mark.skipif(not can_link(), reason="no binutils for EFI programs")
needs_dtc = pytest.mark.skipif(not shutil.which("dtc"), reason="no dtc")

BASE = 0x140000000  # what ld gives a 64-bit program
CONFIG = b"[global]\ndefault=x\n[x]\noptions=console=com1\nkernel=vmlinuz\n"


def run(*words, stdin=None):
    done = subprocess.run(list(map(str, words)), input=stdin, capture_output=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


@pytest.fixture
def unified(tmp_path):
    """A unified program as Xen's docs/misc/efi.pandoc makes it; its bytes."""
    run("as", "-o", tmp_path / "xen.o", "-", stdin=b".text\n.globl start\nstart: ret\n.data\n.quad start, 7\n")
    run("ld", "-m", "i386pep", "--subsystem=10", "-e", "start", "-s", "-o", tmp_path / "xen.efi", tmp_path / "xen.o")
    (tmp_path / "xen.cfg").write_bytes(CONFIG)
    (tmp_path / "policy").write_bytes(b"an older policy" * 40)
    adding = []
    for number, (name, file) in enumerate(((".config", "xen.cfg"), (".xsm", "policy"))):
        place = BASE + 0x1000000 + number * 0x10000
        adding += [f"--add-section={name}={tmp_path / file}", f"--change-section-vma={name}={place:#x}"]
    run("objcopy", *adding, tmp_path / "xen.efi", tmp_path / "unified.efi")
    return (tmp_path / "unified.efi").read_bytes()


def extracted(tmp_path, program, name):
    """What objcopy finds in a section."""
    (tmp_path / "program.efi").write_bytes(program)
    run("objcopy", "-O", "binary", f"--only-section={name}", tmp_path / "program.efi", tmp_path / "section")
    return (tmp_path / "section").read_bytes()


@needs_binutils
def test_sections_that_objcopy_wrote_are_read(unified):
    assert read_section(unified, ".config") == CONFIG
    assert read_section(unified, ".xsm") == b"an older policy" * 40
    assert {".config", ".xsm"} < section_names(unified)


@needs_binutils
@pytest.mark.parametrize("size", [1, 600, 70000])
def test_objcopy_reads_what_was_written(unified, tmp_path, size):
    policy = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
    changed = with_section(with_section(unified, ".config", CONFIG + b"# more\n" * 50), ".xsm", policy)
    assert extracted(tmp_path, changed, ".xsm") == policy
    assert extracted(tmp_path, changed, ".config") == CONFIG + b"# more\n" * 50
    for name in (".text", ".data"):
        assert extracted(tmp_path, changed, name) == extracted(tmp_path, unified, name)
    listed = run("objdump", "-h", tmp_path / "program.efi").decode()
    assert listed.count(" .xsm ") == listed.count(" .config ") == 1


@needs_binutils
def test_a_policy_that_objcopy_replaced_is_the_same_hypervisor(unified, tmp_path):
    """Removed and added, as the note about signed programs says: --update-section keeps the old size in memory."""
    (tmp_path / "new").write_bytes(b"new policy" * 99)
    (tmp_path / "old.efi").write_bytes(unified)
    words = ("--remove-section=.xsm", f"--add-section=.xsm={tmp_path / 'new'}")
    run("objcopy", *words, f"--change-section-vma=.xsm={BASE + 0x2000000:#x}", tmp_path / "old.efi")
    updated = (tmp_path / "old.efi").read_bytes()
    assert read_section(updated, ".xsm") == b"new policy" * 99
    assert hypervisor_digest(updated) == hypervisor_digest(unified)


@needs_binutils
@pytest.mark.skipif(not (shutil.which("sbsign") and shutil.which("openssl")), reason="no sbsign")
def test_a_program_can_be_signed_and_has_no_gaps(unified, tmp_path):
    """A gap between sections is not covered by every signature; sbsign warns of it."""
    key, cert, program = (tmp_path / name for name in ("key.pem", "cert.pem", "program.efi"))
    made = ("-newkey", "rsa:2048", "-nodes", "-subj", "/CN=test", "-keyout", key, "-out", cert)
    run("openssl", "req", "-new", "-x509", *made)
    program.write_bytes(with_section(with_section(unified, ".config", CONFIG * 30), ".xsm", b"policy" * 900))
    words = ["sbsign", "--key", key, "--cert", cert, "--output", tmp_path / "signed.efi", program]
    done = subprocess.run(list(map(str, words)), capture_output=True, text=True, check=True)
    assert "gap" not in done.stderr
    signed = (tmp_path / "signed.efi").read_bytes()
    run("sbverify", "--cert", cert, tmp_path / "signed.efi")
    assert is_signed(signed)
    assert hypervisor_digest(signed) == hypervisor_digest(unified)
    with pytest.raises(ValueError, match="signed"):
        with_section(signed, ".xsm", b"other")


DTS = """/dts-v1/;
/ {
  #address-cells = <2>; #size-cells = <2>;
  chosen {
    #address-cells = <1>; #size-cells = <1>;
    module@1 { compatible = "multiboot,kernel", "multiboot,module"; reg = <0x1000 0x2000>; };
    module@2 { compatible = "xen,xsm-policy", "multiboot,module"; reg = <0x4000 0x2c00>; };
    domU1 { compatible = "xen,domain"; #address-cells = <2>; #size-cells = <1>;
      module@3 { compatible = "xen,xsm-policy", "multiboot,module"; reg = <0 0x8000 0x10>; }; };
  };
};
"""


@needs_dtc
def test_a_device_tree_of_dtc_is_read():
    root = read_tree(run("dtc", "-I", "dts", "-O", "dtb", "-", stdin=DTS.encode()))
    assert [(node.name, node.is_module, node.size) for node in policy_nodes(root)] == [
        ("module@2", True, 0x2C00),
        ("module@3", True, 0x10),
    ]
    efi = DTS.replace("reg = <0x4000 0x2c00>", 'xen,uefi-binary = "xenpolicy-4.17"')
    found = next(policy_nodes(read_tree(run("dtc", "-I", "dts", "-O", "dtb", "-", stdin=efi.encode()))))
    assert (found.size, found.binary) == (None, "xenpolicy-4.17")


@needs_dtc
def test_the_trees_of_the_tests_are_device_trees():
    tree = fdt(("module@1", module("xen,xsm-policy multiboot,module", reg=bytes(16))))
    text = run("dtc", "-I", "dtb", "-O", "dts", "-", stdin=tree)
    assert b'compatible = "xen,xsm-policy\\0multiboot,module";' in text.replace(b'", "', b"\\0")
