"""The image builders of examples/, by the commands of their READMEs, with the real builder where it is installed.

POLPKG_MIRROR       a mirror of Debian; without it whatever needs one is skipped
POLPKG_BITBAKE      a checkout of bitbake, when there is none on the PATH
POLPKG_IMAGEBUILDER ImageBuilder's uboot-script-gen
"""

import locale
import os
import re
import shlex
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
from grub_roots import PROBE, can_make_config, furnish
from hypervisors import build_hypervisor

EXAMPLES = Path(__file__).parents[2] / "examples"
MIRROR = os.environ.get("POLPKG_MIRROR", "")
BITBAKE = shutil.which("bitbake", path=f"{os.environ.get('POLPKG_BITBAKE', '')}/bin:{os.environ['PATH']}")
IMAGEBUILDER = os.environ.get("POLPKG_IMAGEBUILDER", "")


def has_locale(name):
    try:
        before = locale.setlocale(locale.LC_CTYPE)
        locale.setlocale(locale.LC_CTYPE, name)
        locale.setlocale(locale.LC_CTYPE, before)
    except locale.Error:
        return False
    return True


needs_mirror = pytest.mark.skipif(not MIRROR, reason="POLPKG_MIRROR names no mirror of Debian")
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")


def needs(*programs):
    """Skip where a program is not installed."""
    missing = [name for name in programs if not shutil.which(name)]
    return pytest.mark.skipif(bool(missing), reason=f"{', '.join(missing)} is not installed")


def commands_of(name, *, network=False):
    """The blocks of commands in the README of an example; those that need a network only with `network`."""
    text = (EXAMPLES / name / "README.md").read_text()
    blocks = re.findall(r"^```sh\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    return [block for block in blocks if network or not block.startswith("# network")]


@pytest.fixture
def builder(tmp_path):
    """Copies an example to a place and runs commands there, or those of its README; the place."""
    xen = tmp_path / "xen.gz"
    xen.write_bytes(build_hypervisor("4.17"))

    def run(name, place="first", script=None, *, status=0, **variables):
        folder = tmp_path / place / name
        if not folder.exists():
            shutil.copytree(EXAMPLES / name, folder, ignore=shutil.ignore_patterns("build"))
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}{os.pathsep}/usr/sbin{os.pathsep}/sbin"
        settings = {"HOME": str(tmp_path), "PATH": path, "POLPKG_CACHE": str(tmp_path / "cache"), "XEN": str(xen)}
        settings |= {"MIRROR": MIRROR, "CHECKPOINT_DISABLE": "1", "SOURCE_DATE_EPOCH": "1700000000", **variables}
        settings |= {key: os.environ[key] for key in ("PYTHONPATH",) if key in os.environ}
        words = ["sh", "-eu", "-c", "\n".join(commands_of(name)) if script is None else script]
        done = subprocess.run(words, cwd=folder, env=settings, capture_output=True, text=True, check=False, timeout=600)
        assert done.returncode == status, f"{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
        run.said = done.stdout + done.stderr
        return folder

    return run


def written(root):
    """All that polpkg wrote into a tree, with modes and times."""
    found = {}
    for path in sorted(root.rglob("*")):
        name = str(path.relative_to(root))
        if "polpkg" in name or path.name.startswith("xenpolicy-"):
            status = path.lstat()
            content = path.read_bytes() if path.is_file() and not path.is_symlink() else None
            found[name] = (status.st_mode, status.st_mtime_ns, content)
    return found


def members_of(path):
    """What is in an archive of a tree, by name, without the list of where apt took packages from."""
    with tarfile.open(path) as archive:
        return {
            each.name: (
                *(each.type, each.mode, each.uid, each.mtime, each.linkname),
                archive.extractfile(each).read() if each.isreg() else None,
            )
            for each in archive
            if not each.name.startswith("./etc/apt/")
        }


def check_tree(builder, name, root, place="first"):
    """The tree has a policy for its hypervisor, and polpkg finds it in order."""
    (policy,) = (root / "boot").glob("xenpolicy-*")
    assert policy.read_bytes()[:4] == b"\x8c\xff\x7c\xf9"
    builder(name, place, f"polpkg verify --root {shlex.quote(str(root))}")
    assert "is as it was installed" in builder.said


@needs("mmdebstrap", "dpkg-deb")
def test_mmdebstrap_twice(builder, tmp_path):
    """Two builds in different places are the same bytes altogether, but for where their packages came from."""
    trees = [members_of(builder("mmdebstrap", place) / "build/root.tar") for place in ("first", "elsewhere")]
    assert trees[0] == trees[1]
    assert "./boot/xenpolicy-4.17.7" in trees[0]
    with tarfile.open(tmp_path / "first/mmdebstrap/build/root.tar") as archive:
        members = [member for member in archive if not (member.isdev() or "/dev/" in member.name)]
        archive.extractall(tmp_path / "tree", members, filter="data")
    check_tree(builder, "mmdebstrap", tmp_path / "tree")


