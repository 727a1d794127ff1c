"""Which devices get which label at run time."""

import pytest

from polpkg.errors import UsageError
from polpkg.ops.device_labels import device_labels
from polpkg.packages.instances import Instance


def instance(prefix, *functions):
    """An instance that drives these functions."""
    return Instance("netdom", prefix.replace("_", "-"), prefix, {"pci": functions})


def test_functions_are_labelled_with_the_type_of_their_instance():
    found = device_labels([instance("netdom_b", "0000:04:00.0"), instance("netdom_a", "0000:03:00.0", "0000:03:00.1")])
    assert [(str(label.address), label.context) for label in found] == [
        ("0000:03:00.0", "system_u:object_r:netdom_a_device_t"),
        ("0000:03:00.1", "system_u:object_r:netdom_a_device_t"),
        ("0000:04:00.0", "system_u:object_r:netdom_b_device_t"),
    ]


def test_with_levels_labels_have_the_lowest():
    (label,) = device_labels([instance("netdom", "0000:04:00.0")], mls=True)
    assert label.context == "system_u:object_r:netdom_device_t:s0"


def test_instances_without_devices_have_none():
    assert device_labels([instance("netdom"), Instance("vmv", "vmv", "vmv")]) == ()


def test_a_device_has_one_driver():
    with pytest.raises(UsageError) as caught:
        device_labels([instance("netdom_a", "0000:03:00.0"), instance("netdom_b", "0000:03:00.0")])
    assert caught.value.code == "device-twice"
