"""dom0 and guests for the machine: Debian's kernel, Xen tools and busybox, with scripts of our own."""

from __future__ import annotations

import lzma
import re
import shutil
import stat
import struct
import subprocess
from pathlib import Path

HERE = Path(__file__).parent
FILE, FOLDER, LINK = stat.S_IFREG | 0o755, stat.S_IFDIR | 0o755, stat.S_IFLNK | 0o777
LIBRARIES = "usr/lib/x86_64-linux-gnu"
MODULES = "xen-privcmd xen-evtchn xen-gntdev xen-gntalloc xenfs"
TOOLS = "xl xenstored xenconsoled xenconsole xen-init-dom0"
BASE = (
    "bin",
    "dev",
    "lib",
    "lib64",
    "proc",
    "sys",
    "tmp",
    "boot",
    "modules",
    "etc",
    "etc/xen",
    "usr",
    "usr/lib",
    "var",
)
MORE = ("var/lock", "var/log", "var/log/xen", "var/lib", "var/lib/xen", "var/lib/xenstored", "var/run")


class MissingPackagesError(Exception):
    """Something that the system is made of is not there."""


def unpack(archives: Path, into: Path) -> Path:
    """Unpacks every `.deb` of a folder.  Raises MissingPackagesError when there is none."""
    found = sorted(archives.glob("*.deb"))
    if not found:
        raise MissingPackagesError(f"no Debian packages in {archives}; `make xenlab` downloads them")
    for archive in found:
        subprocess.run(["dpkg-deb", "-x", archive, into], check=True)
    return into


def one(root: Path, pattern: str) -> Path:
    """The only file below `root`, or the first, that fits.  Raises MissingPackagesError."""
    for path in sorted(root.glob(pattern)):
        return path
    raise MissingPackagesError(f"the Debian packages hold no {pattern}")


def unpack_kernel(image: bytes) -> bytes:
    """The ELF file inside a bzImage that is packed with xz.

    Layout: Documentation/arch/x86/boot.rst of Linux (setup_sects, payload_offset, payload_length).
    """
    start = (image[0x1F1] + 1) * 512 + struct.unpack_from("<I", image, 0x248)[0]
    length = struct.unpack_from("<I", image, 0x24C)[0]
    return lzma.decompress(image[start : start + length - 4])


def build_vmvctl(into: Path) -> Path:
    """Compiles the program with which domains try what they may do.  Raises MissingPackagesError without libraries."""
    program, archive = into / "vmvctl", Path("/") / LIBRARIES / "libxenctrl.a"
    if not (shutil.which("gcc") and archive.exists()):
        raise MissingPackagesError("compiling vmvctl.c needs gcc and libxen-dev")
    whole = "-Wl,--whole-archive -lxenguest -Wl,--no-whole-archive"  # the loaders register themselves
    xen = "-lxenctrl -lxencall -lxenforeignmemory -lxendevicemodel -lxenevtchn -lxengnttab -lxentoollog -lxentoolcore"
    libraries = f"{whole} -Wl,--start-group {xen} -lz -llzma -lzstd -lbz2 -Wl,--end-group"
    subprocess.run(["gcc", "-O1", "-static", "-o", program, HERE / "vmvctl.c", *libraries.split()], check=True)
    return program


def guest_files(root: Path, script: str) -> dict[str, tuple[int, bytes]]:
    """A small Linux system whose init is `script`."""
    busybox = one(root, "**/bin/busybox")
    files = dict.fromkeys(BASE, (FOLDER, b""))
    files["bin/busybox"] = (FILE, busybox.read_bytes())
    names = subprocess.run([busybox, "--list"], capture_output=True, text=True, check=True).stdout.split()
    files |= {f"bin/{name}": (LINK, b"busybox") for name in names if name != "busybox"}
    for name in MODULES.split():
        files[f"modules/{name}.ko"] = (FILE, one(root, f"**/drivers/xen/**/{name}.ko").read_bytes())
    return files | {"init": (FILE, (HERE / script).read_bytes())}


def dom0_files(root: Path) -> dict[str, tuple[int, bytes]]:
    """dom0, with Xen's tools and the libraries that they need."""
    tools = one(root, "usr/lib/xen-*/bin/xl").parent
    folder = tools.relative_to(root)
    files = guest_files(root, "dom0-init.sh") | dict.fromkeys(MORE, (FOLDER, b""))
    files |= dict.fromkeys((LIBRARIES, str(folder.parent), str(folder), "sbin"), (FOLDER, b""))
    programs = [tools / name for name in TOOLS.split()] + [one(root, "usr/bin/xenstore-read")]
    for program in programs:
        files[str(program.relative_to(root)) if program.parent == tools else f"bin/{program.name}"] = (
            FILE,
            program.read_bytes(),
        )
    files |= {f"sbin/{name}": (LINK, f"/{folder}/{name}".encode()) for name in TOOLS.split()}
    files |= {f"{LIBRARIES}/{path.name}": (FILE, path.read_bytes()) for path in libraries(root, programs)}
    files["lib64/ld-linux-x86-64.so.2"] = (FILE, Path("/lib64/ld-linux-x86-64.so.2").read_bytes())
    return files | {"etc/xen/xl.conf": (FILE, b'autoballoon="off"\n')}


def libraries(root: Path, programs: list[Path]) -> set[Path]:
    """The shared libraries that programs need: from the packages, or else from this machine."""
    search = {path.parent for path in root.glob("**/*.so.*")}
    found: set[Path] = set()
    for program in programs:
        environment = {"LD_LIBRARY_PATH": ":".join(map(str, search))}
        text = subprocess.run(["ldd", program], capture_output=True, text=True, check=True, env=environment).stdout
        found |= {Path(path) for path in re.findall(r"=> (/\S+)", text)}
    return found