@needs("mmdebstrap", "dpkg-deb")
@needs_root
@needs_mirror
def test_mmdebstrap_of_a_mirror(builder):
    folder = builder("mmdebstrap", script="\n".join(commands_of("mmdebstrap", network=True)))
    check_tree(builder, "mmdebstrap", folder / "build/root")
    assert (folder / "build/root/etc/grub.d/09_polpkg").exists()
    shutil.rmtree(folder / "build")


@needs("mmdebstrap", "dpkg-deb")
def test_mmdebstrap_stops_when_polpkg_refuses(builder, tmp_path):
    """Here, since policy.toml was changed after it was locked."""
    builder("mmdebstrap", script="polpkg lock --project . && echo 'stordom = \"*\"' >>policy.toml")
    (tmp_path / "first/mmdebstrap/policy.lock").rename(tmp_path / "locked")
    stale = f'polpkg() {{ if [ $1 = lock ]; then cp {tmp_path}/locked policy.lock; else command polpkg "$@"; fi; }}\n'
    builder("mmdebstrap", script=stale + commands_of("mmdebstrap")[0], status=25)
    assert "stordom" in builder.said


@needs("dpkg-deb")
def test_no_package_is_made_of_a_hypervisor_without_flask(builder, tmp_path):
    (tmp_path / "xen.gz").write_bytes(build_hypervisor("4.17", flask=False))
    builder("mmdebstrap", script='./repository.sh "$XEN" build/repository', status=6)
    assert "without FLASK" in builder.said


@needs("mkosi", "debootstrap", "systemd-nspawn")
@needs_root
@needs_mirror
def test_mkosi(builder):
    folder = builder("mkosi")
    check_tree(builder, "mkosi", folder / "build/image")
    assert written(folder / "build/image") == written(builder("other-builders") / "build/target")
    shutil.rmtree(folder / "build")


@needs("packer")
def test_packer_twice(builder):
    first, second = (builder("packer", place) / "build/root" for place in ("first", "elsewhere"))
    assert written(first) == written(second) != {}
    assert written(first) == written(builder("other-builders") / "build/target")
    check_tree(builder, "packer", first)


@needs("packer")
def test_packer_fails_when_polpkg_does(builder):
    builder("packer", script="polpkg lock --project . && packer build image.pkr.hcl", status=1)
    assert "build/root" in builder.said


def test_buildroot_twice(builder):
    first, second = (builder("other-builders", place) / "build/target" for place in ("first", "elsewhere"))
    assert written(first) == written(second) != {}
    check_tree(builder, "other-builders", first)


@pytest.mark.skipif(not can_make_config(), reason="needs grub-mkconfig, and user namespaces")
def test_chroot(builder, tmp_path):
    """The script on a tree whose programs are this machine's, in a namespace where it may mount."""
    folder = builder("chroot", script="polpkg lock --project .")
    tree = tmp_path / "tree"
    furnish(tree)
    shutil.copyfile(tmp_path / "xen.gz", tree / "boot/xen-4.17.gz")
    (tmp_path / "grub-probe").write_text(PROBE)
    (tmp_path / "grub-probe").chmod(0o755)
    prepare = f"""
    mkdir -p {tree}/usr {tree}/dev {tree}/tmp {tree}/proc {tree}/sys
    for name in bin lib lib64 sbin; do ln -s "usr/$name" {tree}/$name; done
    mount --bind {tmp_path}/grub-probe "$(command -v grub-probe)"
    mount --rbind /usr {tree}/usr
    exec {folder}/build.sh {tree}
    """
    builder("chroot", script=f"unshare -Urm --pid --fork sh -euc {shlex.quote(prepare)}")
    assert "polpkg-xen-4.17" in (tree / "boot/grub/grub.cfg").read_text()


@needs("file")
def test_imagebuilder_configuration(builder, tmp_path):
    """Every file that the configuration names for Xen is there, and is what ImageBuilder asks `file` about it."""
    (tmp_path / "xen.gz").write_bytes(build_hypervisor("4.22", container="image"))
    folder = builder("imagebuilder")
    check_tree(builder, "imagebuilder", folder / "build")
    builder("imagebuilder", script='cd build/boot; . ./config; file -L "$XEN_POLICY"; ls "$XEN"; echo "$XEN_CMD"')
    assert "SE Linux policy" in builder.said
    assert "xsm=flask flask=enforcing" in builder.said


