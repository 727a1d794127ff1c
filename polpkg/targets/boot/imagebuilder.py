"""ImageBuilder, which makes U-Boot scripts, for dom0less systems above all, of a configuration in shell.

`XEN_POLICY` names the policy, `XEN_CMD` what Xen is told (ImageBuilder's README.md).  The configuration is sourced, so
that the last assignment counts: polpkg's is a block at the end.  A second configuration makes the script for the
confirmed policy; U-Boot comes back to that by itself only where it counts boots (`bootlimit`, `altbootcmd`).
"""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING

from polpkg.targets.boot.configurations import (
    beside,
    find_loader_files,
    is_same_file,
    read_text,
    statements,
    with_block,
    without_block,
)
from polpkg.targets.boot.network_tree import NetworkTree
from polpkg.targets.boot.path import BootFileContent, BootFinding, SetUp, why_not_enforced, xen_options
from polpkg.targets.layout import BESIDE_FALLBACK_PREFIX, BOOT, fallback_path

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from polpkg.targets.boot.path import Served
    from polpkg.targets.target import Target

_ASSIGNMENT = re.compile(r"(?:export\s+)?([A-Z][A-Z0-9_]*)=(.*)")
_TYPICAL = frozenset(("DOM0_KERNEL", "NUM_DOMUS", "UBOOT_SOURCE", "UBOOT_SCRIPT"))


class ImageBuilderBootPath(NetworkTree):
    """A folder with the configuration and what it names; outside /boot, policies are called as in a network tree."""

    name = "imagebuilder"

    def set_up(self, target: Target, served: Sequence[Served]) -> SetUp:
        """The block in each configuration, and a configuration with the confirmed policy."""
        files: dict[str, BootFileContent] = {}
        notes: list[str] = []
        for path, each in _served_by(target, served):
            text = read_text(target, path)
            values = read_values(without_block(text))
            policy = each.policy.rpartition("/")[2]
            files[path] = BootFileContent(with_block(text, _lines(each, values, policy)), is_last=True)
            notes += _about(path, each, values)
            if each.fallback is not None:
                files[fallback_path(each.policy)] = BootFileContent(each.fallback)
                folder, _, name = path.rpartition("/")
                place = f"{folder}/{BESIDE_FALLBACK_PREFIX}{name}"
                files[place] = BootFileContent(with_block(text, _fallback_lines(each, values)))
        return SetUp(files, tuple(notes))

    def inspect(self, target: Target, served: Sequence[Served]) -> Iterable[BootFinding]:
        """Whether each configuration has the policy loaded and enforced, and scripts that are older than it."""
        for path, each in _served_by(target, served):
            values = read_values(read_text(target, path))
            policy = values.get("XEN_POLICY", "")
            if policy.rpartition("/")[2] != each.policy.rpartition("/")[2]:
                told = f"names {policy}" if policy else "names no policy"
                yield BootFinding("imagebuilder-policy", path, f"{path} {told}, not {each.policy}")
            elif "XEN_CMD" in values and (reason := _why_not(values, each)):
                yield BootFinding("imagebuilder-policy", path, f"{path} does not have its policy enforced: {reason}")
            yield from (
                BootFinding("imagebuilder-command", path, note, is_wrong=False) for note in _about(path, each, values)
            )


def _why_not(values: Mapping[str, str], served: Served) -> str:
    """What the block appends to XEN_CMD is told too."""
    return why_not_enforced((*values["XEN_CMD"].split(), *xen_options(served.version)), served.version)


def _served_by(target: Target, served: Sequence[Served]) -> Iterator[tuple[str, Served]]:
    """The configurations in `target`, each with the hypervisor that it boots."""
    for path in find_loader_files(target, _may_be_configuration):
        values = read_values(without_block(read_text(target, path)))
        if "XEN" not in values or not _TYPICAL & values.keys():
            continue
        folders = (path.rpartition("/")[0], "", BOOT)
        for each in served:
            if is_same_file(target, folders, values["XEN"], each.hypervisor):
                yield path, each
                break


def _may_be_configuration(path: str) -> bool:
    name = path.rpartition("/")[2]
    is_kernels = name.startswith("config-")
    return not is_kernels and ("config" in name or name.endswith((".cfg", ".conf")))


def read_values(text: str) -> dict[str, str]:
    """The plain assignments of a configuration, the last of each name; nothing is run."""
    values: dict[str, str] = {}
    for line in statements(text):
        if found := _ASSIGNMENT.fullmatch(line):
            try:
                values[found[1]] = " ".join(shlex.split(found[2], comments=True))
            except ValueError:  # quotes over several lines
                values[found[1]] = found[2]
    return values


def _lines(served: Served, values: Mapping[str, str], policy: str) -> Iterator[str]:
    yield f'XEN_POLICY="{beside(values["XEN"], policy)}"'
    # ImageBuilder makes up a command line when there is none, so none is begun here.
    yield f'if test "${{XEN_CMD:-}}"; then XEN_CMD="$XEN_CMD {" ".join(xen_options(served.version))}"; fi'


def _fallback_lines(served: Served, values: Mapping[str, str]) -> Iterator[str]:
    below = fallback_path(served.policy).removeprefix(served.policy.rpartition("/")[0] + "/")
    yield from _lines(served, values, below)
    for name, ending in (("UBOOT_SOURCE", "source"), ("UBOOT_SCRIPT", "scr")):
        yield f'{name}="{BESIDE_FALLBACK_PREFIX}boot.{ending}"'


def _about(path: str, served: Served, values: Mapping[str, str]) -> Iterator[str]:
    script = values.get("UBOOT_SCRIPT", "the script")
    yield f"{script} is made of {path} by uboot-script-gen: run it again whenever {served.policy} changes"
    if "XEN_CMD" not in values:
        options = " ".join(xen_options(served.version))
        yield f"{path} has no XEN_CMD: write one with {options}, since ImageBuilder's own has neither"
