"""`polpkg lab`, with a program in QEMU's place: what it says, its exit codes, and what it leaves behind."""

import pytest
from boxes import make_pieces, put_ldd, put_qemu
from hypervisors import build_hypervisor

from polpkg.ops import lab


@pytest.fixture
def box_that(tmp_path, monkeypatch):
    """`box_that("boots")`: from now on QEMU behaves so."""
    programs = tmp_path / "programs"
    put_ldd(programs)
    make_pieces(tmp_path / "machine")
    monkeypatch.setenv("PATH", f"{programs}:/usr/bin:/bin")
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr(lab, "HOST", tmp_path / "machine")
    return lambda behaviour: put_qemu(programs, behaviour)


@pytest.fixture
def xen(tmp_path):
    path = tmp_path / "xen"
    path.write_bytes(build_hypervisor("4.17", container="elf32"))
    return path


def test_a_policy_that_works(call, installed, box_that, xen, tmp_path):
    box_that("boots")
    done = call("lab", installed, "--xen", xen)
    assert done.code == 0
    assert "FLASK is enforcing" in done.out
    assert "Domain-0 is system_u:system_r:dom0_t" in done.out
    assert "system_u:system_r:domU_t (domu domu): created, booted, paused, destroyed" in done.out
    assert "system_u:system_r:vmv_guest_t (vmv vmv): dom0 is refused; vmv_t may create it" in done.out
    assert "trying a guest" in done.err
    assert max(map(len, (done.out + done.err).splitlines())) <= 80
    assert not list(tmp_path.glob("polpkg-lab-*"))


def test_the_document(call, installed, box_that, xen):
    box_that("boots")
    found = call("lab", "--root", installed, "--xen", xen, "--json").document
    assert (found["passed"], found["booted"], found["mode"]) == (True, True, "enforcing")
    guests = {each["context"].split(":")[2]: each for each in found["guests"]}
    assert guests["domU_t"]["steps"] == ["created", "booted", "paused", "destroyed"]
    assert (guests["vmv_guest_t"]["allowed"], guests["vmv_guest_t"]["creators"]) == (False, ["vmv_t"])
    (denial,) = found["denials"]
    assert (denial["target"], denial["permission"], denial["expected"]) == ("vmv_guest_t", "create", True)
    assert denial["because"]


def test_a_policy_that_xen_refuses(call, installed, box_that, xen, tmp_path):
    box_that("panics")
    log = tmp_path / "console"
    done = call("lab", "--root", installed, "--xen", xen, "--log", log)
    assert done.code == 6
    assert "does not boot" in done.out
    assert "Xen: Unable to load FLASK policy" in done.out
    assert "Panic on CPU 0" in log.read_text()


def test_a_policy_file_of_another_abi_is_foreseen(call, installed, box_that, tmp_path):
    box_that("panics")
    other = tmp_path / "xen-4.22"
    other.write_bytes(build_hypervisor("4.22", container="elf32"))
    policy = next((installed / "boot").glob("xenpolicy-*"))
    done = call("lab", policy, "--xen", other)
    assert done.code == 6
    assert "polpkg: " in done.out


def test_denials_fail_the_trial_and_are_explained(call, installed, box_that, xen, tmp_path):
    box_that("denies")
    done = call("lab", "--root", installed, "--xen", xen)
    assert done.code == 1
    assert "denied: dom0_t netdom_t:domain unpause" in done.out
    assert "created, paused, destroyed, and no more" in " ".join(done.out.split())
    (log,) = tmp_path.glob("polpkg-lab-*.log")
    assert log.name in done.out
    assert "avc:  denied" in log.read_text()


def test_tools_that_do_not_start(call, installed, box_that, xen):
    box_that("toolless")
    done = call("lab", "--root", installed, "--xen", xen)
    assert done.code == 1
    assert "xenstored does not start" in done.out


def test_tools_of_another_release_end_after_the_boot(call, installed, box_that, xen, tmp_path):
    box_that("boots")
    (tmp_path / "machine/usr/lib/xen-4.17").rename(tmp_path / "machine/usr/lib/xen-4.11")
    done = call("lab", "--root", installed, "--xen", xen)
    assert done.code == 0
    assert "the tools here are for Xen 4.11" in done.out


@pytest.mark.parametrize("label", ["domU_t", "system_u:system_r:domU_t"])
def test_only_the_wanted_labels(call, installed, box_that, xen, label):
    box_that("boots")
    found = call("lab", "--root", installed, "--xen", xen, "--label", label, "--json").document
    assert [guest["context"] for guest in found["guests"]] == ["system_u:system_r:domU_t"]


def test_a_policy_file_has_guests_too(call, installed, box_that, xen):
    box_that("boots")
    policy = next((installed / "boot").glob("xenpolicy-*"))
    found = call("lab", policy, "--xen", xen, "--json").document
    assert {"domU_t", "vmv_t", "vmv_guest_t"} <= {guest["context"].split(":")[2] for guest in found["guests"]}


def test_a_guest_is_created_with_its_build_label(call, installed, box_that, xen):
    box_that("boots")
    assert call("install", "domu-nomigrate", "--root", installed, "--yes").code == 0
    (from_target,) = call(
        "lab", "--root", installed, "--xen", xen, "--label", "domu_nomigrate_guest_t", "--json"
    ).document["guests"]
    policy = next((installed / "boot").glob("xenpolicy-*"))
    (from_file,) = call("lab", policy, "--xen", xen, "--label", "domu_nomigrate_guest_t", "--json").document["guests"]
    for guest in (from_target, from_file):
        assert guest["build"] == "system_u:system_r:domu_nomigrate_guest_t_building"
        assert guest["creators"] == ["dom0_t"]


def test_what_is_missing_is_named(call, installed, box_that, xen, tmp_path):
    box_that("boots")
    (tmp_path / "machine/bin/busybox").unlink()
    done = call("lab", "--root", installed, "--xen", xen)
    assert done.code == 1
    assert "busybox-static" in done.err
    assert "--debs" in done.err


@pytest.mark.parametrize(
    ("words", "code", "error"),
    [
        (("xenpolicy",), 2, "lab-needs-hypervisor"),
        (("xenpolicy", "--xen", "4.17"), 2, "lab-needs-hypervisor"),
        (("--root", "{root}", "--xen", "{xen}", "--label", "no_t"), 2, "unknown-label"),
        (("--root", "{root}", "--xen", "{xen}", "9"), 6, "no-such-generation"),
        (("{root}", "--root", "{root}"), 2, "several-targets"),
    ],
)
def test_what_cannot_be_tried(call, installed, box_that, xen, words, code, error):
    box_that("boots")
    done = call("lab", *(word.format(root=installed, xen=xen) for word in words), "--json")
    assert (done.code, done.document["error"]["code"]) == (code, error)


def test_a_hypervisor_without_flask(call, installed, box_that, tmp_path):
    plain = tmp_path / "plain"
    plain.write_bytes(build_hypervisor("4.17", flask=False))
    done = call("lab", "--root", installed, "--xen", plain, "--json")
    assert (done.code, done.document["error"]["code"]) == (6, "hypervisor-without-flask")
