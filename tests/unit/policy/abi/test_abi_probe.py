import json

import pytest
from hypervisors import build_hypervisor

from polpkg.errors import TargetError
from polpkg.policy.abi import Abi, SecurityClass, load_abi
from polpkg.policy.abi.probe import probe_hypervisor


def test_a_known_table_is_reported_with_its_versions():
    report = probe_hypervisor(build_hypervisor("4.18.1", built_in_policy=True), "xen.gz")
    assert report.lines() == (
        "file: xen.gz",
        "version: 4.18.1",
        "format: elf32 in gz, x86-64",
        "FLASK: yes",
        "built-in policy: yes",
        f"ABI: {load_abi('4.17').fingerprint}",
        "table: 13 classes, 175 permissions, 13 initial SIDs",
        "same table as: Xen 4.17.0 to 4.18.2",
        "policydb versions it reads: 15 to 30",
    )
    document = json.loads(json.dumps(report.to_json()))
    assert document["version"] == "4.18.1"
    assert document["abi"]["versions"][-1] == "4.18.2"
    assert document["abi"]["policydb"] == [15, 30]
    assert document["abi"]["nearest"] is None
    assert document["abi"]["initial_sids_from"] == "file"


def test_an_unknown_table_is_reported_with_the_nearest_and_what_differs():
    base = load_abi("4.20")
    classes = (*base.classes[:-1], SecurityClass("argo", (*base.permissions("argo"), "teleport")))
    report = probe_hypervisor(build_hypervisor(Abi(classes, (*base.initial_sids, "later"), "4.20.9")))
    assert report.lines()[-4:] == (
        "initial SIDs: read from the file, which does not say where the list ends: check it",
        "same table as: no known version; nearest is Xen 4.20.4, and this one has",
        "  permissions added: argo.teleport",
        "  initial SIDs added: later",
    )
    near = report.to_json()["abi"]["nearest"]
    assert near["version"] == "4.20.4"
    assert near["difference"]["permissions"]["added"] == ["argo.teleport"]
    assert report.to_json()["abi"]["policydb"] is None


def test_a_build_without_flask_is_reported_as_such():
    report = probe_hypervisor(build_hypervisor("4.17", flask=False, banner=""), "xen.efi")
    assert report.lines()[1] == "version: not found in the file"
    assert report.lines()[-1] == "FLASK: no: this build cannot enforce a policy"
    document = report.to_json()
    assert (document["flask"], document["abi"], document["version"]) == (False, None, None)


def test_other_files_are_an_error():
    with pytest.raises(TargetError, match="not a Xen hypervisor"):
        probe_hypervisor(b"text")