@pytest.mark.skipif(not IMAGEBUILDER, reason="POLPKG_IMAGEBUILDER names no uboot-script-gen")
@needs("dtc", "mkimage", "fdtput", "cpio")
def test_imagebuilder(builder, tmp_path):
    """Its script tells Xen to enforce, and loads the policy if it is new enough to know XEN_POLICY."""
    (tmp_path / "xen.gz").write_bytes(build_hypervisor("4.22", container="image"))
    builder("imagebuilder")
    make = (
        "cp xen Image; echo config | cpio -o -H newc | gzip >initrd; "
        "echo '/dts-v1/; / { chosen { }; };' | dtc -q -O dtb -o board.dtb"
    )
    builder(
        "imagebuilder", script=f"cd build/boot; {make}; bash {IMAGEBUILDER} -c config -d . -t tftp; cat boot.source"
    )
    assert re.search(r'xen-bootargs "[^"]* xsm=flask flask=enforcing"', builder.said)
    if "XEN_POLICY" in Path(IMAGEBUILDER).read_text():
        assert re.search(r"tftpb \S+ xenpolicy-xen\n", builder.said)
        assert "xen,xsm-policy" in builder.said


LAYER = """BBPATH .= ":${LAYERDIR}"
BBFILES += "${LAYERDIR}/*.bb"
BBFILE_COLLECTIONS += "core"
BBFILE_PATTERN_core = "^${LAYERDIR}/"
LAYERSERIES_CORENAMES = "scarthgap"
"""
CLASSES = {
    "base": """
do_unpack() {
    mkdir -p ${WORKDIR}
    cp -r ${FILE_DIRNAME}/files/* ${WORKDIR}/
}
do_install() {
    true
}
addtask unpack
addtask install after do_unpack
addtask build after do_install
do_build() {
    true
}
""",
    "allarch": "",
    "core-image": """
IMAGE_INSTALL ?= ""
PACKAGE_EXCLUDE ?= ""
do_unpack() {
    true
}
do_rootfs() {
    echo "exclude:${PACKAGE_EXCLUDE}"
    ${@(d.getVar('ROOTFS_POSTPROCESS_COMMAND') or '').replace(';', '')}
}
do_rootfs[depends] = "polpkg-site:do_install"
addtask rootfs before do_build
""",
}
CONF = """
PN = "${@bb.parse.vars_from_file(d.getVar('FILE', False), d)[0]}"
PV = "${@bb.parse.vars_from_file(d.getVar('FILE', False), d)[1]}"
P = "${PN}-${PV}"
FILE_DIRNAME = "${@os.path.dirname(d.getVar('FILE', False))}"
TMPDIR = "${TOPDIR}/tmp"
CACHE = "${TMPDIR}/cache"
PERSISTENT_DIR = "${CACHE}"
STAMP = "${TMPDIR}/stamps/${PN}"
T = "${TMPDIR}/work/${PN}/temp"
B = "${TMPDIR}/work/${PN}"
S = "${B}"
WORKDIR = "${TMPDIR}/work/${PN}"
IMAGE_ROOTFS = "${TOPDIR}/tree"
D = "${TOPDIR}/tree"
sysconfdir = "/etc"
datadir = "/usr/share"
"""


def run_bitbake(builder, folder, *words):
    """Run bitbake on the layer of the example, and beside it one that stands for OpenEmbedded-Core."""
    core, build = folder / "core", folder / "build"
    if not core.exists():
        (core / "conf").mkdir(parents=True)
        (core / "conf/layer.conf").write_text(LAYER)
        (core / "classes").mkdir()
        for name, text in CLASSES.items():
            (core / f"classes/{name}.bbclass").write_text(text)
        (core / "conf/bitbake.conf").write_text(f'{CONF}PATH = "{Path(sys.executable).parent}:{os.environ["PATH"]}"\n')
        (build / "conf").mkdir(parents=True)
        (build / "conf/bblayers.conf").write_text(
            f'BBPATH = "${{TOPDIR}}"\nBBFILES ?= ""\nBBLAYERS = "{core} {folder}/meta-site"\n'
        )
    passed = "BB_ENV_PASSTHROUGH_ADDITIONS='POLPKG_CACHE SOURCE_DATE_EPOCH'"
    builder("yocto", script=f"cd build; {passed} BBPATH=$PWD {shlex.join([BITBAKE, *words])}", LC_ALL="C.UTF-8")


@pytest.mark.skipif(not BITBAKE, reason="there is no bitbake")
@pytest.mark.skipif(not has_locale("en_US.UTF-8"), reason="bitbake needs the locale en_US.UTF-8")
@pytest.mark.parametrize("xen", ["", "4.17"])
def test_yocto(builder, xen):
    """bitbake parses the layer, and runs the class on a tree that has Xen, or for a release."""
    folder = builder("yocto")
    (folder / "build/tree/boot").mkdir(parents=True)
    if not xen:
        shutil.copyfile(folder.parents[1] / "xen.gz", folder / "build/tree/boot/xen-4.17.gz")
    with (folder / "meta-site/conf/layer.conf").open("a") as conf:
        conf.write(f'POLPKG_XEN = "{xen}"\n')
    run_bitbake(builder, folder, "-e", "polpkg-site")
    assert 'RCONFLICTS:polpkg-site="xen-flask xen-tools-flask"' in builder.said
    run_bitbake(builder, folder, "xen-site-image")
    check_tree(builder, "yocto", folder / "build/tree")
