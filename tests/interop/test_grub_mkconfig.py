"""The real grub-mkconfig runs the script that polpkg writes, and what comes out boots what it should."""

import subprocess

import pytest
from grub_roots import can_make_config, furnish, make_config
from hypervisors import build_hypervisor

from polpkg.cli import boundary
from polpkg.targets.boot.grub_menu import read_menu
from polpkg.targets.boot.trial import Trial, render_trial
from polpkg.targets.tree import TreeTarget

pytestmark = [
    pytest.mark.interop,
    pytest.mark.skipif(not can_make_config(), reason="needs grub-mkconfig, and user namespaces"),
]

CONFIG = "/boot/grub/grub.cfg"


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    """polpkg on the root, and what it printed."""
    monkeypatch.setenv("POLPKG_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)

    def call(*words):
        code = boundary.run([*words, "--root", str(tmp_path / "root")])
        return code, capsys.readouterr().out

    return call


@pytest.fixture
def root(tmp_path):
    root = tmp_path / "root"
    furnish(
        root,
        default='GRUB_CMDLINE_XEN="dom0_mem=512M"\nGRUB_CMDLINE_LINUX_DEFAULT="quiet"\nGRUB_DISABLE_LINUX_UUID=true',
    )
    (root / "boot/xen-4.17-amd64.gz").write_bytes(build_hypervisor("4.17"))
    return root


def menu_of(root, tmp_path):
    said = make_config(root, tmp_path / "scratch")
    return read_menu(TreeTarget(str(root)), CONFIG), said


def entry(menu, identity):
    return next(each for each in menu.entries if each.ids[-1] == identity)


def test_the_entries(run, root, tmp_path):
    assert run("install", "vmv")[0] == 0
    menu, _ = menu_of(root, tmp_path)
    found = entry(menu, "polpkg-xen-4.17-amd64")
    assert found.hypervisor == "/xen-4.17-amd64.gz"
    assert found.options == ("placeholder", "dom0_mem=512M", "xsm=flask", "flask=enforcing")
    assert found.modules == ("/vmlinuz-6.1.0-18-amd64", "/initrd.img-6.1.0-18-amd64", "/xenpolicy-4.17-amd64")
    assert ("insmod", "gzio") in found.commands
    kernel = next(each for each in found.commands if "/vmlinuz-6.1.0-18-amd64" in each)
    assert kernel[2:] == ("placeholder", "root=/dev/sda2", "ro", "quiet")
    assert menu.default == found
    other = entry(menu, "polpkg-xen-4.17-amd64-linux-6.1.0-9-amd64")
    assert other.modules[0] == "/vmlinuz-6.1.0-9-amd64"
    assert "polpkg-xen-4.17-amd64-confirmed" not in {each.ids[-1] for each in menu.entries}
    ids = [each.ids for each in menu.entries if each.ids[-1].startswith("polpkg-")]
    assert len(ids) == len(set(ids))
    assert run("verify")[0] == 0


def test_the_same_input_gives_the_same_configuration(run, root, tmp_path):
    assert run("install", "vmv")[0] == 0
    menu_of(root, tmp_path)
    first = (root / CONFIG[1:]).read_bytes()
    menu_of(root, tmp_path)
    assert (root / CONFIG[1:]).read_bytes() == first


def test_a_new_policy_is_tried_once_without_another_run_of_grub_mkconfig(run, root, tmp_path):
    assert run("install", "vmv")[0] == 0
    menu_of(root, tmp_path)
    run("confirm")
    run("install", "netdom")
    target = TreeTarget(str(root))
    assert read_menu(target, CONFIG).default.modules[-1] == "/xenpolicy-4.17-amd64"
    # GRUB has written this when it boots that entry.
    (root / "boot/polpkg/grubenv").write_bytes(render_trial(Trial.BOOTED))
    assert read_menu(target, CONFIG).default.modules[-1] == "/polpkg/confirmed-4.17-amd64"
    assert read_menu(target, CONFIG).variables["polpkg_trial"] == "failed", "and that is what GRUB writes"
    (root / "boot/polpkg/grubenv").write_bytes(render_trial(Trial.FAILED))
    assert read_menu(target, CONFIG).default.modules[-1] == "/polpkg/confirmed-4.17-amd64"
    code, said = run("verify")
    assert code == 0
    assert "the next boot takes the confirmed policy" in said.replace("\n  ", " ")
    run("confirm", "--force")
    assert read_menu(target, CONFIG).default.modules[-1] == "/xenpolicy-4.17-amd64"


def test_the_mistake_of_grub_is_named(run, root, tmp_path):
    """Older entries of the distribution's script are titled (XSM enabled) and are not."""
    assert run("install", "vmv")[0] == 0
    menu, _ = menu_of(root, tmp_path)
    wrong = [
        each for each in menu.entries if "(XSM enabled)" in each.titles[-1] and "flask=enforcing" not in each.options
    ]
    code, said = run("probe", "--json")
    assert code == 0
    assert ("grub-xsm-entry-empty" in said) is bool(wrong)


def test_the_distributions_entries_share_an_id_and_ours_do_not(run, root, tmp_path):
    """Its plain entry and its "(XSM enabled)" one are called the same, so the id cannot choose between them."""
    assert run("install", "vmv")[0] == 0
    menu, _ = menu_of(root, tmp_path)
    theirs = [each.ids for each in menu.entries if each.hypervisor and not each.ids[-1].startswith("polpkg-")]
    assert len(theirs) > len(set(theirs))
    assert menu.default.ids == ("polpkg-xen-4.17-amd64",)
    assert [each.titles[-1] for each in menu.entries if each.ids[-1] == menu.default.ids[-1]] == [
        menu.default.titles[-1]
    ]


def test_a_distribution_whose_script_knows_no_xsm(run, root, tmp_path):
    """As openSUSE's: the entries of polpkg need nothing of it."""
    (root / "etc/grub.d/20_linux_xen").unlink()
    assert run("install", "vmv")[0] == 0
    menu, _ = menu_of(root, tmp_path)
    assert menu.default.modules[-1] == "/xenpolicy-4.17-amd64"
    assert run("verify")[0] == 0


def test_a_policy_of_xens_own_installation_stays_beside_ours(run, root, tmp_path):
    """It is called by the full version, which GRUB does not pair with a file of the distribution's name."""
    (root / "boot/xenpolicy-4.17.7").write_bytes(b"of make install-policy")
    assert run("install", "vmv")[0] == 0
    menu, _ = menu_of(root, tmp_path)
    assert menu.default.modules[-1] == "/xenpolicy-4.17-amd64"
    assert (root / "boot/xenpolicy-4.17.7").read_bytes() == b"of make install-policy"


def test_the_choice_of_somebody_stays(run, root, tmp_path):
    assert run("install", "vmv")[0] == 0
    with (root / "etc/default/grub").open("a") as settings:
        settings.write("GRUB_DEFAULT=2\n")
    menu, said = menu_of(root, tmp_path)
    assert "GRUB_DEFAULT is 2" in said
    assert menu.variables["default"] == "2"
    code, said = run("verify")
    assert code == 1
    assert "by default, not the installed policy" in said.replace("\n  ", " ")


def test_booting_another_entry_once_stays_possible(run, root, tmp_path):
    assert run("install", "vmv")[0] == 0
    menu_of(root, tmp_path)
    older = "polpkg-xen-4.17-amd64-kernels>polpkg-xen-4.17-amd64-linux-6.1.0-9-amd64"
    block = f"# GRUB Environment Block\nnext_entry={older}\n"
    (root / "boot/grub/grubenv").write_text(block.ljust(1024, "#"))
    menu = read_menu(TreeTarget(str(root)), CONFIG)
    assert menu.default.modules[0] == "/vmlinuz-6.1.0-9-amd64"


def test_two_hypervisors(run, root, tmp_path):
    (root / "boot/xen-4.14-amd64.gz").write_bytes(build_hypervisor("4.14"))
    assert run("install", "vmv")[0] == 0
    menu, _ = menu_of(root, tmp_path)
    assert menu.default.hypervisor == "/xen-4.17-amd64.gz", "the newest"
    assert entry(menu, "polpkg-xen-4.14-amd64").modules[-1] == "/xenpolicy-4.14-amd64"
    run("confirm")
    assert read_menu(TreeTarget(str(root)), CONFIG).variables["fallback"] == "polpkg-xen-4.17-amd64-confirmed"


def test_a_hypervisor_that_was_replaced_is_said_when_grub_is_updated(run, root, tmp_path):
    assert run("install", "vmv")[0] == 0
    (root / "boot/xen-4.17-amd64.gz").write_bytes(build_hypervisor("4.18"))
    menu, said = menu_of(root, tmp_path)
    assert "is not the one that its policy was made for" in said
    assert not [each for each in menu.entries if each.ids[-1].startswith("polpkg")]
    assert menu.default.hypervisor == "", "Linux without Xen: that boots"
    assert run("refit")[0] == 0
    menu, said = menu_of(root, tmp_path)
    assert menu.default.ids == ("polpkg-xen-4.17-amd64",)
    assert "polpkg" not in said


def test_a_new_hypervisor_beside_the_old_one_leaves_the_default(run, root, tmp_path):
    """The way of Debian's packages, whose file names have the version."""
    assert run("install", "vmv")[0] == 0
    (root / "boot/xen-4.20-amd64.gz").write_bytes(build_hypervisor("4.20", flask=False))
    menu, _ = menu_of(root, tmp_path)
    assert menu.default.ids == ("polpkg-xen-4.17-amd64",)
    (root / "boot/xen-4.20-amd64.gz").write_bytes(build_hypervisor("4.20"))
    menu, _ = menu_of(root, tmp_path)
    assert menu.default.ids == ("polpkg-xen-4.17-amd64",)
    assert run("refit")[0] == 0
    menu, _ = menu_of(root, tmp_path)
    assert menu.default.ids == ("polpkg-xen-4.20-amd64",)


def test_without_a_kernel_or_a_hypervisor_there_is_no_entry(run, root, tmp_path):
    assert run("install", "vmv")[0] == 0
    for kernel in (root / "boot").glob("config-*"):
        kernel.write_text("")
    menu, said = menu_of(root, tmp_path)
    assert "can be a dom0" in said
    assert not [each for each in menu.entries if each.ids[-1].startswith("polpkg")]
    code, said = run("verify")
    assert code == 1
    assert "no entry of /boot/grub/grub.cfg boots /boot/xen-4.17-amd64.gz" in said.replace("\n  ", " ")


def test_grub_itself_finds_the_script_well_formed(run, root):
    assert run("install", "vmv")[0] == 0
    assert subprocess.run(["sh", "-n", root / "etc/grub.d/09_polpkg"], check=False).returncode == 0
