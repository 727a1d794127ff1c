import bz2
import dataclasses
import gzip
import lzma
import struct

import pytest
from hypervisors import ARM_BASE, CONTAINERS, build_hypervisor

from polpkg.errors import TargetError, UsageError
from polpkg.policy.abi import Abi, SecurityClass, known_tables, load_abi
from polpkg.policy.abi.hypervisor import SidSource, inspect_hypervisor, read_hypervisor, resolve_xen
from polpkg.policy.abi.image import MAX_SIZE

UNKNOWN = Abi(
    (
        SecurityClass("xen", ("settime", "reboot", "time")),
        SecurityClass("silent", ()),
        SecurityClass("file", ("read", "write", "settime")),
    ),
    ("first", "second"),
    "5.1.0",
)


@pytest.mark.parametrize("container", CONTAINERS)
@pytest.mark.parametrize("abi", known_tables(), ids=lambda abi: abi.version)
def test_every_known_table_is_read_from_every_container(abi, container):
    found = read_hypervisor(build_hypervisor(abi, container=container))
    assert found.abi == abi
    assert found.version == abi.version
    assert found.flask
    assert found.sids is SidSource.FILE
    assert not found.built_in_policy


@pytest.mark.parametrize(
    ("container", "containers", "architecture"),
    [
        ("gz", ("gz", "elf32"), "x86-64"),
        ("elf64", ("elf64",), "x86-64"),
        ("pe", ("pe",), "x86-64"),
        ("image", ("image",), "arm64"),
    ],
)
def test_containers_and_architectures_are_told(container, containers, architecture):
    found = read_hypervisor(build_hypervisor("4.20", container=container))
    assert (found.containers, found.architecture) == (containers, architecture)


def test_a_gzipped_arm_image_is_read():
    found = read_hypervisor(gzip.compress(build_hypervisor("4.19", container="image")))
    assert found.containers == ("gz", "image")
    assert found.abi == load_abi("4.19")


def test_a_file_is_read_and_named(tmp_path):
    path = tmp_path / "xen-4.17-amd64.gz"
    path.write_bytes(build_hypervisor("4.17"))
    assert read_hypervisor(path).name == str(path)
    assert read_hypervisor(str(path), "boot/xen-4.17-amd64.gz").name == "boot/xen-4.17-amd64.gz"


def test_the_order_of_classes_in_the_permission_table_does_not_matter():
    order = (1, 3, 2, *range(4, 14))
    assert read_hypervisor(build_hypervisor("4.21", class_order=order)).abi == load_abi("4.21")


def test_an_unknown_table_is_read_too():
    found = read_hypervisor(build_hypervisor(UNKNOWN))
    assert found.abi == UNKNOWN
    assert found.sids is SidSource.UNCERTAIN


def test_names_after_the_initial_sids_are_taken_for_such_only_when_nothing_is_known():
    followers = ("lower", "case")
    assert read_hypervisor(build_hypervisor("4.22", after_sids=followers)).abi == load_abi("4.22")
    found = read_hypervisor(build_hypervisor(UNKNOWN, after_sids=followers))
    assert found.abi.initial_sids == ("first", "second", "lower", "case")
    assert found.sids is SidSource.UNCERTAIN


def test_known_initial_sids_confirm_an_unknown_table():
    odd = dataclasses.replace(UNKNOWN, initial_sids=load_abi("4.22").initial_sids)
    found = read_hypervisor(build_hypervisor(odd))
    assert found.abi == odd
    assert found.sids is SidSource.FILE


def test_initial_sids_that_are_not_found_come_from_the_known_table_and_it_says_so():
    data = build_hypervisor("4.17", container="image")
    found = read_hypervisor(without_sids(data))
    assert found.abi == load_abi("4.17")
    assert found.sids is SidSource.TABLE


def test_initial_sids_that_nobody_knows_are_an_error():
    with pytest.raises(TargetError, match="initial SIDs") as caught:
        read_hypervisor(without_sids(build_hypervisor(UNKNOWN, container="image")))
    assert caught.value.code == "unreadable-abi"


def without_sids(data: bytes) -> bytes:
    """`data`, an arm64 image, without the pointer that begins the table of initial SIDs."""
    pointer = struct.pack("<Q", ARM_BASE + data.index(b"\0null\0") + 1)
    return data.replace(pointer, bytes(8), 1)


@pytest.mark.parametrize("banner", ["efi", "text"])
@pytest.mark.parametrize("version", ["4.17.7", "4.17.8-pre", "4.23-unstable"])
def test_the_version_is_read_from_either_banner(banner, version):
    abi = dataclasses.replace(load_abi("4.17"), version=version)
    found = read_hypervisor(build_hypervisor(abi, banner=banner))
    assert found.version == version
    assert found.abi.version == version


def test_without_a_banner_the_oldest_version_with_the_table_is_assumed_for_the_abi_only():
    found = read_hypervisor(build_hypervisor("4.18.2", banner=""))
    assert found.version == ""
    assert found.abi.version == "4.17.0"
    assert read_hypervisor(build_hypervisor(UNKNOWN, banner="")).abi.version == ""


@pytest.mark.parametrize("container", CONTAINERS)
def test_a_built_in_policy_is_noticed(container):
    assert read_hypervisor(build_hypervisor("4.20", container=container, built_in_policy=True)).built_in_policy


