"""Finds what the system in the box is made of: Debian's kernel, Xen tools and busybox, installed or as `.deb` files.

Whatever is missing is named, all of it at once, with the command that brings it.
"""

from __future__ import annotations

import lzma
import os
import re
import shutil
import subprocess
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, NamedTuple

from polpkg.errors import PolpkgError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

QEMU = "qemu-system-x86_64"
MODULES = ("xen-privcmd", "xen-evtchn", "xen-gntdev", "xen-gntalloc", "xenfs")
DEVICES = ("xen-netback", "xen-netfront", "xen-blkback", "xen-blkfront", "loop")
TOOLS = ("xl", "xenstored", "xenconsoled", "xenconsole", "xen-init-dom0")
CLIENTS = ("xenstore-read", "xenstore-write", "xenstore-list")
LOADER = "lib64/ld-linux-x86-64.so.2"

_KEPT = re.compile(
    r"\./(usr/)?(bin/busybox|lib64/.*|lib/x86_64-linux-gnu/[^/]*\.so[^/]*|lib/xen-[^/]+/bin/[^/]+|bin/xenstore[^/]*"
    rf"|lib/modules/.*/({'|'.join((*MODULES, *DEVICES))})\.ko(\.xz)?)|\./boot/(vmlinuz|config)-[^/]+"
)
"""What of a `.deb` is unpacked: a kernel has 400 MB of modules, of which the box needs ten."""


class Missing(NamedTuple):
    """Something that is not there, and the Debian package that has it."""

    what: str
    package: str


class Kernel(NamedTuple):
    """A Linux kernel: its image, and its modules by name, unpacked."""

    release: str
    image: Path
    modules: dict[str, bytes]


@dataclass(frozen=True, slots=True)
class Pieces:
    """All that a system is made of.

    `tools` is the folder of Xen's programs, such as /usr/lib/xen-4.17/bin; they work with a hypervisor of the series
    `release` ("4.17") and no other.  `roots` is where libraries are looked for.
    """

    kernel: Kernel
    busybox: Path
    tools: Path
    release: str
    clients: tuple[Path, ...]
    roots: tuple[Path, ...]

    def fits(self, version: str) -> bool:
        """Whether the tools are for a hypervisor of this version: their interface changes with every series."""
        return version == self.release or version.startswith(f"{self.release}.")


def find_pieces(roots: Sequence[Path], xen_version: str, which: Callable[[str], str | None] = shutil.which) -> Pieces:
    """The pieces below `roots`, those of an earlier root first, with the tools that fit `xen_version` if there are any.

    Raises PolpkgError `lab-pieces-missing` that names each that is missing.
    """
    missing = [] if which(QEMU) else [Missing(QEMU, "qemu-system-x86")]
    kernel = _find_kernel(roots, missing)
    busybox = _first(roots, "bin/busybox", "usr/bin/busybox")
    if busybox is None:
        missing.append(Missing("busybox", "busybox-static"))
    tools = _find_tools(roots, xen_version)
    if tools is None:
        series = ".".join(xen_version.split(".")[:2])
        missing.append(Missing("xl, with the other tools of Xen", f"xen-utils-{series or '<version>'}"))
    clients = [path for name in CLIENTS if (path := _first(roots, f"usr/bin/{name}"))]
    if len(clients) < len(CLIENTS):
        missing.append(Missing(", ".join(CLIENTS), "xenstore-utils"))
    if missing or kernel is None or busybox is None or tools is None:
        raise pieces_missing(missing)
    release = tools.parent.name.removeprefix("xen-")
    return Pieces(kernel, busybox, tools, release, tuple(clients), tuple(roots))


def pieces_missing(missing: Sequence[Missing]) -> PolpkgError:
    """The error that names what is missing."""
    named = "; ".join(f"{each.what} ({each.package})" for each in missing)
    packages = " ".join(dict.fromkeys(each.package for each in missing))
    hint = f"`apt install {packages}`; or fetch them with `apt-get download` and give their folder with --debs"
    return PolpkgError("lab-pieces-missing", f"the lab needs what is not here: {named}", hint=hint)


