"""Real changes of a real tree, worked out once and then carried out as often as faults are tried on them.

The tree has two hypervisors for GRUB and one that the firmware starts, real policies, a policy.toml with comments, a
hand-made policy, and what else a machine has.  Each scenario is one step of its life:

    for scenario in make_scenarios(scratch):
        scenario.pristine                     # the tree before
        scenario.act(target)                  # the change, on a copy of it
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import grub_roots
import pytest
from hypervisors import build_hypervisor

from polpkg.ops.adopt import adopt_target
from polpkg.ops.change import ChangeRequest, prepare_change
from polpkg.ops.confirm import pin_generation
from polpkg.ops.context import Context
from polpkg.ops.project_files import edit_project_of
from polpkg.ops.rollback import prepare_rollback
from polpkg.packages.project_edit import ProjectChange
from polpkg.packages.requirement import parse_requirement
from polpkg.targets.apply import apply_plan
from polpkg.targets.boot.set_up import with_boot_set_up
from polpkg.targets.confirm import plan_confirmation
from polpkg.targets.plan import compute_plan
from polpkg.targets.present import read_present
from polpkg.targets.recovery import recover
from polpkg.targets.tree import TreeTarget

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from polpkg.targets.target import Target

CREATED = "2020-01-01T00:00:00Z"

PROJECT = """\
# This machine: rack 4, row 2.  Ask before you change anything.

[target]
keep = 3  # the disk is small

[packages]  # what it has
vmv = "*"  # for the tenants
"""

EXTLINUX = """\
# How this machine boots when GRUB is not asked
DEFAULT xen
LABEL xen
  KERNEL mboot.c32
  APPEND /xen-4.17-amd64.gz dom0_mem=1G --- /vmlinuz root=/dev/sda1 --- /initrd
