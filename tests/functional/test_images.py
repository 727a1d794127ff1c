"""`--image`: what tools of others find in the image afterwards, and what is refused."""

from __future__ import annotations

import fcntl
import os
import shutil
import stat
import subprocess
import sys
import tempfile
import time
from hashlib import sha256
from pathlib import Path

import pytest
from disk_images import MIB, ImageKind, attempt, build_image, dirty_journal, need_image_tools, run
from hypervisors import build_hypervisor

POLICY = "/boot/xenpolicy-4.17-amd64"
XEN = "/boot/xen-4.17-amd64.gz"

KINDS = (
    ImageKind("gpt", 512, "ext4"),
    ImageKind("gpt", 4096, "ext4", boot="ext4", efi=True),
    ImageKind("mbr", 512, "ext3", boot="ext2"),
    ImageKind("mbr", 4096, "ext4", efi=True),
    ImageKind("logical", 512, "ext2"),
    ImageKind("gpt", 512, "ext4", boot="vfat", efi=True),
    ImageKind("", 512, "ext4"),
    ImageKind("gpt", 512, "ext4", format="qcow2"),
    ImageKind("mbr", 4096, "ext3", boot="ext4", format="qcow2"),
    ImageKind("gpt", 4096, "ext4", efi=True, format="qcow2"),
)


@pytest.fixture(scope="module")
def hypervisor():
    return build_hypervisor("4.17")


@pytest.fixture
def make(tmp_path, hypervisor):
    def image(kind=KINDS[0], files=None, name="disk.img", **options):
        return build_image(tmp_path / name, kind, {XEN: hypervisor, **(files or {})}, **options)

    return image


def digest(path):
    return sha256(path.read_bytes()).hexdigest()


def policy_of(image):
    return image.read("/xenpolicy-4.17-amd64", "boot") if image.boot else image.read(POLICY)


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_a_change_is_there_and_the_file_systems_are_whole(call, make, kind):
    image = make(kind)
    done = call("install", "vmv", "--image", image.path, "--json")
    assert done.code == 0, done.err
    assert sha256(policy_of(image)).hexdigest() == done.document["policy"]["sha256"]
    assert b"vmv" in image.read("/etc/polpkg/policy.toml")
    assert "generations/1" in image.debugfs("stat /var/lib/polpkg/current")
    image.fsck()
    assert call("verify", "--image", image.path).code == 0
    assert call("status", "--image", image.path, "--json").document["generation"] == 1


def test_generations_go_back_and_are_confirmed(call, make):
    image = make()
    for words in (["install", "vmv"], ["install", "netdom"], ["rollback"], ["confirm"], ["history", "pin", "1"]):
        done = call(*words, "--image", image.path)
        assert done.code == 0, done.err
        image.fsck()
    history = call("history", "--image", image.path, "--json").document
    assert len(history["generations"]) == 3
    assert call("verify", "--image", image.path).code == 0
    assert call("explain", "vmv_t", "vmv_guest_t", "domain", "create", "--image", image.path).code == 0
    assert call("tree", "--image", image.path).code == 0


def test_what_is_written_belongs_to_root_with_the_modes_of_a_tree(call, make):
    image = make()
    assert call("install", "vmv", "--image", image.path).code == 0
    for path, mode in ((POLICY, "0644"), ("/etc/polpkg", "0755"), ("/var/lib/polpkg/generations/1/policydb", None)):
        told = image.debugfs(f"stat {path}")
        if mode:
            assert f"Mode:  {mode}" in told, told
            assert "User:     0   Group:     0" in told


@pytest.mark.parametrize("kind", [KINDS[0], KINDS[5], KINDS[9]], ids=str)
def test_nothing_moves_without_a_change(call, make, kind):
    image = make(kind)
    call("install", "vmv", "--image", image.path)
    before, number = digest(image.path), image.path.stat().st_ino
    for words in (
        ["status"],
        ["verify"],
        ["list"],
        ["probe"],
        ["history"],
        ["tree"],
        ["install", "vmv"],
        ["sync", "--locked"],
        ["install", "netdom", "--dry-run"],
    ):
        done = call(*words, "--image", image.path)
        assert done.code in {0, 10}, done.err
        assert (digest(image.path), image.path.stat().st_ino) == (before, number), words
    assert sorted(p.name for p in image.path.parent.iterdir() if "polpkg-new" in p.name) == []