@pytest.mark.parametrize("container", CONTAINERS)
def test_a_build_without_flask_is_a_clear_error(container):
    data = build_hypervisor("4.17", container=container, flask=False)
    found = inspect_hypervisor(data, "xen.gz")
    assert (found.flask, found.version, found.sids) == (False, "4.17.7", None)
    with pytest.raises(TargetError) as caught:
        read_hypervisor(data, "xen.gz")
    assert caught.value.code == "hypervisor-without-flask"
    assert caught.value.message == "xen.gz (Xen 4.17.7) was built without FLASK"
    assert caught.value.exit_code == 6


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "not-a-hypervisor"),
        (b"Xen version %d.%d%s", "not-a-hypervisor"),
        (b"\x7fELF", "not-a-hypervisor"),
        (b"\x7fELF\x03\x01" + bytes(100), "not-a-hypervisor"),
        (b"\x7fELF\x02\x02" + bytes(100), "not-a-hypervisor"),
        (b"\x7fELF\x02\x01" + bytes(100), "not-a-hypervisor"),
        (b"MZ", "not-a-hypervisor"),
        (b"MZ" + bytes(200), "not-a-hypervisor"),
        (gzip.compress(b"hello", mtime=0), "not-a-hypervisor"),
        (gzip.compress(gzip.compress(b"hello", mtime=0), mtime=0), "not-a-hypervisor"),
        (b"\x1f\x8bgarbage", "damaged-hypervisor"),
        (build_hypervisor("4.17")[:-40], "damaged-hypervisor"),
        (build_hypervisor("4.17", container="elf32")[:-40], "damaged-hypervisor"),
        (build_hypervisor("4.17", container="elf64")[:70], "damaged-hypervisor"),
        (build_hypervisor("4.17", container="pe")[:400], "damaged-hypervisor"),
        (build_hypervisor("4.17", container="pe")[:4000], "damaged-hypervisor"),
        (lzma.compress(b"xen"), "unsupported-compression"),
        (bz2.compress(b"xen"), "unsupported-compression"),
        (b"\x28\xb5\x2f\xfd" + bytes(20), "unsupported-compression"),
        (build_hypervisor("4.17", container="image").replace(b"settime\0", b"?ettime\0"), "unreadable-abi"),
    ],
)
def test_what_is_wrong_with_a_file_is_told(data, code):
    with pytest.raises(TargetError) as caught:
        read_hypervisor(data, "odd.gz")
    assert caught.value.code == code
    assert "odd.gz" in caught.value.message


def test_a_program_that_is_not_xen_is_refused():
    data = build_hypervisor("4.17", container="elf64").replace(b"Xen version", b"Zen version")
    with pytest.raises(TargetError, match="not a Xen hypervisor"):
        read_hypervisor(data)


def test_pointers_to_nowhere_are_no_names():
    data = build_hypervisor("4.17", container="image")
    sids = data.index(struct.pack("<Q", ARM_BASE + data.index(b"\0null\0") + 1))
    found = read_hypervisor(data[: sids + 8] + b"\xff" * 8 + data[sids + 16 :])
    assert found.abi == load_abi("4.17")
    assert found.sids is SidSource.TABLE


@pytest.mark.parametrize("path", ["missing.gz", ".", "zero\0byte"])
def test_files_that_cannot_be_read_are_an_error(tmp_path, path):
    with pytest.raises(TargetError) as caught:
        read_hypervisor(tmp_path / path)
    assert caught.value.code == "unreadable-hypervisor"


def test_unpacking_is_bounded():
    bomb = gzip.compress(bytes(MAX_SIZE + 1), 9)
    with pytest.raises(TargetError, match="too large when unpacked"):
        read_hypervisor(bomb)


def test_segments_far_apart_are_refused():
    data = bytearray(build_hypervisor("4.17", container="elf64"))
    struct.pack_into("<Q", data, 64 + 16, 1 << 40)
    with pytest.raises(TargetError, match="too far apart"):
        read_hypervisor(bytes(data))


def test_payload_sections_of_a_unified_image_are_not_taken_for_the_hypervisor():
    data = build_hypervisor("4.17", container="pe")
    with_policy = data.replace(b"/4\0\0\0\0\0\0", b".xsm\0\0\0\0").replace(
        b"null\0settime\0null\0se", b"\x8c\xff\x7c\xf9\x08\0\0\0XenFlask"
    )
    assert with_policy != data
    assert not read_hypervisor(with_policy).built_in_policy


@pytest.mark.parametrize("xen", ["4.17", "4.18.3"])
def test_xen_may_be_a_version(xen):
    assert resolve_xen(xen) == load_abi(xen)


def test_xen_may_be_a_file(tmp_path, monkeypatch):
    (tmp_path / "xen.gz").write_bytes(build_hypervisor("4.20.1"))
    assert resolve_xen(str(tmp_path / "xen.gz")) == load_abi("4.20.1")
    monkeypatch.chdir(tmp_path)
    assert resolve_xen("xen.gz") == load_abi("4.20.1")


def test_xen_that_is_neither_is_a_usage_error(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError):
        resolve_xen("xen.gz")
    with pytest.raises(TargetError):
        resolve_xen("/boot/no such file")
