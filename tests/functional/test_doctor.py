"""`polpkg doctor`: what will not work, with why and what to do."""

import json

import pytest
from hypervisors import build_hypervisor

from polpkg.ops.ailments import Level
from polpkg.ops.context import Context
from polpkg.ops.doctor import diagnose
from polpkg.policy.abi import Abi, load_abi
from polpkg.targets.host.commands import Completed
from polpkg.targets.tree import TreeTarget


@pytest.fixture
def examine(call):
    """`examine(root)`: the exit code, and the findings that are no notes, by their codes."""

    def run(root):
        done = call("doctor", "--root", root, "--json")
        findings = done.document["findings"]
        assert all(each["what"] for each in findings)
        assert done.document["ok"] == (done.code == 0)
        assert [each["level"] for each in findings] == sorted(
            (each["level"] for each in findings), key=["problem", "caution", "note"].index
        )
        return done.code, {each["code"]: each for each in findings if each["level"] != "note"}

    return run


def test_a_target_that_is_well(call, examine, installed):
    assert call("confirm", "--root", installed).code == 0
    assert examine(installed) == (0, {})
    text = call("doctor", "--root", installed).out
    assert "experimental" in text
    assert "XSA-77" in text
    assert max(map(len, text.splitlines())) <= 80


def test_nothing_is_changed(call, installed):
    before = {path: path.read_bytes() for path in installed.rglob("*") if path.is_file()}
    call("doctor", "--root", installed)
    assert {path: path.read_bytes() for path in installed.rglob("*") if path.is_file()} == before


def test_a_hypervisor_without_flask(examine, installed, empty):
    (installed / "boot/xen-4.18.gz").write_bytes(build_hypervisor("4.18", flask=False))
    code, found = examine(installed)
    assert (code, found["no-flask"]["level"]) == (0, "caution")
    (empty / "boot").mkdir()
    (empty / "boot/xen.gz").write_bytes(build_hypervisor("4.18", flask=False))
    code, found = examine(empty)
    assert (code, found["no-flask"]["level"]) == (1, "problem")
    assert "CONFIG_XSM" in found["no-flask"]["remedy"]


def test_no_hypervisor_at_all(examine, empty):
    code, found = examine(empty)
    assert code == 1
    assert set(found) == {"no-hypervisor"}


def test_another_abi(examine, installed):
    (installed / "boot/xen-4.17-amd64.gz").write_bytes(build_hypervisor("4.22"))
    code, found = examine(installed)
    assert code == 1
    assert "refuses" in found["policy-misfit"]["what"]
    assert "panics" in found["policy-misfit"]["why"]
    assert "sync" in found["policy-misfit"]["remedy"]
    assert found["hypervisor-abi"]["level"] == "problem"


def test_a_table_that_nobody_knows(examine, installed):
    known = load_abi("4.17")
    odd = Abi((*known.classes[:-1], known.classes[-1]._replace(name="odd")), known.initial_sids, known.version)
    (installed / "boot/xen-4.99.gz").write_bytes(build_hypervisor(odd))
    found = examine(installed)[1]
    assert found["unknown-abi"]["path"] == "/boot/xen-4.99.gz"


def test_a_hand_made_policy(examine, empty, installed):
    (empty / "boot").mkdir()
    (empty / "boot/xen-4.17-amd64.gz").write_bytes(build_hypervisor("4.17"))
    policy = (installed / "boot/xenpolicy-4.17-amd64").read_bytes()
    (empty / "boot/xenpolicy-4.17-amd64").write_bytes(policy)
    code, found = examine(empty)
    assert code == 0
    assert "adopt" in found["foreign-policy"]["remedy"]


def test_a_stray_policy_and_a_policy_that_is_gone(examine, installed):
    (installed / "boot/xenpolicy-stray").write_bytes(b"x")
    code, found = examine(installed)
    assert (code, found["foreign"]["path"]) == (0, "/boot/xenpolicy-stray")
    (installed / "boot/xenpolicy-4.17-amd64").unlink()
    code, found = examine(installed)
    assert code == 1
    assert found["no-policy"]["level"] == found["missing"]["level"] == "problem"