def test_a_refused_change_leaves_the_image(call, make):
    image = make()
    before = digest(image.path)
    assert call("install", "no-such-package", "--image", image.path).code == 3
    assert digest(image.path) == before


@pytest.mark.parametrize("kind", [KINDS[0], KINDS[1], KINDS[5], KINDS[7], KINDS[9]], ids=str)
def test_the_same_change_of_two_copies_gives_the_same_bytes(call, make, monkeypatch, kind):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    image = make(kind)
    if kind == KINDS[1]:
        dirty_journal(image, "/etc/from-the-journal", b"journal")
    copy = image.path.with_name("other.img")
    shutil.copy(image.path, copy)
    for path in (image.path, copy):
        for words in (["install", "vmv"], ["install", "netdom"], ["remove", "vmv"]):
            assert call(*words, "--image", path).code == 0
        time.sleep(1.1)
    assert digest(image.path) == digest(copy)


class TestJournals:
    def test_what_only_the_journal_has_is_seen(self, call, tmp_path, hypervisor):
        image = build_image(tmp_path / "disk.img", KINDS[0])
        dirty_journal(image, XEN, hypervisor)
        before = digest(image.path)
        found = call("probe", "--image", image.path, "--json")
        assert [each["file"] for each in found.document["hypervisors"]] == [XEN]
        assert digest(image.path) == before, "reading leaves the journal as it is"

    @pytest.mark.parametrize("kind", [KINDS[0], KINDS[1], KINDS[2]], ids=str)
    def test_the_change_and_what_the_journal_has_are_both_there(self, call, make, kind):
        image = make(kind)
        dirty_journal(image, "/etc/from-the-journal", b"journal" * 1000)
        assert call("install", "vmv", "--image", image.path).code == 0
        image.fsck()
        assert image.read("/etc/from-the-journal") == b"journal" * 1000
        assert policy_of(image)
        assert "needs_recovery" not in image.debugfs("features")

    def test_of_a_qcow2(self, call, make, tmp_path):
        raw = make()
        dirty_journal(raw, "/etc/from-the-journal", b"journal" * 1000)
        run("qemu-img", "convert", "-O", "qcow2", raw.path, tmp_path / "disk.qcow2")
        image = raw._replace(path=tmp_path / "disk.qcow2", kind=raw.kind._replace(format="qcow2"))
        assert call("install", "vmv", "--image", image.path).code == 0
        image.fsck()
        assert image.read("/etc/from-the-journal") == b"journal" * 1000
        assert policy_of(image)

    def test_one_that_cannot_be_replayed_is_refused(self, call, make):
        image = make()
        dirty_journal(image, "/etc/from-the-journal", b"journal" * 1000)
        journal = image.debugfs("bmap <8> 0").split()[-1]
        with image.path.open("r+b") as file:
            file.seek(image.root[0] + int(journal) * 1024)
            file.write(bytes(1024))
        before = digest(image.path)
        done = call("install", "vmv", "--image", image.path, "--json")
        assert done.code != 0
        assert digest(image.path) == before
        assert done.document["error"]["code"] == "damaged-image"

    def test_a_file_system_that_was_not_unmounted_is_checked_first(self, call, make):
        image = make(ImageKind("gpt", 512, "ext2"))
        with image.path.open("r+b") as file:
            file.seek(image.root[0] + 1024 + 58)
            file.write(b"\0\0")
        assert call("install", "vmv", "--image", image.path).code == 0
        image.fsck()
        assert policy_of(image)

    def test_a_damaged_file_system_is_refused(self, call, make):
        image = make()
        numbers = image.debugfs("stat /usr")
        block = int(numbers.split("(0):")[1].split()[0])
        with image.path.open("r+b") as file:
            file.seek(image.root[0] + block * 1024)
            file.write(b"\xff" * 64)
        before = digest(image.path)
        done = call("install", "vmv", "--image", image.path, "--json")
        assert done.code != 0
        assert done.document["error"]["code"] == "damaged-image"
        assert digest(image.path) == before


