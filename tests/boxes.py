"""A lab without QEMU and without Xen: a program that talks as the box does, and files that look like the pieces.

from boxes import make_pieces, put_qemu

put_qemu(folder, "boots")          # or "panics", "dies", "hangs"; put `folder` first in PATH
make_pieces(root)                  # what Debian's packages would have installed below root
"""

from __future__ import annotations

import gzip
import struct
import sys

QEMU = """
import base64, os, re, shlex, sys, time
from pathlib import Path

BEHAVIOUR = {behaviour!r}
CONSOLE = next(word for word in sys.argv if word.startswith("file:"))[5:]
ROWS = "Name ID Mem VCPUs State Time(s) Label\\nDomain-0 0 640 1 r----- 1.0 system_u:system_r:dom0_t"
guest = ""

def console(*lines):
    with open(CONSOLE, "a") as stream:
        stream.write("".join("(XEN) " + line + "\\n" for line in lines))

def say(*lines):
    sys.stdout.write("".join(line + "\\n" for line in lines))
    sys.stdout.flush()

def run(script):
    global guest
    if BEHAVIOUR == "panics-later":
        console("****", "Panic on CPU 1:", "FATAL TRAP: vector = 6", "****")
        time.sleep(60)
    if "guest_start" in script:
        label = next(word for word in shlex.split(script) if word.startswith("system_u:"))
        kind = label.split(":")[2]
        if kind.endswith("guest_t"):
            console("avc:  denied  {{ create }} for  source=d0 scontext=system_u:system_r:dom0_t "
                    f"tcontext={{label}} tclass=domain")
            return 1, ["libxl: error: no domain"]
        denied = BEHAVIOUR == "denies" and kind == "netdom_t"
        guest = "stuck" if denied else "well"
    if "guest_wait" in script and guest == "stuck":
        console("avc:  denied  {{ unpause }} for  source=d0 target=d1 scontext=system_u:system_r:dom0_t "
                "tcontext=system_u:system_r:netdom_t tclass=domain")
        return 1, ["the guest does not come up"]
    if script == "xl domid guest":
        return (0, ["1"]) if guest else (1, [])
    if script == "xl destroy guest":
        guest = ""
    if script == "xl list -Z":
        return 0, ROWS.splitlines()
    if "tools.sh" in script and BEHAVIOUR == "toolless":
        return 1, ["xenstored does not start"]
    return 0, []

console("Flask: 64 avtab hash slots, 156 rules.")
if BEHAVIOUR == "dies":
    sys.exit("qemu: no such machine")
if BEHAVIOUR == "panics":
    console("Flask:  permission kexec in class xen has incorrect value", "", "****", "Panic on CPU 0:",
            "Unable to load FLASK policy", "****")
    time.sleep(60)
console("Flask:  Starting in enforcing mode.")
if BEHAVIOUR == "hangs":
    time.sleep(60)
say("noise of the firmware", "##UP")
for line in sys.stdin:
    script = base64.b64decode(line).decode()
    status, answer = run(script)
    say(*("|" + each for each in answer), f"##DONE {{status}}")
"""


def put_qemu(folder, behaviour):
    """A program named as QEMU that behaves as told."""
    folder.mkdir(exist_ok=True)
    program = folder / "qemu-system-x86_64"
    program.write_text(f"#!{sys.executable}\n{QEMU.format(behaviour=behaviour)}", encoding="ascii")
    program.chmod(0o755)


def make_kernel(content=b"\x7fELF a kernel"):
    """A bzImage whose payload is `content`, packed with gzip."""
    payload = gzip.compress(content) + struct.pack("<I", len(content))
    header = bytearray(2048)
    header[0x1F1] = 3  # sectors after the first
    header[0x202:0x206] = b"HdrS"
    struct.pack_into("<II", header, 0x248, 0, len(payload))
    return bytes(header) + payload


def make_pieces(root, series="4.17", release="6.1.0-1-amd64"):
    """A kernel with modules, busybox, and tools of Xen, as far as the lab looks at them."""
    modules = root / "lib/modules" / release / "kernel/drivers"
    for name in ("xen-privcmd", "xen-evtchn", "xen-gntdev", "xen-gntalloc", "xenfs", "xen-netback", "xen-netfront"):
        put(modules / f"{name}.ko", name.encode())
    put(root / f"boot/vmlinuz-{release}", make_kernel())
    put(root / f"boot/config-{release}", b"CONFIG_X=y\nCONFIG_XEN_PV_DOM0=y\n")
    put(root / "bin/busybox", b"#!/bin/sh\necho sh; echo busybox; echo ls\n")
    for name in ("xl", "xenstored", "xenconsoled", "xenconsole", "xen-init-dom0"):
        put(root / f"usr/lib/xen-{series}/bin/{name}", b"xen")
    for name in ("xenstore-read", "xenstore-write", "xenstore-list"):
        put(root / "usr/bin" / name, b"xen")
    put(root / "usr/lib/x86_64-linux-gnu/libgcc_s.so.1", b"libgcc")
    put(root / "lib64/ld-linux-x86-64.so.2", b"loader")


def put_ldd(folder, text="libone.so.1 => {library} (0x0)"):
    """A program named ldd that finds one library."""
    folder.mkdir(exist_ok=True)
    library = folder / "libone.so.1"
    library.write_bytes(b"a library")
    put(folder / "ldd", f"#!/bin/sh\necho '{text.format(library=library)}'\n".encode())


def put(path, content):
    """A file that may be run, with its folders."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    path.chmod(0o755)
