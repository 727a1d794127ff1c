"""What the box is made of: found wherever it may lie, and all that is missing named at once."""

import lzma
import shutil
import subprocess

import pytest
from boxes import make_kernel, make_pieces, put, put_ldd

from polpkg.errors import PolpkgError
from polpkg.targets.lab.kernel import unpack_kernel
from polpkg.targets.lab.pieces import find_pieces, unpack_debs
from polpkg.targets.lab.system import make_system

RELEASE = "6.1.0-1-amd64"


def there(name):
    return f"/usr/bin/{name}"


@pytest.fixture
def root(tmp_path):
    make_pieces(tmp_path / "root")
    return tmp_path / "root"


def refused(root, which=there):
    with pytest.raises(PolpkgError) as caught:
        find_pieces((root,), "4.17.7", which)
    return caught.value


def test_everything_is_found(root):
    found = find_pieces((root,), "4.17.7", there)
    assert (found.release, found.kernel.release) == ("4.17", RELEASE)
    assert found.kernel.modules["xenfs"] == b"xenfs"
    assert found.fits("4.17.7")
    assert not found.fits("4.18.0")


def test_all_that_is_missing_is_named_at_once(tmp_path):
    error = refused(tmp_path, lambda name: None)
    assert error.code == "lab-pieces-missing"
    for package in ("qemu-system-x86", "linux-image-amd64", "busybox-static", "xen-utils-4.17", "xenstore-utils"):
        assert package in error.message
        assert package in error.diagnostics[0].hint


def test_only_what_is_missing_is_named(root):
    (root / "bin/busybox").unlink()
    assert refused(root).message == "the lab needs what is not here: busybox (busybox-static)"


def test_a_kernel_that_cannot_be_dom0_is_none(root):
    put(root / f"boot/config-{RELEASE}", b"CONFIG_X=y\n# CONFIG_XEN_PV_DOM0 is not set\n")
    assert "a Linux kernel that can be dom0" in refused(root).message


def test_missing_modules_are_named(root):
    (root / f"lib/modules/{RELEASE}/kernel/drivers/xenfs.ko").unlink()
    assert "the kernel modules xenfs (linux-image-6.1.0-1-amd64)" in refused(root).message


def test_the_newest_kernel_is_taken(root):
    make_pieces(root, release="6.12.9-amd64")
    make_pieces(root, release="6.1.10-amd64")
    assert find_pieces((root,), "4.17.7", there).kernel.release == "6.12.9-amd64"


def test_packed_modules_are_unpacked(root):
    module = root / f"lib/modules/{RELEASE}/kernel/drivers/xenfs.ko"
    module.unlink()
    put(module.with_name("xenfs.ko.xz"), lzma.compress(b"packed"))
    assert find_pieces((root,), "4.17.7", there).kernel.modules["xenfs"] == b"packed"


def test_tools_that_fit_go_before_others(root):
    make_pieces(root, series="4.11")
    make_pieces(root, series="4.20")
    assert find_pieces((root,), "4.20.4", there).release == "4.20"
    assert find_pieces((root,), "4.2.1", there).release == "4.11"


def test_an_earlier_root_goes_first(root, tmp_path):
    make_pieces(tmp_path / "debs", series="4.17", release="6.6.1-amd64")
    assert find_pieces((tmp_path / "debs", root), "4.17.7", there).kernel.release == "6.6.1-amd64"


def test_a_folder_without_packages(tmp_path):
    with pytest.raises(PolpkgError, match="holds no"):
        unpack_debs(tmp_path, tmp_path / "into")


@pytest.mark.skipif(not shutil.which("dpkg-deb"), reason="dpkg-deb is not installed")
def test_packages_are_unpacked_as_far_as_needed(root, tmp_path):
    put(root / "DEBIAN/control", b"Package: all\nVersion: 1\nArchitecture: all\nMaintainer: nobody\nDescription: all\n")
    (root / "DEBIAN").chmod(0o755)
    put(root / f"lib/modules/{RELEASE}/kernel/drivers/other.ko", b"not needed")
    (tmp_path / "debs").mkdir()
    subprocess.run(["dpkg-deb", "--build", root, tmp_path / "debs/all.deb"], check=True, capture_output=True)
    into = unpack_debs(tmp_path / "debs", tmp_path / "into")
    assert find_pieces((into,), "4.17.7", there).kernel.release == RELEASE
    assert not list(into.rglob("other.ko"))


@pytest.mark.skipif(not shutil.which("dpkg-deb"), reason="dpkg-deb is not installed")
def test_a_damaged_package_is_named(tmp_path):
    (tmp_path / "bad.deb").write_bytes(b"!<arch>\nno")
    with pytest.raises(PolpkgError, match=r"bad\.deb cannot be unpacked"):
        unpack_debs(tmp_path, tmp_path / "into")


def test_a_kernel_is_unpacked():
    assert unpack_kernel(make_kernel(b"linux"), "vmlinuz") == b"linux"


def test_a_kernel_packed_otherwise_stays_as_it_is():
    image = bytearray(make_kernel(b"linux"))
    image[2048:2052] = b"\x28\xb5\x2f\xfd"  # zstd
    assert unpack_kernel(bytes(image), "vmlinuz") == bytes(image)


@pytest.mark.parametrize("image", [b"", b"\x7fELF", make_kernel()[:-20]])
def test_what_is_no_kernel_is_refused(image):
    with pytest.raises(PolpkgError, match="vmlinuz is"):
        unpack_kernel(image, "vmlinuz")


def test_the_system_has_its_programs_libraries_and_modules(root, tmp_path, monkeypatch):
    put_ldd(tmp_path / "bin")
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    system = make_system(find_pieces((root,), "4.17.7", there))
    assert system.dom0["sbin/xl"].content == b"/usr/lib/xen-4.17/bin/xl"
    assert system.dom0["usr/lib/x86_64-linux-gnu/libone.so.1"].content == b"a library"
    assert "bin/ls" in system.guest
    assert "modules/xen-netback.ko" not in system.dom0
    assert b"xen-netback" in system.guest["modules/order"].content


def test_a_missing_library_is_named_with_its_package(root, tmp_path, monkeypatch):
    put_ldd(tmp_path / "bin", "libxencall.so.1 => not found")
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    with pytest.raises(PolpkgError, match=r"libxencall\.so\.1 \(libxencall1\)"):
        make_system(find_pieces((root,), "4.17.7", there))