class TestTheFile:
    def test_mode_and_attributes_stay(self, call, make):
        image = make()
        image.path.chmod(0o640)
        assert call("install", "vmv", "--image", image.path).code == 0
        status = image.path.stat()
        assert stat.S_IMODE(status.st_mode) == 0o640
        assert status.st_uid == os.geteuid()

    def test_it_stays_sparse(self, call, make):
        image = make(root_mib=400)
        before = image.path.stat().st_blocks
        assert call("install", "vmv", "--image", image.path).code == 0
        assert image.path.stat().st_blocks < before + 4096

    def test_a_link_is_followed_and_stays(self, call, make, tmp_path):
        image = make()
        (tmp_path / "other").mkdir()
        link = tmp_path / "other/link.img"
        link.symlink_to(image.path)
        assert call("install", "vmv", "--image", link).code == 0
        assert link.is_symlink()
        assert policy_of(image)
        assert list((tmp_path / "other").iterdir()) == [link]

    def test_hard_links_are_named(self, call, make, tmp_path):
        image = make()
        os.link(image.path, tmp_path / "second.img")
        assert call("status", "--image", image.path).code == 0
        done = call("install", "vmv", "--image", image.path, "--json")
        assert done.code == 6
        assert done.document["error"]["code"] == "image-hard-linked"

    @pytest.mark.parametrize(
        ("content", "code"),
        [
            (b"", "unsupported-image"),
            (b"x" * 100, "unsupported-image"),
            (bytes(MIB), "unsupported-image"),
            (b"KDMV" + bytes(MIB), "unsupported-image"),
            (b"\x1f\x8b\x08" + bytes(MIB), "unsupported-image"),
            (b"QFI\xfb" + bytes(20), "unsupported-image"),
            (b"QFI\xfb\0\0\0\x09" + bytes(MIB), "unsupported-image"),
        ],
    )
    def test_what_is_no_image(self, call, tmp_path, content, code):
        (tmp_path / "file").write_bytes(content)
        done = call("status", "--image", tmp_path / "file", "--json")
        assert done.code == 6
        assert done.document["error"]["code"] == code

    @pytest.mark.parametrize("path", ["nowhere.img", ".", "/dev/null"])
    def test_what_is_no_file(self, call, path):
        done = call("status", "--image", path)
        assert done.code == 6

    @pytest.mark.parametrize(
        ("options", "reason"),
        [(("-b", "base.raw", "-F", "raw"), "backing file"), (("-o", "data_file=data.raw"), "another file")],
    )
    def test_a_qcow2_that_is_not_alone(self, call, make, tmp_path, options, reason):
        need_image_tools("qemu-img")
        make(name="base.raw")
        run("qemu-img", "create", "-f", "qcow2", *options, "q.qcow2", "30M")
        done = call("status", "--image", "q.qcow2")
        assert done.code == 6
        assert reason in done.told

    def test_other_options_of_qcow2_stay(self, call, make, tmp_path):
        need_image_tools("qemu-img")
        raw = make()
        path = tmp_path / "small.qcow2"
        run("qemu-img", "convert", "-c", "-O", "qcow2", "-o", "cluster_size=4k,lazy_refcounts=on", raw.path, path)
        run("qemu-img", "snapshot", "-c", "before", path)
        assert call("install", "vmv", "--image", path).code == 0
        assert b"No errors" in run("qemu-img", "check", path)
        told = run("qemu-img", "info", path)
        assert b"cluster_size: 4096" in told
        assert b"lazy refcounts: true" in told
        assert b"before" in told
        image = raw._replace(path=path, kind=raw.kind._replace(format="qcow2"))
        assert policy_of(image)
        run("qemu-img", "snapshot", "-a", "before", path)
        assert policy_of(image) is None


