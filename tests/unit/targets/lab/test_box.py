"""The machine in the box, with a program in QEMU's place: commands, answers, and every way to end."""

import time

import pytest
from boxes import put_qemu

from polpkg.errors import TargetError
from polpkg.targets.lab.box import Box, BoxError, qemu_command, run_box, unpack_hypervisor

ELF = b"\x7fELF\x01 a hypervisor"


@pytest.fixture
def box_that(tmp_path, monkeypatch):
    """`box_that("boots")`: a box, as a context."""
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    folder = tmp_path / "box"
    folder.mkdir()

    def make(behaviour):
        put_qemu(tmp_path / "bin", behaviour)
        return run_box(folder, ELF, b"policy", b"kernel", b"initramfs")

    return make


def test_dom0_takes_commands(box_that):
    with box_that("boots") as box:
        box.wait_for_dom0(20)
        assert "Domain-0" in box.run("xl list -Z").text
        assert box.run("xl domid guest").status == 1
        assert box.transcript().mode == "enforcing"


def test_a_long_script_arrives_in_pieces(box_that):
    with box_that("boots") as box:
        box.wait_for_dom0(20)
        assert box.run("# " + "x" * 9000).status == 0


@pytest.mark.parametrize(
    ("behaviour", "code", "words"),
    [
        ("panics", "lab-panic", "Unable to load FLASK policy"),
        ("dies", "lab-stopped", "has stopped"),
        ("hangs", "lab-timeout", "does not answer"),
    ],
)
def test_a_box_that_does_not_come_up(box_that, behaviour, code, words):
    with box_that(behaviour) as box, pytest.raises(BoxError, match=words) as caught:
        box.wait_for_dom0(3)
    assert caught.value.code == code


def test_what_qemu_complains_about_is_told(box_that):
    with box_that("dies") as box, pytest.raises(BoxError) as caught:
        box.wait_for_dom0(20)
    assert "no such machine" in caught.value.diagnostics[0].hint


def test_a_panic_while_a_command_runs(box_that):
    with box_that("panics-later") as box:
        box.wait_for_dom0(20)
        with pytest.raises(BoxError, match="FATAL TRAP"):
            box.run("true")


def test_the_machine_does_not_outlive_an_interruption(box_that):
    kept: list[Box] = []

    def interrupted():
        with box_that("hangs") as box:
            kept.append(box)
            raise KeyboardInterrupt

    begin = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert kept[0]._process.returncode == -9
    assert time.monotonic() - begin < 30


def test_the_policy_is_the_last_module_and_is_enforced():
    command = qemu_command()
    assert command[command.index("-initrd") + 1].endswith(",initramfs,policy")
    assert "flask=enforcing" in command[command.index("-append") + 1]


@pytest.mark.parametrize("content", [b"", b"MZ", b"\x7fELF\x02"])
def test_a_hypervisor_that_qemu_cannot_boot(content):
    with pytest.raises(TargetError, match="QEMU cannot boot"):
        unpack_hypervisor(content)
