"""Which files of a target are hypervisors, and what their policies are called."""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256
from types import SimpleNamespace

import pytest

from polpkg.errors import TargetError
from polpkg.targets.boot.naming import is_hypervisor_name, policy_name_for_efi, policy_name_for_grub
from polpkg.targets.boot.placing import find_boot_path, place_for_version, place_policies
from polpkg.targets.probe import HypervisorFile, find_hypervisors, probe_hypervisors, read_contents


def read(content, name):
    """A hypervisor file of the tests says what it is: "VERSION ABI", or "VERSION -" without FLASK."""
    words = content.decode().split()
    if len(words) != 2:
        raise TargetError("not-a-hypervisor", f"{name} is not a Xen hypervisor")
    version, abi = words
    table = None if abi == "-" else SimpleNamespace(version=version, fingerprint=abi)
    return SimpleNamespace(version=version, table=table)


@pytest.mark.parametrize("name", ["xen", "xen.gz", "xen-4.17-amd64.gz", "xen.efi", "xen-4.17.7.efi", "xen-4.17-arm64"])
def test_hypervisor_names(name):
    assert is_hypervisor_name(name)


@pytest.mark.parametrize(
    "name",
    [
        "xen-syms-4.17.7",
        "xenpolicy-4.17.7",
        "xen-4.17.config",
        "xen.cfg",
        "xen-4.17.map",
        "xen-4.17.gz.dpkg-new",
        "xenstored",
        "vmlinuz",
    ],
)
def test_other_names(name):
    assert not is_hypervisor_name(name)


@pytest.mark.parametrize(
    ("hypervisor", "policy"),
    [
        ("xen-4.17-amd64.gz", "xenpolicy-4.17-amd64"),
        ("xen.gz", "xenpolicy-xen"),
        ("xen", "xenpolicy-xen"),
        ("xen-4.17.7", "xenpolicy-4.17.7"),
        ("xen-4.17-amd64.efi", "xenpolicy-4.17-amd64.efi"),
    ],
)
def test_grub_pairs_by_name(hypervisor, policy):
    assert policy_name_for_grub(hypervisor) == policy
    assert find_boot_path(f"/boot/{hypervisor}") == f"/boot/{policy}"


def test_efi_policies_lie_beside_the_program():
    assert policy_name_for_efi("xen.efi") == "xenpolicy-xen"
    assert find_boot_path("/boot/efi/EFI/xen/xen-4.17.7.efi") == "/boot/efi/EFI/xen/xenpolicy-4.17.7"


def test_a_release_without_a_file():
    assert place_for_version("4.17.7") == ("/boot/xenpolicy-4.17.7", ())


def test_an_unknown_boot_path():
    with pytest.raises(TargetError) as caught:
        find_boot_path("/opt/xen")
    assert caught.value.code == "unknown-boot-path"


def test_finds_files_and_leaves_out_links_to_them(tree, root):
    tree.write("/boot/xen-4.17-amd64.gz", b"4.17.7 aaaa")
    tree.write("/boot/efi/EFI/xen/xen.efi", b"4.18.3 bbbb")
    tree.write("/boot/xen-4.17-amd64.config", b"CONFIG_XSM=y")
    tree.write("/boot/xenpolicy-4.17-amd64", b"policy")
    tree.write("/usr/lib/xen-5.gz", b"5.0 cccc")
    tree.write_link("/boot/xen.gz", "xen-4.17-amd64.gz")
    tree.write_link("/boot/xen-4.gz", "/boot/xen-4.17-amd64.gz")
    tree.write_link("/boot/xen-5.gz", "/usr/lib/xen-5.gz")
    tree.write_link("/boot/xen-6.gz", "nowhere")
    found = find_hypervisors(tree, read=read)
    assert [(each.path, each.version, each.fingerprint) for each in found] == [
        ("/boot/efi/EFI/xen/xen.efi", "4.18.3", "bbbb"),
        ("/boot/xen-4.17-amd64.gz", "4.17.7", "aaaa"),
        ("/boot/xen-5.gz", "5.0", "cccc"),
    ]
    assert found[0].sha256 == sha256(b"4.18.3 bbbb").hexdigest()


