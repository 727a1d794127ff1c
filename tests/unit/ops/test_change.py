"""Changing a target: what is planned, what is kept, what leaves it as it was."""

from __future__ import annotations

import pytest
from hypervisors import build_hypervisor

from polpkg.errors import PendingError, PolicyError, PolpkgError, TargetError, TrustError, UsageError
from polpkg.ops.artifacts import check_expected, find_slots
from polpkg.ops.change import ChangeRequest, change_target
from polpkg.ops.context import Context
from polpkg.ops.project_files import ProjectFiles, project_folder, read_project_files
from polpkg.packages.requirement import Requirement
from polpkg.policy.abi import load_abi
from polpkg.targets.tree import TreeTarget

PROJECT = "etc/polpkg/policy.toml"


class Bench:
    """A tree with a hypervisor, and what can be done to it."""

    def __init__(self, folder):
        self.folder = folder
        self.root = folder / "root"
        (self.root / "boot").mkdir(parents=True)
        self.add_hypervisor("xen-4.17-amd64.gz", "4.17")
        self.said = []
        self.context = Context(working_directory=folder, say=self.said.append)

    def add_hypervisor(self, name, xen):
        (self.root / "boot" / name).write_bytes(build_hypervisor(xen))

    def change(self, action="change", **more):
        options = {name: more.pop(name) for name in ("dry_run", "agree", "project_folder") if name in more}
        return change_target(self.context, TreeTarget(str(self.root)), ChangeRequest(action, **more), **options)

    def install(self, *names, **more):
        return self.change(f"install {' '.join(names)}", install=tuple(Requirement(n) for n in names), **more)

    def files(self):
        return {
            str(path.relative_to(self.root)): path.read_bytes()
            for path in self.root.rglob("*")
            if path.is_file() and path.name != "lock"
        }


