"""Parameters that take some values only: choices and PCI functions."""

from __future__ import annotations

import pytest

from polpkg.errors import PolicyError, UsageError
from polpkg.packages.instances import Call, instances_of
from polpkg.packages.manifest_reader import read_manifest
from polpkg.packages.project import read_project
from polpkg.packages.settings import parse_settings

NIC = """
[package]
name = "nic"
version = "1.0"
[instance]
template = "nic_instance"
[instance.parameters.isolation]
type = "string"
default = "iommu"
choices = ["iommu", "none"]
[instance.parameters.serves]
type = "list"
choices = ["pv", "hvm"]
[instance.parameters.pci]
type = "pci"
each = "nic_pci"
"""
PACKAGE = read_manifest(NIC)


def instance(text):
    (found,) = instances_of(PACKAGE, read_project(f"[instances.nic.nic]\n{text}"))
    return found


def test_values_that_fit():
    found = instance('isolation = "none"\nserves = ["hvm"]\npci = ["0000:03:1f.7"]')
    assert found.parameters == {"isolation": "none", "serves": ("hvm",), "pci": ("0000:03:1f.7",)}
    assert found.calls == (Call("nic_instance", ("nic",)), Call("nic_pci", ("nic", "0000:03:1f.7")))
    assert found.guest_types == found.named_types == ()


@pytest.mark.parametrize(
    "text",
    ['isolation = "iomu"', 'serves = ["pvh"]', 'pci = ["03:00.0"]', 'pci = ["0000:03:20.0"]', 'pci = ["0000:0A:00.0"]'],
)
def test_values_that_do_not_fit_in_policy_toml(text):
    with pytest.raises(PolicyError) as caught:
        instance(text)
    (problem,) = caught.value.diagnostics
    assert (problem.code, problem.origin.line) == ("project-bad-parameter", 2)


def test_the_short_form():
    assert parse_settings(["isolation=none", "serves=pv,hvm", "pci=0000:03:00.0"], PACKAGE) == {
        "isolation": "none", "serves": ("pv", "hvm"), "pci": ("0000:03:00.0",),
    }  # fmt: skip
    assert parse_settings(["pci="], PACKAGE) == {"pci": ()}


@pytest.mark.parametrize(
    ("text", "hint"), [("isolation=iomu", "one of: iommu, none"), ("isolation=", "one of"), ("pci=3", "0000:03:00.0")]
)
def test_the_short_form_of_what_does_not_fit(text, hint):
    with pytest.raises(UsageError) as caught:
        parse_settings([text], PACKAGE)
    assert caught.value.code == "bad-setting"
    assert hint in caught.value.hint


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        ('default = "iommu"', 'default = "other"', "manifest-wrong-value"),
        ('type = "pci"', 'type = "boolean"\nchoices = ["a"]', "manifest-wrong-value"),
        ('type = "pci"', 'type = "pci"\ndefault = ["a"]', "manifest-bad-name"),
    ],
)
def test_manifests_that_contradict_themselves(old, new, code):
    with pytest.raises(PolicyError) as caught:
        read_manifest(NIC.replace(old, new))
    assert code in {d.code for d in caught.value.diagnostics}