"""

IPXE = """\
#!ipxe
kernel xen-4.22.0.gz dom0_mem=1G
module vmlinuz root=/dev/nfs
module initrd
boot
"""

EFI = "boot/efi/EFI/xen"


class Scenario(NamedTuple):
    """One change: its name, the tree before it, and how it is made on a copy of that tree."""

    name: str
    pristine: Path
    act: Callable[[Target], object]


def copy_tree(source: Path, place: Path) -> None:
    """A copy whose files are the same as in the source until they are replaced; polpkg never writes into one."""
    shutil.copytree(source, place, symlinks=True, copy_function=os.link)


def furnish(root: Path) -> None:
    """A machine that boots Xen by GRUB or by its firmware, with a policy that somebody made by hand."""
    (root / EFI).mkdir(parents=True)
    (root / "boot/xen-4.17-amd64.gz").write_bytes(build_hypervisor("4.17"))
    (root / "boot/xen-4.22.0.gz").write_bytes(build_hypervisor("4.22"))
    (root / EFI / "xen-4.18.efi").write_bytes(build_hypervisor("4.18", container="pe"))
    (root / EFI / "xen.cfg").write_text("[global]\r\ndefault=a\r\n[a]\r\nkernel=vmlinuz\r\nramdisk=initrd\r\n")
    (root / "boot/xenpolicy-4.22.0").write_bytes(b"made by hand")
    (root / "boot/xenpolicy-mine").write_bytes(b"made by hand as well")
    (root / "boot/extlinux").mkdir()
    (root / "boot/extlinux/extlinux.conf").write_text(EXTLINUX)
    (root / "boot/boot.ipxe").write_text(IPXE)
    (root / "etc/polpkg").mkdir(parents=True)
    (root / "etc/polpkg/policy.toml").write_text(PROJECT)
    (root / "etc/polpkg/notes").write_text("not polpkg's")
    (root / "etc/fstab").write_text("/dev/sda1 / ext4\n")
    if grub_roots.can_make_config():
        grub_roots.furnish(root)
    else:
        (root / "etc/grub.d").mkdir()
        (root / "etc/grub.d/00_header").write_text("#!/bin/sh\n")


def make_scenarios(scratch: Path) -> Iterator[Scenario]:
    """One after the other; each begins where the one before has ended."""
    life = _Life(scratch)
    yield life.step("adopt", _adopt)
    yield life.step("install first", life.change("install", install=("vmv",)))
    yield life.step("confirm", _confirm)
    yield life.step(
        "install with devices", life.change("install", install=("netdom",), settings=(("pci", "0000:03:00.0"),))
    )
    yield life.step("confirm the trial", _confirm)
    yield life.step("pin", _pin)
    yield life.step("edit policy.toml", _edit)
    (life.now / "boot/xenpolicy-4.22.0").unlink()
    (life.now / "boot/xenpolicy-4.22.0").write_bytes(b"made by hand again")
    yield life.step("set a fact", life.change("sync", target={"keep": 2}))
    yield life.step("remove", life.change("remove", remove=("netdom",)))
    yield life.step("let a type do all", life.change("sync", target={"permissive": ("vmv_t",)}))
    yield life.step("roll back", life.rollback())
    yield life.step("roll back to what was adopted", life.rollback(0))
    life.lose("boot/xen-4.22.0.gz")
    yield life.step("a hypervisor is gone", life.change("sync"))
    life.lose("boot/xenpolicy-4.17-amd64", "etc/polpkg/policy.lock")
    yield life.step("put back", life.change("sync"))
    yield life.step("confirm again", _confirm)


def _adopt(target: Target) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SOURCE_DATE_EPOCH", "1577836800")
        adopt_target(Context(), target)


def _confirm(target: Target) -> None:
    recover(target)
    plan, state = plan_confirmation(target)
    apply_plan(target, plan, state, created=CREATED)


def _pin(target: Target) -> None:
    pin_generation(Context(), target, 1, pinned=True)


def _edit(target: Target) -> None:
    edit_project_of(Context(), target, ProjectChange(install={"dom0": ">=1"}))


class _Life:
    """The tree as it is after the steps so far."""

    def __init__(self, scratch: Path) -> None:
        self.scratch = scratch
        self.count = 0
        self.script = b""
        self.now = scratch / "now"
        self.now.mkdir()
        furnish(self.now)

    @property
    def target(self) -> TreeTarget:
        return TreeTarget(str(self.now))

    def step(self, name: str, act: Callable[[Target], object]) -> Scenario:
        self.count += 1
        pristine = self.scratch / f"before-{self.count}"
        copy_tree(self.now, pristine)
        act(self.target)
        if grub_roots.can_make_config():
            self._make_grub_cfg()
        return Scenario(name, pristine, act)

    def _make_grub_cfg(self) -> None:
        """What the person does whom the notes of a plan tell to."""
        path = self.now / "etc/grub.d/09_polpkg"
        script = path.read_bytes() if path.exists() else b""
        if script == self.script:
            return
        self.script = script
        for name in ("grub.cfg", "grub.cfg.new"):
            (self.now / "boot/grub" / name).unlink(missing_ok=True)
        inner = self.scratch / "inner"
        grub_roots.make_config(self.now, inner)
        shutil.rmtree(inner)

    def lose(self, *names: str) -> None:
        for name in names:
            (self.now / name).unlink()

    def change(self, action: str, *, install: tuple[str, ...] = (), settings=(), **more) -> Callable[[Target], object]:
        request = ChangeRequest(
            action=action, install=tuple(map(parse_requirement, install)), settings=dict(settings), **more
        )
        wanted = prepare_change(Context(), self.target, request).wanted
        return _carrying_out(wanted)

    def rollback(self, number: int | None = None) -> Callable[[Target], object]:
        return _carrying_out(prepare_rollback(self.target, number).wanted)


def _carrying_out(wanted) -> Callable[[Target], object]:
    def act(target: Target) -> None:
        with target.lock():
            recover(target)
            state = with_boot_set_up(target, wanted)
            plan = compute_plan(state, read_present(target, state), keep=2)
            apply_plan(target, plan, state, created=CREATED, polpkg="0.1")

    return act
