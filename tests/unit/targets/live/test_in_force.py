"""Which policy is in force: the one that was loaded, else the one that the boot loader took."""

import pytest
from live_hosts import LiveHostFiles

from polpkg.targets.boot.trial import Trial, render_trial
from polpkg.targets.layout import BOOT_STATE
from polpkg.targets.live.in_force import find_in_force
from polpkg.targets.live.record import Record, write_record
from polpkg.targets.live.running import Flask, RunningDomain, RunningXen
from polpkg.targets.marks import Marks, write_marks

RUNNING = RunningXen("4.17.7", "", Flask.LOADED, (RunningDomain(0, "Domain-0", "a:b:dom0_t"),), {}, True, "this-boot")


@pytest.fixture
def host(make, tmp_path):
    """Generations 1 and 2, of which 1 is confirmed."""
    found = LiveHostFiles(tmp_path / "root", tmp_path / "xen")
    for text in ("one", "two"):
        make.apply(found, make.wanted(text))
    write_marks(found, Marks(confirmed=1))
    return found


@pytest.mark.parametrize(
    ("trial", "generation"),
    [(Trial.BOOTED, 2), (Trial.SETTLED, 2), (Trial.STAGED, 1), (Trial.FAILED, 1), (None, 2)],
)
def test_what_grub_took(host, trial, generation):
    if trial is not None:
        host.write(BOOT_STATE, render_trial(trial))
    assert find_in_force(host, RUNNING).name == f"that of generation {generation}"


def test_efi_firmware_does_not_say(host):
    host.write("/sys/firmware/efi/efivars/BootOrder", b"")
    assert find_in_force(host, RUNNING) is None
    write_marks(host, Marks(confirmed=2))
    assert find_in_force(host, RUNNING).name == "that of generation 2"


def test_what_was_loaded_in_this_boot_counts_most(host):
    policy = find_in_force(host, RUNNING)
    for boot, name in (("this-boot", "loaded"), ("another", "that of generation 2")):
        write_record(host, Record(boot, policy.sha256, "loaded"), policy.policydb)
        assert find_in_force(host, RUNNING).name == name


def test_nothing_is_known_of_another_xen(host):
    assert find_in_force(host, RunningXen("4.9.9", "", Flask.LOADED, RUNNING.domains, {}, True, "b")) is None
