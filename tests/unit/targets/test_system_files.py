"""Files that a target itself has: they come, change and go with the generation that wants them."""

from dataclasses import replace

import pytest

from polpkg.errors import ApplyError, TargetError
from polpkg.targets.devices.function import Address
from polpkg.targets.devices.unit import DeviceLabel, device_files
from polpkg.targets.generations import read_generation, read_state
from polpkg.targets.layout import DEVICES_DROP_IN, DEVICES_UNIT, JOURNAL
from polpkg.targets.plan import RemoveSystemFile, WriteSystemFile, compute_plan
from polpkg.targets.plan_text import plan_lines
from polpkg.targets.present import read_present
from polpkg.targets.rollback import rollback
from polpkg.targets.verify import verify_files

NIC = DeviceLabel(Address(0, 3, 0, 0), "system_u:object_r:netdom_device_t")
DISK = DeviceLabel(Address(0, 4, 0, 1), "system_u:object_r:stordom_device_t")


@pytest.fixture
def labelled(make):
    """A wanted state with the labels of a device."""
    return replace(make.wanted("one"), system=device_files([NIC]))


def plan_for(tree, state):
    """The way from what the tree has."""
    return compute_plan(state, read_present(tree, state))


def test_no_devices_no_files():
    assert device_files([]) == {}


def test_the_unit_labels_every_device_after_boots_and_loads():
    text = device_files([DISK, NIC])[DEVICES_UNIT].decode()
    commands = [
        "flask-label-pci 0000:03:00.0 system_u:object_r:netdom_device_t",
        "flask-label-pci 0000:04:00.1 system_u:object_r:stordom_device_t",
    ]
    assert [line for line in text.splitlines() if line.startswith("ExecStart=")] == [f"ExecStart={c}" for c in commands]
    assert [line for line in text.splitlines() if line.startswith("ExecReload=")] == [
        f"ExecReload={c}" for c in commands
    ]
    assert "Before=xendriverdomain.service xendomains.service\n" in text
    assert "ConditionPathExists=/sys/hypervisor/type\n" in text


def test_they_come_with_a_generation(tree, labelled, make):
    plan = plan_for(tree, labelled)
    assert [each.path for each in plan.actions if isinstance(each, WriteSystemFile)] == [DEVICES_DROP_IN, DEVICES_UNIT]
    assert f"write {DEVICES_UNIT}" in plan_lines(plan)
    make.apply(tree, labelled)
    assert {path: tree.read(path) for path in labelled.system} == labelled.system
    assert plan_for(tree, labelled).is_empty
    assert verify_files(tree) == ()


def test_they_go_with_it(tree, labelled, make):
    make.apply(tree, labelled)
    plan = plan_for(tree, make.wanted("two"))
    assert [each.path for each in plan.actions if isinstance(each, RemoveSystemFile)] == [DEVICES_DROP_IN, DEVICES_UNIT]
    make.apply(tree, make.wanted("two"))
    assert tree.stat(DEVICES_UNIT) is None
    assert tree.stat(DEVICES_DROP_IN) is None
    assert verify_files(tree) == ()


def test_they_are_all_that_changes_when_only_devices_change(tree, labelled, make):
    make.apply(tree, labelled)
    other = replace(labelled, system=device_files([NIC, DISK]))
    assert [each.path for each in plan_for(tree, other).file_changes] == [DEVICES_UNIT]


def test_rollback_brings_them_back(tree, labelled, make):
    make.apply(tree, labelled)
    make.apply(tree, make.wanted("two"))
    rollback(tree, 1)
    assert tree.read(DEVICES_UNIT) == labelled.system[DEVICES_UNIT]
    assert read_state(tree, read_generation(tree, 3), "again").system == labelled.system


def test_what_somebody_changed_is_not_removed(tree, labelled, make):
    make.apply(tree, labelled)
    tree.write(DEVICES_UNIT, b"mine\n")
    plan = plan_for(tree, make.wanted("two"))
    assert [each.path for each in plan.actions if isinstance(each, RemoveSystemFile)] == [DEVICES_DROP_IN]
    assert any(DEVICES_UNIT in note and "left as it is" in note for note in plan.notes)


def test_what_somebody_had_there_is_kept_in_the_generation(tree, labelled, make):
    tree.write(DEVICES_UNIT, b"mine\n")
    make.apply(tree, labelled)
    assert tree.read(f"/var/lib/polpkg/generations/1/backup{DEVICES_UNIT}") == b"mine\n"


def test_a_file_of_that_name_that_polpkg_did_not_write_stays_when_nobody_wants_one(tree, make):
    tree.write(DEVICES_UNIT, b"mine\n")
    make.apply(tree, make.wanted("one"))
    assert tree.read(DEVICES_UNIT) == b"mine\n"


def test_drift_is_seen(tree, labelled, make):
    make.apply(tree, labelled)
    tree.remove(DEVICES_DROP_IN)
    tree.write(DEVICES_UNIT, b"mine\n")
    assert [(drift.kind.value, drift.path) for drift in verify_files(tree)] == [
        ("missing", DEVICES_DROP_IN),
        ("changed", DEVICES_UNIT),
    ]


class Failing:
    """A target that does not write one file."""

    def __init__(self, target, path):
        self.target = target
        self.path = path

    def __getattr__(self, name):
        return getattr(self.target, name)

    def write(self, path, content, **options):
        if path == self.path:
            raise TargetError("target-failed", "the disk says no")
        self.target.write(path, content, **options)


def test_a_change_that_fails_takes_them_back(tree, labelled, make):
    make.apply(tree, labelled)
    other = replace(make.wanted("two"), system=device_files([DISK]))
    with pytest.raises(ApplyError):
        make.apply(Failing(tree, "/etc/polpkg/policy.toml"), other)
    assert tree.read(DEVICES_UNIT) == labelled.system[DEVICES_UNIT]
    assert tree.stat(JOURNAL) is None
    assert verify_files(tree) == ()