class TestInUse:
    def refused(self, call, path):
        done = call("install", "vmv", "--image", path, "--json")
        assert done.code == 6, done.out
        assert done.document["error"]["code"] == "image-in-use"
        return done.document["error"]["message"]

    @pytest.mark.parametrize("kind", [KINDS[0], KINDS[7]], ids=str)
    def test_by_qemu(self, call, make, kind):
        need_image_tools("qemu-nbd")
        image = make(kind)
        nbd = subprocess.Popen(["qemu-nbd", "-f", kind.format, "-k", image.path.parent / "s", "-t", image.path])
        try:
            for _ in range(200):
                if (image.path.parent / "s").exists():
                    break
                time.sleep(0.05)
            assert "QEMU" in self.refused(call, image.path)
        finally:
            nbd.terminate()
            nbd.wait()
        assert call("install", "vmv", "--image", image.path).code == 0

    def test_by_a_program_that_writes(self, call, make):
        image = make()
        with image.path.open("r+b") as file, subprocess.Popen(["sleep", "60"], stdin=file) as process:
            file.close()
            try:
                assert "sleep" in self.refused(call, image.path)
            finally:
                process.kill()

    def test_reading_it_is_no_use(self, call, make):
        image = make()
        with image.path.open("rb") as file, subprocess.Popen(["sleep", "60"], stdin=file) as process:
            try:
                assert call("install", "vmv", "--image", image.path).code == 0
            finally:
                process.kill()

    def test_another_polpkg_is_waited_for(self, call, make):
        image = make()
        holder = subprocess.Popen(["flock", image.path, "sleep", "1"])
        while True:  # until it has the lock
            with image.path.open("rb") as file:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    break
            time.sleep(0.01)
        assert call("install", "vmv", "--image", image.path).code == 0
        assert holder.wait() == 0


class TestRoots:
    def test_several_are_named_and_one_can_be_chosen(self, call, tmp_path, hypervisor):
        kind = ImageKind("gpt", 512, "ext4", boot="ext4")
        image = build_image(tmp_path / "disk.img", kind, {"/boot/etc/fstab": b"", XEN: hypervisor}, fstab=False)
        done = call("status", "--image", image.path, "--json")
        assert done.code == 6
        assert done.document["error"]["code"] == "several-root-partitions"
        assert "partitions 1 and 2" in done.document["error"]["message"]
        assert call("status", "--image", image.path, "--partition", "2").code == 0
        assert call("status", "--image", image.path, "--partition", "7").code == 6

    def test_the_option_needs_an_image(self, call, tmp_path):
        assert call("status", "--root", tmp_path, "--partition", "1").code == 2

    def test_a_boot_partition_that_is_not_there(self, call, make):
        image = make(files={"/etc/fstab": b"UUID=0000-0000 /boot vfat defaults 0 0\n"}, fstab=False)
        done = call("install", "vmv", "--image", image.path)
        assert done.code == 6
        assert "UUID=0000-0000" in done.err

    def test_no_hypervisor(self, call, tmp_path):
        image = build_image(tmp_path / "disk.img")
        assert call("install", "vmv", "--image", image.path).code == 6
        assert call("install", "vmv", "--image", image.path, "--xen", "4.17").code == 0
        image.fsck()

    def test_several_hypervisors(self, call, make):
        image = make(files={"/boot/xen-4.22-amd64.gz": build_hypervisor("4.22.0")})
        assert call("install", "vmv", "--image", image.path).code == 0
        assert image.read(POLICY)
        assert image.read("/boot/xenpolicy-4.22-amd64") not in {None, image.read(POLICY)}

    def test_the_efi_partition_of_systemd(self, call, make):
        """Without a line in /etc/fstab it is mounted where there is an empty directory for it."""
        image = make(ImageKind("gpt", 512, "ext4", efi=True), {"/boot/efi/EFI/xen/xen.efi": b""}, fstab=False)
        found = call("probe", "--image", image.path, "--json")
        assert any("/boot/efi/" in str(each) for each in found.document["hypervisors"]), found.out

    @pytest.mark.parametrize("mark", [(0x10040, b"_BHRfS_M"), (0, b"XFSB"), (0, b"LUKS\xba\xbe"), (512, b"LABELONE")])
    def test_other_file_systems_are_named(self, call, make, mark):
        image = make()
        with image.path.open("r+b") as file:
            file.seek(image.root[0])
            file.write(bytes(4096))
            file.seek(image.root[0] + mark[0])
            file.write(mark[1])
        done = call("status", "--image", image.path)
        assert done.code == 6
        assert "libguestfs-tools" in done.err

    @pytest.mark.parametrize("feature", ["inline_data", "quota", "encrypt", "casefold"])
    def test_what_ext4_has_that_is_not_known(self, call, make, feature):
        image = make()
        part = image.path.with_suffix(".p")
        with image.path.open("r+b") as file:
            file.seek(image.root[0])
            part.write_bytes(file.read(image.root[1]))
            if (
                attempt("tune2fs", "-f", "-O", feature, part).returncode
                and attempt("debugfs", "-w", "-R", f"feature {feature}", part).returncode
            ):
                pytest.skip(f"cannot make {feature}")
            file.seek(image.root[0])
            file.write(part.read_bytes())
        before = digest(image.path)
        done = call("install", "vmv", "--image", image.path, "--json")
        assert done.code == 6, done.out
        assert done.document["error"]["code"] == "unsupported-file-system"
        assert digest(image.path) == before


