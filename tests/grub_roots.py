"""Roots on which the real `grub-mkconfig` runs, without being root: a user namespace, and a `chroot` in it.

The programs are this machine's; /boot and /etc are the root's.  `grub-probe` is made up, since there is no disk: it
says that everything is on the second partition of the first disk, ext2 on GPT.
"""

from __future__ import annotations

import shutil
import subprocess
from functools import cache
from pathlib import Path

GRUB_D = Path("/etc/grub.d")

PROBE = """#!/bin/sh
case "$*" in
  *--target=device*) echo /dev/sda2 ;;
  *--target=fs_uuid*) echo 1111-2222 ;;
  *--target=partuuid*) echo 3333-01 ;;
  *--target=fs*) echo ext2 ;;
  *--target=partmap*) echo gpt ;;
  *--target=hints_string*) echo --hint-bios=hd0,gpt2 ;;
esac
"""

RUN = """
set -e
inner=$2/inner
mkdir -p "$inner"
mount -t tmpfs none "$inner"
mkdir "$inner/usr" "$inner/dev" "$inner/tmp" "$inner/boot" "$inner/etc" "$inner/proc"
for name in bin lib lib64 sbin; do ln -s "usr/$name" "$inner/$name"; done
mount --bind "$2/grub-probe" "$(command -v grub-probe)"
mount --rbind /usr "$inner/usr"
mount --rbind /dev "$inner/dev"
mount --bind "$1/boot" "$inner/boot"
mount --bind "$1/etc" "$inner/etc"
exec chroot "$inner" "$(command -v grub-mkconfig)" -o /boot/grub/grub.cfg
"""


@cache
def can_make_config() -> bool:
    """Whether grub-mkconfig and its scripts are here, and namespaces may be made."""
    if not all(map(shutil.which, ("grub-mkconfig", "grub-probe", "grub-script-check", "unshare", "chroot"))):
        return False
    if not (GRUB_D / "20_linux_xen").exists() or not Path("/bin").is_symlink():
        return False
    return subprocess.run(["unshare", "-Urm", "true"], capture_output=True, check=False).returncode == 0


def furnish(root: Path, *, kernels: tuple[str, ...] = ("6.1.0-18-amd64", "6.1.0-9-amd64"), default: str = "") -> None:
    """Give `root` the distribution's GRUB scripts, its settings (`default`: more lines), and kernels."""
    shutil.copytree(GRUB_D, root / "etc/grub.d", ignore=shutil.ignore_patterns("*polpkg*", "30_*"))
    (root / "etc/default").mkdir(parents=True)
    (root / "etc/default/grub").write_text(f"GRUB_DISTRIBUTOR=Debian\n{default}\n")
    (root / "boot/grub").mkdir(parents=True)
    for version in kernels:
        (root / f"boot/vmlinuz-{version}").write_text("kernel")
        (root / f"boot/initrd.img-{version}").write_text("ramdisk")
        (root / f"boot/config-{version}").write_text("CONFIG_XEN_PRIVILEGED_GUEST=y\n")


def make_config(root: Path, scratch: Path) -> str:
    """Run grub-mkconfig on `root`; what it said.  Its own syntax check is part of it."""
    scratch.mkdir(exist_ok=True)
    (scratch / "grub-probe").write_text(PROBE)
    (scratch / "grub-probe").chmod(0o755)
    words = ["unshare", "-Urm", "sh", "-c", RUN, "sh", str(root), str(scratch)]
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stderr
