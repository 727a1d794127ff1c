"""What is true of a target at every instant of a change, and after it, whatever kind of target it is.

    before = snapshot(target)
    ...                                       # a change that is cut off anywhere
    check_midway(target, before, after)       # a machine that boots now boots a policy that it accepts
    recover(target)                           # the next command finishes it or undoes it
    assert check_settled(target, before, after) in ("before", "after")

`after` is the snapshot of a copy on which nothing went wrong.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from functools import cache
from pathlib import Path

from polpkg.errors import PolpkgError
from polpkg.ops.probe import why_refused
from polpkg.policy.abi.hypervisor import inspect_hypervisor
from polpkg.targets.boot.efi import find_config
from polpkg.targets.boot.grub_check import find_configuration
from polpkg.targets.boot.grub_menu import find_file, read_menu
from polpkg.targets.boot.placing import find_boot_path
from polpkg.targets.boot.trial import Trial, parse_trial
from polpkg.targets.boot.xen_cfg import XenConfig
from polpkg.targets.document import digest
from polpkg.targets.generations import current_number, generation_numbers, read_generation
from polpkg.targets.layout import (
    BOOT_STATE,
    GENERATIONS,
    GRUB_SCRIPT,
    JOURNAL,
    LOCK,
    MARKS,
    POLICY_PREFIX,
    STATE,
    TEMPORARY,
    generation_path,
    is_policy_path,
)
from polpkg.targets.marks import read_marks
from polpkg.targets.probe import probe_hypervisors
from polpkg.targets.recovery import find_damage
from polpkg.targets.target import FileKind
from polpkg.targets.tree import TreeTarget

FOLDERS = ("/boot", "/etc", STATE)
"""Where polpkg writes."""


def snapshot(target, folders=FOLDERS):
    """Every file of these folders by its path, and every link as what it says; without the lock."""
    if isinstance(target, TreeTarget):
        return {path: content for folder in folders for path, content in _tree_files(target.root, folder)}
    found = {}
    for folder in folders:
        for name in target.list(folder):
            path = f"{folder}/{name}"
            link = target.read_link(path)
            if link is not None:
                found[path] = f"-> {link}".encode()
            elif (status := target.stat(path)).kind is FileKind.DIRECTORY:
                found |= snapshot(target, (path,))
            elif status.kind is FileKind.FILE and path != LOCK:
                found[path] = target.read(path)
    return found


def _tree_files(root, folder):
    """The same for a tree, in less time."""
    for directory, folders, names in os.walk(f"{root}{folder}"):
        for name in (*names, *(each for each in folders if Path(directory, each).is_symlink())):
            file = Path(directory, name)
            path = f"/{file.relative_to(root)}"
            if path != LOCK:
                yield path, f"-> {file.readlink()}".encode() if file.is_symlink() else file.read_bytes()


def check_midway(target, before, after):
    """Whether a machine that stops here comes back: what is current is whole, and what boots is of one state."""
    now = snapshot(target)
    _check_current(target)
    _check_marked(target, now)
    _check_boot_files(target, now, before, after)
    _check_users_files(now, before, after)
    _check_boot_configuration(target, now, before, after)


def check_settled(target, before, after):
    """Which of the two states a target is in when nothing is under way; fails when it is neither.

    Generations that the change would have pruned may still be there: the next change prunes them.
    """
    check_midway(target, before, after)
    assert target.stat(JOURNAL) is None
    now = snapshot(target)
    left = [path for path in now if path.rpartition("/")[2] == TEMPORARY or _is_leftover(path)]
    assert not left, f"left over: {left}"
    if now == before:
        return "before"
    surplus = {path for path in before.keys() - after.keys() if path.startswith(f"{GENERATIONS}/")}
    assert {path: content for path, content in now.items() if path not in surplus} == after, _difference(now, after)
    return "after"


def _is_leftover(path):
    return path.startswith(f"{GENERATIONS}/.")


def _difference(now, after):
    odd = [path for path in now.keys() | after.keys() if now.get(path) != after.get(path)]
    return f"neither the state before nor the one after: {sorted(odd)}"


def _check_current(target):
    """`current` leads to a complete generation, or there is none."""
    number = current_number(target)
    if number is not None:
        _check_whole(target, number)


def _check_whole(target, number):
    receipt = read_generation(target, number)
    damaged = find_damage(target, generation_path(number), receipt.files.items())
    assert damaged is None, f"{damaged} is damaged"


def _check_marked(target, now):
    """What is pinned or confirmed is there, whole."""
    if MARKS in now:
        marks = read_marks(target)
        for number in {*marks.pinned, marks.confirmed} - {None}:
            _check_whole(target, number)


def _check_boot_files(target, now, before, after):
    """Every policy is one of the two states, whole, a receipt or the state before knows it, and its Xen takes it."""
    known = {p.sha256 for n in generation_numbers(target) for p in read_generation(target, n).policies}
    for path, content in now.items():
        if path.startswith("/boot/") and path.rpartition("/")[2].startswith(POLICY_PREFIX):
            assert content in (before.get(path), after.get(path)), f"{path} is of neither state"
            assert content == before.get(path) or digest(content) in known, f"no receipt knows {path}"
    both = {path for path in before.keys() & after.keys() if is_policy_path(path)}
    assert both <= now.keys(), f"{both - now.keys()} is missing"
    for hypervisor in probe_hypervisors(target, None, _inspect):
        place = find_boot_path(hypervisor.path)
        if hypervisor.is_usable and place in now and now[place] != before.get(place):
            assert _why_refused(now[place], now[hypervisor.path]) == "", f"{hypervisor.path} refuses {place}"


def _check_users_files(now, before, after):
    """Nothing but what the change writes is touched, and each file is of one of the two states."""
    for path in {*before, *after}:
        if not path.startswith(f"{STATE}/"):
            assert now.get(path) in (before.get(path), after.get(path)), f"{path} is of neither state"
    strangers = {path for path in now.keys() - before.keys() - after.keys() if not path.startswith(f"{STATE}/")}
    assert all(path.endswith(f"/{TEMPORARY}") for path in strangers), f"nobody wants {strangers}"


def dangling(files):
    """The policies that some configuration of a boot loader names and that are not there, with where they are named."""
    names = {path.rpartition("/")[2] for path in files}
    found = set()
    for path, content in files.items():
        if path.endswith((".cfg", ".ipxe", "extlinux.conf")) and path.startswith("/boot/") and "grub" not in path:
            text = "\n".join(line for line in content.decode("latin-1").splitlines() if not line.startswith("#"))
            named = set(re.findall(r"[\w.+~-]*(?:xenpolicy|confirmed)-[\w.+~-]+", text))
            found |= {(path, name) for name in named - names if not name.startswith("polpkg-xen-")}
    return found


def _check_boot_configuration(target, now, before, after):
    """Scripts and configurations parse, and what would boot by itself is there."""
    if GRUB_SCRIPT in now:
        assert _parses("sh", "-n", content=now[GRUB_SCRIPT])
    if (path := find_configuration(target)) is not None:
        if shutil.which("grub-script-check"):
            assert _parses("grub-script-check", content=now[path])
        _check_menu(target, path, now, before)
    for hypervisor in probe_hypervisors(target, None, _inspect):
        if "/efi/" in hypervisor.path.lower() and (path := find_config(target, hypervisor.path)):
            config = XenConfig(now[path])
            policy = config.value(config.section, "xsm")
            assert not policy or f"{path.rpartition('/')[0]}/{policy}" in now, f"{path} names {policy}, which is gone"
    missing = dangling(now) - dangling(before)
    assert not missing, f"boot loaders are told of what is not there: {missing}"
    _check_way_back(now, before)


def _check_menu(target, path, now, before):
    """All that GRUB would load by itself is there, unless it was not there before either."""
    entry = _default_entry(target, path, now)
    if entry is None or not entry.hypervisor:
        return
    files = [find_file(target, name) for name in (entry.hypervisor, *entry.modules)]
    policies = [name for name in entry.modules if is_policy_path(f"/boot/{name.rpartition('/')[2]}")]
    was_there = all(f"/boot/{name.rpartition('/')[2]}" in before for name in policies)
    assert all(file in now for file in files if file) or not was_there, f"{path} boots what is not there: {entry}"


def _check_way_back(now, before):
    """A policy that nobody has confirmed is only tried: the boot after it takes the confirmed one."""
    if BOOT_STATE not in before or BOOT_STATE not in now:
        return
    trial = parse_trial(now[BOOT_STATE])
    for path, fallback in now.items():
        label = path.removeprefix("/boot/polpkg/confirmed-")
        if label == path:
            continue
        policy = now.get(f"/boot/{POLICY_PREFIX}{label}")
        assert fallback in (policy, before.get(path)), f"{path} is a policy that nobody confirmed"
        assert (
            trial is Trial.STAGED or policy in (fallback, None) or policy == before.get(f"/boot/{POLICY_PREFIX}{label}")
        ), "an unconfirmed policy without a trial"


def _default_entry(target, path, now):
    """What GRUB boots by itself; worked out once for each configuration, record and set of names in /boot."""
    key = path, now[path], now.get(BOOT_STATE), frozenset(each for each in now if each.startswith("/boot/"))
    if key not in _MENUS:
        _MENUS[key] = read_menu(target, path).default
    return _MENUS[key]


_MENUS = {}


@cache
def _inspect(content, name):
    return inspect_hypervisor(content, name)


@cache
def _why_refused(policy, hypervisor):
    try:
        return why_refused(policy, _inspect(hypervisor, "").abi)
    except PolpkgError as error:
        return error.message


@cache
def _parses(*words, content):
    return subprocess.run([*words, "/dev/stdin"], input=content, capture_output=True, check=False).returncode == 0