def test_a_full_file_system_is_told_before(call, make):
    image = make(root_mib=8, files={"/usr/ballast": os.urandom(6_500_000)})
    before = digest(image.path)
    done = call("install", "vmv", "--image", image.path, "--json")
    assert done.code == 6
    assert done.document["error"]["code"] == "target-full"
    assert digest(image.path) == before


@pytest.mark.parametrize("tool", ["debugfs", "e2fsck", "mcopy", "fsck.fat", "qemu-nbd", "qemu-img"])
def test_a_missing_tool_is_named_with_its_package(call, make, monkeypatch, tool):
    from polpkg.targets.image import tools

    kind = KINDS[5] if tool in {"mcopy", "fsck.fat"} else KINDS[7] if tool.startswith("qemu") else KINDS[0]
    image = make(kind)
    real = shutil.which
    monkeypatch.setattr(tools.shutil, "which", lambda name, path=None: None if name == tool else real(name, path=path))
    before = digest(image.path)
    done = call("install", "vmv", "--image", image.path)
    assert done.code != 0
    assert "package" in done.err
    assert digest(image.path) == before


@pytest.mark.parametrize("kind", [KINDS[0], KINDS[5], KINDS[9]], ids=str)
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become nobody; everybody else is unprivileged anyway")
def test_nobody_can_do_it(open_folder, hypervisor, kind):
    """No root, no FUSE, no loop device: what is written belongs to root all the same."""
    image = build_image(open_folder / "disk.img", kind, {XEN: hypervisor})
    if kind == KINDS[0]:
        dirty_journal(image, "/etc/from-the-journal", b"journal")
    for path in (open_folder, image.path):
        os.chown(path, 65534, 65534)
    words = ("install", "vmv", "--image", image.path)
    done = as_nobody(open_folder, *words)
    assert done.returncode == 0, done.stderr
    assert (image.path.stat().st_uid, image.path.stat().st_gid) == (65534, 65534)
    assert "User:     0   Group:     0" in image.debugfs("stat /etc/polpkg/policy.toml")
    assert image.read("/etc/from-the-journal") == (b"journal" if kind == KINDS[0] else None)
    image.fsck()
    assert policy_of(image)
    assert as_nobody(open_folder, "verify", "--image", image.path).returncode == 0