@pytest.fixture
def bench(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return Bench(tmp_path)


def refused(bench, kind, code, call):
    """The change fails with this code, and the target is as it was."""
    before = bench.files()
    with pytest.raises(kind) as caught:
        call()
    assert caught.value.code == code
    assert bench.files() == before
    return caught.value


def test_install_and_remove(bench):
    first = bench.install("netdom")
    assert (first.receipt.generation, first.receipt.action) == (1, "install netdom")
    assert {"dom0", "netdom", "xen-base"} <= {p.name for p in first.receipt.packages}
    assert first.receipt.functions["net-backend"] == "netdom"
    assert (bench.root / "boot/xenpolicy-4.17-amd64").is_file()
    assert 'netdom = "*"' in (bench.root / PROJECT).read_text()
    second = bench.change("remove netdom", remove=("netdom",))
    assert second.receipt.generation == 2
    assert "netdom" not in {p.name for p in second.receipt.packages}
    assert second.receipt.functions["net-backend"] == "dom0"


def test_the_same_again_changes_nothing(bench):
    bench.install("domu")
    before = bench.files()
    again = bench.install("domu")
    assert (again.plan.is_empty, again.receipt.generation) == (True, 1)
    assert bench.files() == before


def test_a_dry_run_touches_nothing(bench):
    before = bench.files()
    outcome = bench.install("domu", dry_run=True)
    assert (outcome.receipt, outcome.plan.is_empty) == (None, False)
    assert bench.files() == before


def test_who_does_not_agree_keeps_the_target(bench):
    bench.install("domu")

    def refuse(plan):
        raise PendingError("not-confirmed", "no")

    refused(bench, PendingError, "not-confirmed", lambda: bench.install("vmv", agree=refuse))


def test_two_hypervisors_get_a_policy_each(bench):
    bench.add_hypervisor("xen-4.22.gz", "4.22")
    receipt = bench.install("domu").receipt
    assert sorted(p.xen_version for p in receipt.policies) == ["4.17.7", "4.22.0"]
    assert {p.name for p in (bench.root / "boot").glob("xenpolicy-*")} == {"xenpolicy-4.17-amd64", "xenpolicy-4.22"}


def test_one_table_is_compiled_once(bench):
    bench.add_hypervisor("xen-4.17-debug.gz", "4.17")
    receipt = bench.install("domu").receipt
    assert len(receipt.policies) == 1
    assert len(list((bench.root / "boot").glob("xenpolicy-*"))) == 2


def test_what_is_not_there_cannot_be_removed(bench):
    bench.install("domu")
    error = refused(bench, UsageError, "not-installed", lambda: bench.change(remove=("vmv",)))
    assert "`vmv`" in error.message
    refused(bench, UsageError, "base-package", lambda: bench.change(remove=("dom0",)))
    refused(bench, UsageError, "no-such-instance", lambda: bench.change(remove=("domu",), instance="x"))


def test_a_stale_lock(bench):
    bench.install("domu")
    project = bench.root / PROJECT
    project.write_text(project.read_text().replace("[packages]", '[packages]\nvmv = "*"'))
    refused(bench, PendingError, "stale-lock", lambda: bench.change("sync", locked=True))


def test_no_lock(bench):
    refused(bench, PendingError, "stale-lock", lambda: bench.change("sync", locked=True))


def test_settings_are_for_one_package(bench):
    more = {"settings": {"guests": "web"}}
    refused(bench, UsageError, "ambiguous-settings", lambda: bench.install("vmv", "domu", **more))


def test_an_instance_comes_and_goes(bench):
    bench.install("vmv", instance="tenant-a", settings={"guests": "web,db"})
    assert "tenant-a" in (bench.root / PROJECT).read_text()
    conf = next((bench.root / "var/lib/polpkg/generations/1").rglob("policy.conf")).read_text()
    assert "vmv_tenant_a_web_t" in conf
    refused(bench, UsageError, "no-such-instance", lambda: bench.change(remove=("vmv",), instance="tenant-b"))


def test_an_unexpected_policy(bench):
    bench.install("domu")
    fingerprint = load_abi("4.17").fingerprint
    project = bench.root / PROJECT
    project.write_text(project.read_text() + f'\n[expect.{fingerprint}]\nsha256 = "{"0" * 64}"\n')
    error = refused(bench, TrustError, "unexpected-policy", lambda: bench.install("vmv"))
    assert "0" * 64 in error.message


def test_no_hypervisor(tmp_path):
    (tmp_path / "boot").mkdir()
    with pytest.raises(TargetError) as caught:
        find_slots(TreeTarget(str(tmp_path)), (), "", "")
    assert caught.value.code == "no-hypervisor"
    (slot,) = find_slots(TreeTarget(str(tmp_path)), (), "4.17", "")
    assert (slot.version, [f.path for f in slot.boot_files]) == ("4.17.7", ["/boot/xenpolicy-4.17.7"])
    (slot,) = find_slots(TreeTarget(str(tmp_path)), (), "", "4.22")
    assert slot.version == "4.22.0"


def test_expectations_about_other_tables_do_not_matter(bench):
    assert check_expected((), {"0" * 64: "1" * 64}) is None


def test_a_project_folder_of_the_person(bench, tmp_path):
    folder = tmp_path / "project"
    folder.mkdir()
    bench.install("domu", project_folder=folder)
    assert sorted(p.name for p in folder.iterdir()) == ["policy.lock", "policy.toml"]
    before = {p: p.stat().st_mtime_ns for p in folder.iterdir()}
    bench.install("domu", project_folder=folder)
    assert {p: p.stat().st_mtime_ns for p in folder.iterdir()} == before


def test_which_project_folder(tmp_path):
    assert project_folder(None, tmp_path) is None
    assert project_folder(tmp_path / "x", tmp_path) == tmp_path / "x"
    (tmp_path / "policy.toml").write_text("")
    assert project_folder(None, tmp_path) == tmp_path


def test_project_files_that_do_not_parse(bench, tmp_path):
    files = ProjectFiles(tmp_path)
    assert files.read().lock is None
    (tmp_path / "policy.toml").write_text("packages = [")
    with pytest.raises(PolicyError) as caught:
        files.read()
    assert caught.value.origin.file == str(tmp_path / "policy.toml")
    (bench.root / "etc/polpkg").mkdir(parents=True)
    (bench.root / PROJECT).write_bytes(b"\xff\xfe")
    with pytest.raises(PolpkgError):
        read_project_files(TreeTarget(str(bench.root)), None)
    (bench.root / PROJECT).write_text("")
    (bench.root / "etc/polpkg/policy.lock").write_text("format = [")
    with pytest.raises(PolicyError) as caught:
        read_project_files(TreeTarget(str(bench.root)), None)
    assert "policy.lock" in caught.value.origin.file


def test_a_broken_package_leaves_the_target(bench):
    bench.install("domu")
    folder = bench.folder / "bad/policy"
    folder.mkdir(parents=True)
    (folder.parent / "polpkg.toml").write_text('[package]\nname = "bad"\nversion = "1.0"\n')
    (folder / "bad.te").write_text("allow nobody_t nobody_t:domain create;\n")
    request = (Requirement("", "", "./bad"),)
    refused(bench, PolicyError, "unknown-type", lambda: bench.change("install bad", install=request))


def test_a_damaged_generation_is_made_again(bench):
    bench.install("domu")
    policy = next((bench.root / "var/lib/polpkg/generations/1").rglob("policydb"))
    good = policy.read_bytes()
    policy.write_bytes(good[:-1] + bytes([good[-1] ^ 1]))
    receipt = bench.install("netdom").receipt
    assert receipt.generation == 2
