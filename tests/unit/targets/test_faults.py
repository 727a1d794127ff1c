"""A change that fails or dies at any system call leaves the old state or the new one.

The `os` that the tree writes through is replaced by one that, at its k-th call that changes something, fails, or ends
the process before or after the call, or cuts the power: what was written and not waited for is then lost.
"""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from faulty_os import FaultyOs, Killed

from polpkg.errors import ApplyError, TargetError
from polpkg.targets.apply import apply_plan
from polpkg.targets.boot.set_up import with_boot_set_up
from polpkg.targets.boot.trial import Trial, parse_trial
from polpkg.targets.confirm import plan_confirmation
from polpkg.targets.generations import current_number
from polpkg.targets.layout import TEMPORARY
from polpkg.targets.recovery import recover
from polpkg.targets.rollback import rollback
from polpkg.targets.tree import TreeTarget

MODES = ("no space", "broken disk", "error after", "interrupt", "kill", "kill after", "power cut")


def prepare_first(target, make):
    return lambda: make.apply(target, make.wanted("one"))


def prepare_upgrade(target, make):
    """Two ABIs, a foreign file in the way, one of ours to go, and policy.toml edited by hand."""
    places = [make.boot_file("/boot/xenpolicy-old"), make.boot_file()]
    make.apply(target, make.wanted("one", artifacts=[make.artifact("one", boot_files=places)]))
    target.write("/boot/xenpolicy-4.18", b"hand-made policy")
    target.write("/etc/polpkg/policy.toml", b"# edited\n")
    second = make.artifact("two", make.ABI_B, [make.boot_file("/boot/xenpolicy-4.18")])
    return lambda: make.apply(target, make.wanted("two", artifacts=[make.artifact("two"), second]))


def prepare_rollback(target, make):
    make.apply(target, make.wanted("one"))
    make.apply(target, make.wanted("two", packages=[make.package("vmv", "2.0")]))
    return lambda: rollback(target, created=make.CREATED)


def prepare_repair(target, make):
    """Boot file and lock are gone; nothing new is wanted."""
    make.apply(target, make.wanted("one"))
    target.remove("/boot/xenpolicy-4.17.7")
    target.remove("/etc/polpkg/policy.lock")
    return lambda: make.apply(target, make.wanted("one"))


def boots_with_grub(make, text):
    hypervisor = "/boot/xen-4.17.7.gz"
    return make.wanted(text, artifacts=[make.artifact(text, boot_files=[make.boot_file(hypervisor=hypervisor)])])


def apply_with_grub(target, make, text):
    state = with_boot_set_up(target, boots_with_grub(make, text))
    return make.apply(target, state)


def prepare_trial(target, make):
    """A confirmed policy, and a new one to try; GRUB's script, its record and the fallback are written and changed."""
    target.write("/etc/grub.d/00_header", b"#!/bin/sh\n")
    target.write("/boot/xen-4.17.7.gz", b"/boot/xen-4.17.7.gz")
    apply_with_grub(target, make, "one")
    confirm(target)


def prepare_confirmation(target, make):
    prepare_trial(target, make)
    apply_with_grub(target, make, "two")


def confirm(target):
    plan, state = plan_confirmation(target)
    return apply_plan(target, plan, state)


SCENARIOS = {
    "trial": prepare_trial,
    "confirmation": prepare_confirmation,
    "first": prepare_first,
    "upgrade": prepare_upgrade,
    "rollback": prepare_rollback,
    "repair": prepare_repair,
}


def boot_files(files):
    return {name: content for name, content in files.items() if name.startswith("boot/")}


def check_way_back(found, old, new):
    """A machine that boots in the middle of a change can come back from a policy that nobody has confirmed."""
    policy, fallback, record = "boot/xenpolicy-4.17.7", "boot/polpkg/confirmed-4.17.7", "boot/polpkg/grubenv"
    if record not in old:
        return
    assert found[fallback] in {found[policy], old[fallback]}
    trial = parse_trial(found[record])
    assert trial is Trial.STAGED or found[policy] == found[fallback], "an unconfirmed policy without a trial"


def check_boot(found, old, new):
    """Every boot file is one of the old state or of the new one, whole; no file of both is missing."""
    for name, content in boot_files(found).items():
        if not name.endswith(TEMPORARY):
            assert content in {old.get(name), new.get(name)}
    check_way_back(found, old, new)
    assert boot_files(old).keys() & boot_files(new).keys() <= found.keys()


@pytest.fixture
def scratch(tmp_path):
    """A directory in memory where there is one: thousands of small trees are copied to it."""
    memory = Path("/dev/shm")
    if not os.access(memory, os.W_OK):
        yield tmp_path
        return
    with TemporaryDirectory(dir=memory) as directory:
        yield Path(directory)