@pytest.fixture
def open_folder():
    """A directory that everybody can enter, which those of pytest are not."""
    need_image_tools("setpriv")
    with tempfile.TemporaryDirectory(prefix="polpkg-test-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        if as_nobody(folder, "--help").returncode:
            pytest.skip("nobody may not run this Python")
        yield folder


def as_nobody(folder, *words):
    environment = {
        **{name: value for name, value in os.environ.items() if name in {"PATH", "PYTHONPATH"}},
        "POLPKG_CACHE": str(folder / "cache"),
        "XDG_STATE_HOME": str(folder / "state"),
        "HOME": str(folder),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    nobody = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--no-new-privs")
    command = [*nobody, sys.executable, "-m", "polpkg", *map(str, words)]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, timeout=120, check=False)


def test_an_image_gets_what_a_tree_gets(call, make, tmp_path, monkeypatch, hypervisor):
    """The same commands on a tree and on an image with GRUB: the same files, links and modes."""
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    files = {
        XEN: hypervisor,
        "/etc/default/grub": b"GRUB_DISTRIBUTOR=Debian\n",
        "/etc/grub.d/20_linux_xen": b"#!/bin/sh\n",
        "/boot/grub/grub.cfg": b"# grub.cfg\n",
        "/boot/vmlinuz-6.1.0-18-amd64": b"kernel",
        "/boot/initrd.img-6.1.0-18-amd64": b"initrd",
    }
    image = make(files=files, fstab=False)
    root = tmp_path / "tree"
    for folder in ("etc", "usr", "boot", "var/lib"):
        (root / folder).mkdir(parents=True)
    for path, content in files.items():
        (root / path[1:]).parent.mkdir(parents=True, exist_ok=True)
        (root / path[1:]).write_bytes(content)
    for words in (["install", "vmv"], ["confirm"], ["install", "netdom"], ["rollback"], ["remove", "vmv"]):
        for place in (["--root", root], ["--image", image.path]):
            done = call(*words, *place)
            assert done.code == 0, done.err
    image.fsck()
    dumped = tmp_path / "dumped"
    dumped.mkdir()
    image.debugfs(f"rdump / {dumped}")
    found, expected = (listing(each) for each in (dumped, root))
    assert "etc/grub.d/09_polpkg" in found
    assert found == expected
    probes = [call("probe", *place, "--json").document for place in (["--root", root], ["--image", image.path])]
    assert {**probes[0], "target": ""} == {**probes[1], "target": ""}


def listing(root):
    left_out = {"lost+found", "var/lib/polpkg/lock"}
    names = {str(each.relative_to(root)): each for each in root.rglob("*")}
    return {name: what_is(each) for name, each in names.items() if name not in left_out}


def what_is(path):
    if path.is_symlink():
        return str(path.readlink())
    mode = stat.S_IMODE(path.stat().st_mode)
    return (mode, path.read_bytes() if path.is_file() else None)


class TestKernel:
    """What the kernel has to say, where root may mount an image."""

    @pytest.fixture
    def mount(self, tmp_path):
        mounted = []

        def mount(image, options="ro"):
            folder = tmp_path / f"mounted-{len(mounted)}"
            folder.mkdir()
            where = f"loop,offset={image.root[0]},sizelimit={image.root[1]},{options}"
            done = attempt("mount", "-o", where, image.path, folder)
            if done.returncode:
                pytest.skip(f"cannot mount: {done.stderr.decode().strip()}")
            mounted.append(folder)
            return folder

        yield mount
        for folder in mounted:
            attempt("umount", folder)

    @pytest.mark.parametrize("root", ["ext2", "ext3", "ext4"])
    def test_the_kernel_finds_what_was_written(self, call, make, mount, root):
        image = make(ImageKind("gpt", 512, root))
        assert call("install", "vmv", "--image", image.path).code == 0
        folder = mount(image, "rw")
        assert (folder / POLICY[1:]).read_bytes() == policy_of(image)
        assert (folder / "var/lib/polpkg/current/policy.lock").read_bytes() == image.read("/etc/polpkg/policy.lock")
        (folder / "var/lib/polpkg/more").write_bytes(b"x" * 100_000)
        assert (folder / "etc/polpkg").stat().st_uid == 0

    @pytest.mark.parametrize("root", ["ext3", "ext4"])
    def test_a_journal_that_the_kernel_left(self, call, make, mount, tmp_path, root):
        """The image as it is while it is mounted: what a machine leaves that loses its power."""
        image = make(ImageKind("gpt", 512, root))
        folder = mount(image, "rw")
        for n in range(50):
            (folder / f"etc/file-{n}").write_bytes(b"%d" % n * 1000)
        (folder / "boot/xen-4.22-amd64.gz").write_bytes(build_hypervisor("4.22.0"))
        (folder / "etc/file-7").unlink()
        run("sync", "-f", folder)
        crashed = image._replace(path=tmp_path / "crashed.img")
        shutil.copy(image.path, crashed.path)
        assert "needs_recovery" in crashed.debugfs("features")
        before = digest(crashed.path)
        found = call("probe", "--image", crashed.path, "--json").document["hypervisors"]
        assert len(found) == 2
        assert digest(crashed.path) == before
        assert call("install", "vmv", "--image", crashed.path).code == 0
        crashed.fsck()
        assert crashed.read("/etc/file-7") is None
        assert crashed.read("/etc/file-49") == b"49" * 1000
        assert policy_of(crashed)
        assert crashed.read("/boot/xenpolicy-4.22-amd64")

    def test_what_is_mounted_is_in_use(self, call, make, mount):
        image = make()
        mount(image)
        done = call("install", "vmv", "--image", image.path, "--json")
        assert done.document["error"]["code"] == "image-in-use"
        assert "/dev/loop" in done.document["error"]["message"]