def test_none_at_all(tree):
    assert find_hypervisors(tree, read=read) == ()


def test_one_that_cannot_take_a_policy_is_said(tree):
    tree.write("/boot/xen-4.17.gz", b"4.17.7 aaaa")
    tree.write("/boot/xen-4.16.gz", b"4.16.0 -")
    tree.write("/boot/xen-notes.txt", b"not a hypervisor at all")
    found = {each.path: each for each in find_hypervisors(tree, read=read)}
    assert found["/boot/xen-4.17.gz"].is_usable
    assert "without FLASK" in found["/boot/xen-4.16.gz"].reason
    assert "not a Xen hypervisor" in found["/boot/xen-notes.txt"].reason


def test_none_that_can_take_a_policy(tree):
    tree.write("/boot/xen-4.16.gz", b"4.16.0 -")
    with pytest.raises(TargetError) as caught:
        find_hypervisors(tree, read=read)
    assert caught.value.code == "no-usable-hypervisor"
    assert "/boot/xen-4.16.gz" in caught.value.message
    assert len(probe_hypervisors(tree, read=read)) == 1


def test_a_file_that_the_receipt_knows_is_not_read_again(tree, make):
    tree.write("/boot/xen-4.17.7.gz", b"4.17.7 " + b"a" * 64)
    hypervisors = find_hypervisors(tree, read=read)
    places = place_policies(hypervisors)
    make.apply(tree, make.wanted("one", artifacts=[make.artifact("one", boot_files=places[make.ABI_A])]))

    def never(content, name):
        pytest.fail(f"{name} was read again")

    from polpkg.targets.generations import current_generation

    again = find_hypervisors(tree, current_generation(tree), never)
    assert again == hypervisors
    assert read_contents(tree, again[0], read).version == "4.17.7"
    tree.write("/boot/xen-4.17.7.gz", b"4.17.8 " + b"b" * 64)
    assert find_hypervisors(tree, current_generation(tree), read)[0].fingerprint == make.ABI_B


def test_one_without_flask_is_not_read_again(tree, make):
    tree.write("/boot/xen-4.17.7.gz", b"4.17.7 " + b"a" * 64)
    tree.write("/boot/xen-4.16.gz", b"4.16.0 -")
    hypervisors = find_hypervisors(tree, read=read)
    unusable = tuple(each.unusable_record for each in hypervisors if not each.is_usable)
    places = place_policies(hypervisors)
    wanted = make.wanted("one", artifacts=[make.artifact("one", boot_files=places[make.ABI_A])])
    receipt = make.apply(tree, replace(wanted, unusable=unusable))
    tree.write("/boot/xen-4.15.gz", b"4.16.0 -")
    again = probe_hypervisors(tree, receipt, read)
    assert [each.reason for each in again] == [
        "/boot/xen-4.15.gz was built without FLASK",
        "/boot/xen-4.16.gz was built without FLASK",
        "",
    ]


class TestPlacing:
    def file(self, path, abi):
        return HypervisorFile(path, "0", "4.17.7", abi)

    def test_one_file_for_each_hypervisor(self):
        places = place_policies(
            [self.file("/boot/xen-b.gz", "B"), self.file("/boot/xen-c.gz", "A"), self.file("/boot/xen-a.gz", "A")]
        )
        assert {abi: [boot.path for boot in files] for abi, files in places.items()} == {
            "A": ["/boot/xenpolicy-a", "/boot/xenpolicy-c"],
            "B": ["/boot/xenpolicy-b"],
        }

    def test_two_of_one_abi_share_a_file(self):
        places = place_policies([self.file("/boot/xen", "A"), self.file("/boot/xen.gz", "A")])
        assert [each.path for each in places["A"][0].hypervisors] == ["/boot/xen", "/boot/xen.gz"]

    def test_two_abis_cannot_share_a_file(self):
        with pytest.raises(TargetError) as caught:
            place_policies([self.file("/boot/xen", "A"), self.file("/boot/xen.gz", "B")])
        assert caught.value.code == "boot-file-clash"

    def test_what_cannot_take_a_policy_gets_none(self):
        assert place_policies([HypervisorFile("/boot/xen", "0", reason="no FLASK")]) == {}