def test_tools_that_number_sids_otherwise(examine, installed):
    (installed / "usr/lib/xen-4.16/bin").mkdir(parents=True)
    code, found = examine(installed)
    assert code == 1
    assert "4.16" in found["sid-mismatch"]["what"]
    (installed / "usr/lib/x86_64-linux-gnu").mkdir(parents=True)
    (installed / "usr/lib/x86_64-linux-gnu/libxenctrl.so.4.17").touch()
    assert "sid-mismatch" not in examine(installed)[1]


def test_a_boot_loader_that_boots_something_else(examine, installed):
    (installed / "boot/grub").mkdir()
    (installed / "boot/grub/grub.cfg").write_text(
        "menuentry 'plain' {\n multiboot2 /boot/xen-4.17-amd64.gz\n module2 /boot/vmlinuz\n}\n"
    )
    code, found = examine(installed)
    assert code == 1
    assert {"boot-entry-missing", "boot-default-other"} <= set(found)
    assert "enforced" in found["boot-default-other"]["why"]


def test_damaged_records(examine, installed):
    (installed / "var/lib/polpkg/generations/2/receipt.json").write_text("{")
    code, found = examine(installed)
    assert code == 1
    assert "sync" in found["damaged-receipt"]["remedy"]


def test_a_backend_that_is_not_here(examine, installed, monkeypatch):
    path = installed / "etc/polpkg/policy.toml"
    path.write_text(path.read_text() + '\n[target]\nbackend = "secilc"\n')
    monkeypatch.setenv("PATH", "/nowhere")
    code, found = examine(installed)
    assert code == 1
    assert "secilc" in found["backend-missing"]["what"]


def test_a_cache_that_cannot_be_used(examine, installed, tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("POLPKG_CACHE", str(tmp_path / "file/cache"))
    assert examine(installed)[1]["cache-unusable"]["level"] == "caution"


def test_permissive_types_and_a_confirmation_that_is_missing(call, examine, installed):
    assert "nothing-confirmed" in examine(installed)[1]
    call("confirm", "--root", installed)
    assert call("permissive", "add", "vmv_t", "--root", installed, "--yes").code == 0
    found = examine(installed)[1]
    assert "vmv_t" in found["permissive-types"]["what"]
    assert "not-confirmed" in found


class Programs:
    """A host that answers as a running Xen does."""

    def __init__(self, label="system_u:system_r:dom0_t", mode="Enforcing", command_line="flask=enforcing"):
        self.answers = {
            "xl list -Z": f"Name  ID  Mem VCPUs State Time(s) Security Label\nDomain-0  0 1024 1 r----- 9.9 {label}\n",
            "xl info": f"xen_version : 4.17.7\nxen_commandline : {command_line}\n",
            "xl getenforce": mode,
            "cat /proc/sys/kernel/random/boot_id": "one\n",
            "flask-get-bool -a": "",
        }

    def run(self, argv, *, stdin=b"", timeout=60.0):
        answer = self.answers.get(" ".join(argv))
        return Completed(127, b"") if answer is None else Completed(0, answer.encode())


@pytest.mark.parametrize(
    ("programs", "code"),
    [
        (Programs(label="-"), "flask-not-in-use"),
        (Programs(label="dom0", command_line="flask=late"), "no-policy-loaded"),
        (Programs(mode="Permissive"), "not-enforcing"),
        (Programs(command_line="flask=late"), "flask-late"),
    ],
)
def test_what_runs(programs, code, installed):
    target = TreeTarget(str(installed))
    target.commands = programs
    found = {each.code: each for each in diagnose(Context(), target).ailments if each.level is not Level.NOTE}
    assert found[code].why
    target.commands = Programs()
    assert code not in {each.code for each in diagnose(Context(), target).ailments}


def test_a_host_that_does_not_run_xen(installed):
    target = TreeTarget(str(installed))
    target.commands = Programs()
    target.commands.answers.clear()
    assert "not-a-dom0" in {each.code for each in diagnose(Context(), target).ailments}


def test_without_a_target_this_machine_is_looked_at(call):
    done = call("doctor", "--json")
    assert done.code == 0
    assert json.loads(done.out)["target"] is None