@pytest.mark.parametrize("stride", [pytest.param(1, marks=pytest.mark.slow, id="every"), pytest.param(7, id="some")])
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_any_fault_leaves_the_old_state_or_the_new_one(scenario, mode, stride, scratch, make, monkeypatch):
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)
    pristine = scratch / "pristine"
    (pristine / "boot").mkdir(parents=True)
    (pristine / "etc").mkdir()
    SCENARIOS[scenario](TreeTarget(str(pristine)), make)
    # Preparing is done once; each run works on a copy.  The change itself is made again for it.
    reference = scratch / "reference"
    shutil.copytree(pristine, reference, symlinks=True)
    counter = FaultyOs()
    with counter.in_use(monkeypatch):
        change(scenario, TreeTarget(str(reference)), make)()
    old, new = make.files_of(pristine), make.files_of(reference)
    assert counter.count > 15
    outcomes = set()
    for at in range(1 + MODES.index(mode) % stride, counter.count + 1, stride):
        root = scratch / "run"
        shutil.copytree(pristine, root, symlinks=True)
        outcomes.add(
            run_one(change(scenario, TreeTarget(str(root)), make), root, at, mode, old, new, make, monkeypatch)
        )
        shutil.rmtree(root)
    if stride == 1:
        assert outcomes == {"old", "new"}


def change(scenario, target, make):
    """The change of a scenario, on a target that is prepared already."""
    match scenario:
        case "first":
            return prepare_first(target, make)
        case "upgrade":
            second = make.artifact("two", make.ABI_B, [make.boot_file("/boot/xenpolicy-4.18")])
            return lambda: make.apply(target, make.wanted("two", artifacts=[make.artifact("two"), second]))
        case "rollback":
            return lambda: rollback(target, created=make.CREATED)
        case "repair":
            return lambda: make.apply(target, make.wanted("one"))
        case "trial":
            return lambda: apply_with_grub(target, make, "two")
        case "confirmation":
            return lambda: confirm(target)


def run_one(act, root, at, mode, old, new, make, monkeypatch):
    faulty = FaultyOs(at, mode)
    target = TreeTarget(str(root))
    raised = None
    with faulty.in_use(monkeypatch):
        try:
            act()
        except (Killed, ApplyError, KeyboardInterrupt) as error:
            raised = error
    after = make.files_of(root)
    check_boot(after, old, new)
    if isinstance(raised, ApplyError):
        assert raised.exit_code == 8
        if raised.code == "apply-failed":
            assert after == old
    if isinstance(raised, KeyboardInterrupt) and "var/lib/polpkg/journal.json" in after:
        assert after["var/lib/polpkg/current"] == new["var/lib/polpkg/current"], "only tidying was interrupted"
    try:
        recover(target)
    except TargetError:
        pytest.fail(f"recovery failed after a fault at call {at}")
    recovered = make.files_of(root)
    assert recovered in (old, new), f"neither state after a fault at call {at}"
    assert recover(target) is None
    outcome = "old" if recovered == old else "new"
    if outcome == "old":
        act()
    assert make.files_of(root) == new
    return outcome


@pytest.mark.parametrize("mode", ["kill", "power cut", "no space"])
def test_a_fault_during_recovery_is_recovered_from(mode, scratch, make, monkeypatch):
    """Killed in the middle of a change, then again at every call of the recovery."""
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)
    pristine = scratch / "pristine"
    (pristine / "boot").mkdir(parents=True)
    prepare_upgrade(TreeTarget(str(pristine)), make)
    old = make.files_of(pristine)
    reference = scratch / "reference"
    shutil.copytree(pristine, reference, symlinks=True)
    counter = FaultyOs()
    with counter.in_use(monkeypatch):
        change("upgrade", TreeTarget(str(reference)), make)()
    new = make.files_of(reference)
    for first in range(counter.count // 2, counter.count, 7):
        for second in range(1, 30, 4):
            root = scratch / "run"
            shutil.copytree(pristine, root, symlinks=True)
            target = TreeTarget(str(root))
            for faulty, act in (
                (FaultyOs(first, "kill"), change("upgrade", target, make)),
                (FaultyOs(second, mode), partial(recover, target)),
            ):
                with faulty.in_use(monkeypatch), suppress(Killed, TargetError):
                    act()
                check_boot(make.files_of(root), old, new)
            recover(target)
            assert make.files_of(root) in (old, new)
            shutil.rmtree(root)


def test_pruning_that_dies_leaves_no_half_generation(scratch, make, monkeypatch):
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)
    pristine = scratch / "pristine"
    pristine.mkdir()
    target = TreeTarget(str(pristine))
    for text in ("one", "two", "three"):
        make.apply(target, make.wanted(text))
    for at in range(60, 130, 3):
        root = scratch / "run"
        shutil.copytree(pristine, root, symlinks=True)
        target = TreeTarget(str(root))
        faulty = FaultyOs(at, "kill after")
        with faulty.in_use(monkeypatch), suppress(Killed):
            make.apply(target, make.wanted("four"), keep=1)
        recover(target)
        number = current_number(target)
        assert number in {3, 4}
        for name in (root / "var/lib/polpkg/generations").iterdir():
            assert (name / "receipt.json").exists(), "half a generation"
            assert (name / "policy.toml").exists(), "half a generation"
        shutil.rmtree(root)
