"""Puts the systems in the box together: dom0 with Xen's tools, and a small guest that runs what it is told."""

from __future__ import annotations

import os
import re
import subprocess
from importlib.resources import files as resources
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from polpkg.errors import PolpkgError
from polpkg.targets.lab.cpio import Entry, pack_cpio
from polpkg.targets.lab.kernel import unpack_kernel
from polpkg.targets.lab.pieces import DEVICES, LOADER, MODULES, TOOLS, Missing, pieces_missing

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from polpkg.targets.lab.pieces import Pieces

_LIBRARIES = "usr/lib/x86_64-linux-gnu"
_FOLDERS = "boot dev proc sys tmp etc/xen var/lock var/log/xen var/lib/xen var/lib/xenstored var/run"
_OPENED = "libgcc_s.so.1"  # the C library opens it when a thread is cancelled; no program says that it needs it
_FOUND = re.compile(r"=> (/\S+)")
_ABSENT = re.compile(r"(\S+) => not found")


class System(NamedTuple):
    """What the box boots: dom0's kernel, its files by path, and those of a guest."""

    kernel: bytes
    dom0: dict[str, Entry]
    guest: dict[str, Entry]

    def initramfs(self, more: Mapping[str, bytes]) -> bytes:
        """dom0's first file system, with the kernel and the small guest in /boot, and `more` files."""
        inside = {"boot/vmlinux": self.kernel, "boot/guest.cpio": pack_cpio(self.guest), **more}
        return pack_cpio(self.dom0 | {path: Entry.file(content) for path, content in inside.items()})


def make_system(pieces: Pieces) -> System:
    """The system that `pieces` make.

    Raises TargetError `no-kernel`, PolpkgError `lab-pieces-missing` for a library, and `lab-broken-pieces` for programs
    that this machine cannot run.
    """
    kernel = unpack_kernel(pieces.kernel.image.read_bytes(), str(pieces.kernel.image))
    shared = _shared_files(pieces)
    return System(kernel, shared | _dom0_files(pieces), shared | _guest_files(pieces))


def read_script(name: str) -> str:
    """A script that comes with polpkg and runs in the box."""
    return resources("polpkg.targets.lab").joinpath("guest", name).read_text(encoding="ascii")


def _shared_files(pieces: Pieces) -> dict[str, Entry]:
    """Folders, busybox, xenstore's clients, and the libraries that those need."""
    found = {name: Entry.folder() for name in _FOLDERS.split()}
    found["bin/busybox"] = Entry.file(pieces.busybox.read_bytes())
    found |= {f"bin/{name}": Entry.link("busybox") for name in _applets(pieces.busybox)}
    found |= _programs("bin", pieces.clients)
    return found | _libraries(pieces, pieces.clients)


def _dom0_files(pieces: Pieces) -> dict[str, Entry]:
    folder = f"usr/lib/{pieces.tools.parent.name}/bin"
    programs = [pieces.tools / name for name in TOOLS]
    found = _programs(folder, programs) | _libraries(pieces, programs) | _modules(pieces, MODULES)
    found |= {f"sbin/{name}": Entry.link(f"/{folder}/{name}") for name in TOOLS}
    found["etc/xen/xl.conf"] = Entry.file(b'autoballoon="off"\n')
    found |= {f"lab/{name}": Entry.file(read_script(name).encode()) for name in ("tools.sh", "guests.sh")}
    return found | {"init": Entry.file(read_script("dom0-init.sh").encode())}


def _guest_files(pieces: Pieces) -> dict[str, Entry]:
    return _modules(pieces, (*MODULES, *DEVICES)) | {"init": Entry.file(read_script("guest-init.sh").encode())}


def _programs(folder: str, programs: Iterable[Path]) -> dict[str, Entry]:
    return {f"{folder}/{path.name}": Entry.file(path.read_bytes()) for path in programs}


def _modules(pieces: Pieces, names: Iterable[str]) -> dict[str, Entry]:
    """Kernel modules, and in what order to load them; what a kernel has built in is no module of it."""
    there = [name for name in names if name in pieces.kernel.modules]
    found = {f"modules/{name}.ko": Entry.file(pieces.kernel.modules[name]) for name in there}
    return found | {"modules/order": Entry.file("\n".join(there).encode() + b"\n")}


def _applets(busybox: Path) -> list[str]:
    names = _output([str(busybox), "--list"], busybox).split()
    return [name for name in names if name != "busybox"]


def _libraries(pieces: Pieces, programs: Iterable[Path]) -> dict[str, Entry]:
    """The shared libraries that programs need, and the loader."""
    paths = {path for program in programs for path in _libraries_of(program, pieces)}
    paths.add(_find_library(pieces, _OPENED, "libgcc-s1"))
    found = {f"{_LIBRARIES}/{path.name}": Entry.file(path.read_bytes()) for path in paths}
    return found | {LOADER: Entry.file(_find(pieces, [LOADER], "libc6").read_bytes())}


def _find_library(pieces: Pieces, name: str, package: str) -> Path:
    return _find(pieces, [f"{_LIBRARIES}/{name}", f"lib/x86_64-linux-gnu/{name}"], package)


def _find(pieces: Pieces, names: list[str], package: str) -> Path:
    """A file of the pieces, or else of this machine.  Raises PolpkgError `lab-pieces-missing`."""
    for path in (root / name for root in (*pieces.roots, Path("/")) for name in names):
        if path.is_file():
            return path
    raise pieces_missing([Missing(names[0], package)])


def _libraries_of(program: Path, pieces: Pieces) -> list[Path]:
    folders = [root / prefix for root in pieces.roots for prefix in (_LIBRARIES, "lib/x86_64-linux-gnu")]
    text = _output(["ldd", str(program)], program, {"LD_LIBRARY_PATH": ":".join(map(str, folders))})
    if absent := _ABSENT.findall(text):
        raise pieces_missing([Missing(name, _package_of(name)) for name in absent])
    return [Path(path) for path in _FOUND.findall(text)]


def _package_of(library: str) -> str:
    """Debian's name for the package of a library: libxencall.so.1 is in libxencall1."""
    name, _, version = library.partition(".so.")
    return f"{name}{'-' if name[-1:].isdigit() else ''}{version}"


def _output(command: list[str], program: Path, added: dict[str, str] | None = None) -> str:
    environment = os.environ | (added or {})
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True, env=environment, timeout=60).stdout
    except (OSError, subprocess.SubprocessError) as error:
        message = f"{program} does not run here: {error}"
        raise PolpkgError("lab-broken-pieces", message, hint="the lab needs an x86-64 Linux") from error
