"""What a configuration asks for: kinds, labels, backends, devices."""

import pytest

from polpkg.errors import PolicyError
from polpkg.targets.xl.guest import GuestKind, read_guest


def guest(text):
    """The guest of a text."""
    return read_guest(text, "guest.cfg")


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("", GuestKind.PV),
        ("type = 'pv'", GuestKind.PV),
        ("type = 'pvh'", GuestKind.PVH),
        ("type = 'hvm'", GuestKind.HVM),
        ("builder = 'hvm'", GuestKind.HVM),
        ("builder = 'hvm'; type = 'pvh'", GuestKind.PVH),
    ],
)
def test_kinds(text, kind):
    assert guest(text).kind is kind


@pytest.mark.parametrize(
    ("disk", "backend", "copies"),
    [
        ("phy:/dev/vg/web,xvda,w", "Domain-0", False),
        ("/dev/vg/web,raw,xvda,rw,backend=stordom", "stordom", False),
        ("format=qcow2, vdev=xvda, access=rw, backend=stordom, target=/x.qcow2", "stordom", True),
        ("vdev=xvda,target=/x,backend=stordom", "Domain-0", False),
        ("/x.qcow2,qcow2,xvda", "Domain-0", True),
        ("qcow2:/x.qcow2,xvda,w", "Domain-0", True),
        ("tap:qcow2:/x.qcow2,xvda,w", "Domain-0", True),
        ("/x.qcow2,qcow2,xvda,backendtype=phy", "Domain-0", False),
        ("backendtype=qdisk,vdev=xvda,target=/x", "Domain-0", True),
        (",,hdc,cdrom", "Domain-0", False),
    ],
)
def test_disks(disk, backend, copies):
    found = guest(f"disk = [ '{disk}' ]").disks
    assert [(each.kind, each.backend, each.copies) for each in found] == [("disk", backend, copies)]


def test_interfaces():
    found = guest("vif = [ 'mac=00:16:3e:00:00:01, bridge=br0,backend=net', '' ]").vifs
    assert [(each.kind, each.backend) for each in found] == [("vif", "net"), ("vif", "Domain-0")]


@pytest.mark.parametrize(
    ("text", "address", "sbdf"),
    [
        ("03:00.0", "0000:03:00.0", 0x0300),
        ("0000:03:00.1", "0000:03:00.1", 0x0301),
        ("1:AF:1f.7@5,seize=1", "0001:af:1f.7", 0x1AFFF),
        ("bdf=36:00.0,vslot=20", "0000:36:00.0", 0x3600),
        ("00:19.*", "0000:00:19.*", 0x00C8),
    ],
)
def test_pci_devices(text, address, sbdf):
    (found,) = guest(f"pci = [ '{text}' ]").pci
    assert (str(found), found.sbdf) == (address, sbdf)


def test_a_device_by_name_is_left_to_the_host():
    assert guest("pci = [ 'name=nic' ]").pci == ()


@pytest.mark.parametrize(
    ("text", "line", "column"),
    [
        ("\npci = [ '3:0' ]", 2, 9),
        ("pci = '03:00.0'", 1, 1),
        ("seclabel = [ 'a:b:c' ]", 1, 1),
        ("type = 'xen'", 1, 8),
        ("pci = [ '03:20.0' ]", 1, 9),
        ("pci = [ '03:00.8' ]", 1, 9),
    ],
)
def test_values_that_cannot_be(text, line, column):
    with pytest.raises(PolicyError) as caught:
        guest(text)
    assert (caught.value.code, caught.value.origin.line, caught.value.origin.column) == ("xl-value", line, column)


@pytest.mark.parametrize(
    ("key", "meant"),
    [
        ("seclable", "seclabel"),
        ("sec_label", "seclabel"),
        ("initseclabel", "init_seclabel"),
        ("init_sec_label", "init_seclabel"),
        ("device_model_stubdom_seclabel", "device_model_stubdomain_seclabel"),
        ("stubdomain_seclabel", "device_model_stubdomain_seclabel"),
    ],
)
def test_misspelt_keys_are_found(key, meant):
    (slip,) = guest(f"name = 'x'\n{key} = 'a'").slips
    assert slip.code == "label-misspelt"
    assert slip.hint == f"did you mean `{meant}`?"
    assert slip.origin.line == 2


def test_keys_of_xl_are_no_slips():
    keys = (
        "name memory vcpus kernel ramdisk disk_ on_crash device_model_override device_model_stubdomain_override label"
    )
    assert not guest("\n".join(f"{key} = '1'" for key in keys.split())).slips


def test_a_label_that_is_set_twice_is_told():
    (slip,) = guest("seclabel = 'a'\nseclabel = 'b'").slips
    assert (slip.code, slip.origin.line) == ("label-repeated", 2)


def test_stub_domains_are_of_hvm_guests():
    text = "device_model_stubdomain_override = 1; nomigrate = 1; type = "
    assert guest(f"{text}'hvm'").has_stub_domain
    assert not guest(f"{text}'pvh'").has_stub_domain
    assert not guest(f"{text}'pvh'").can_migrate
    assert guest("").can_migrate