def unpack_debs(folder: Path, into: Path) -> Path:
    """Unpacks what the box needs of every `.deb` in `folder`.

    Raises PolpkgError `lab-no-debs` when there is none, `lab-damaged-deb`, and `lab-pieces-missing` without dpkg-deb.
    """
    found = sorted(folder.glob("*.deb"))
    if not found:
        raise PolpkgError("lab-no-debs", f"{folder} holds no .deb file", hint="`apt-get download` fetches them")
    if not shutil.which("dpkg-deb"):
        raise pieces_missing([Missing("dpkg-deb", "dpkg")])
    for archive in found:
        _unpack_deb(archive, into)
    return into


def _unpack_deb(archive: Path, into: Path) -> None:
    command = ["dpkg-deb", "--fsys-tarfile", str(archive)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout  # noqa: S101 - it is a pipe
        try:
            _unpack_tar(process.stdout, into)
        except (tarfile.TarError, OSError) as error:
            process.kill()
            raise PolpkgError("lab-damaged-deb", f"{archive} cannot be unpacked: {error}") from error
        if process.wait() != 0:
            raise PolpkgError("lab-damaged-deb", f"{archive} cannot be unpacked")


def _unpack_tar(stream: IO[bytes], into: Path) -> None:
    with tarfile.open(fileobj=stream, mode="r|") as tar:
        for member in tar:
            if not member.isdir() and _KEPT.fullmatch(member.name):
                tar.extract(member, into, filter="tar")


def _first(roots: Sequence[Path], *names: str) -> Path | None:
    found = (root / name for root in roots for name in names)
    return next((path for path in found if path.is_file()), None)


def _find_tools(roots: Sequence[Path], xen_version: str) -> Path | None:
    """The folder of Xen's tools: for this version, or else the first there is."""
    found = [path.parent for root in roots for path in sorted(root.glob("usr/lib/xen-*/bin/xl"))]
    complete = [folder for folder in found if all((folder / name).exists() for name in TOOLS)]
    fitting = [f for f in complete if xen_version.startswith(f"{f.parent.name.removeprefix('xen-')}.")]
    return next(iter([*fitting, *complete]), None)


def _find_kernel(roots: Sequence[Path], missing: list[Missing]) -> Kernel | None:
    """The newest kernel that can be dom0 and whose modules are there; or adds what is missing."""
    images = [path for root in roots for path in _newest_first(root.glob("boot/vmlinuz-*"))]
    usable = [path for path in images if _can_be_dom0(path)]
    if not usable:
        missing.append(Missing("a Linux kernel that can be dom0", "linux-image-amd64"))
        return None
    readable = [path for path in usable if os.access(path, os.R_OK)]
    if not readable:
        missing.append(Missing(f"the right to read {usable[0]}", "linux-image-amd64"))
        return None
    image = readable[0]
    release = image.name.removeprefix("vmlinuz-")
    modules = dict(_find_modules(image.parents[1], release))
    absent = [name for name in MODULES if name not in modules]
    if absent:
        missing.append(Missing(f"the kernel modules {', '.join(absent)}", f"linux-image-{release}"))
    return Kernel(release, image, modules)


def _newest_first(paths: Iterator[Path]) -> list[Path]:
    return sorted(paths, key=lambda path: [int(n) for n in re.findall(r"\d+", path.name)], reverse=True)


def _can_be_dom0(image: Path) -> bool:
    """What its configuration says; a kernel without one may be tried."""
    config = image.with_name(image.name.replace("vmlinuz", "config", 1))
    return not config.is_file() or "\nCONFIG_XEN_PV_DOM0=y\n" in config.read_text(encoding="utf-8", errors="replace")


def _find_modules(root: Path, release: str) -> Iterator[tuple[str, bytes]]:
    for folder in (root / "lib/modules" / release, root / "usr/lib/modules" / release):
        for name in (*MODULES, *DEVICES):
            for path in sorted(folder.glob(f"kernel/drivers/**/{name}.ko*")):
                packed = path.read_bytes()
                yield name, lzma.decompress(packed) if path.suffix == ".xz" else packed
