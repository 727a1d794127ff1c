"""Bad input of every kind: the exit code, a message that names the place, no traceback, and a target as it was."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from hypervisors import build_hypervisor

REPOSITORY = Path(__file__).parents[2]
MANIFEST = """[package]
name = "{name}"
version = "1.0.0"
summary = "A package that is wrong"
license = "MIT"
owns = ["{name}_*"]

[requires]
xen-base = ">=1"
"""


def run(command, folder, environment):
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=60)


class Bench:
    """A working directory with a target that has a policy."""

    def __init__(self, folder):
        self.folder = folder
        self.root = folder / "root"
        self.environment = {
            **os.environ,
            "HOME": str(folder / "home"),
            "XDG_CACHE_HOME": str(folder / "cache"),
            "PYTHONPATH": str(REPOSITORY),
            "PYTHONDONTWRITEBYTECODE": "1",
            "NO_COLOR": "1",
        }

    def polpkg(self, *words):
        return run([sys.executable, "-m", "polpkg", *words], self.folder, self.environment)

    def package(self, name, text, manifest=""):
        folder = self.folder / name
        shutil.rmtree(folder, ignore_errors=True)
        (folder / "policy").mkdir(parents=True)
        (folder / "polpkg.toml").write_text(MANIFEST.format(name=name) + manifest)
        (folder / f"policy/{name}.te").write_text(text)
        return f"./{name}"

    def snapshot(self):
        """Every file of the target but its lock file, with content and mode."""
        return {
            str(path.relative_to(self.root)): (path.stat().st_mode, path.read_bytes() if path.is_file() else b"")
            for path in sorted(self.root.rglob("*"))
            if path.name != "lock"
        }


@pytest.fixture(scope="session")
def bench(tmp_path_factory):
    bench = Bench(tmp_path_factory.mktemp("bench"))
    (bench.root / "boot").mkdir(parents=True)
    (bench.root / "boot/xen-4.17-amd64.gz").write_bytes(build_hypervisor("4.17"))
    done = bench.polpkg("install", "domu", "--root", str(bench.root), "--yes")
    assert done.returncode == 0, done.stderr
    return bench


def check(bench, words, *, exit_code, code, said, where=None):
    """Runs a command that must fail, for people and with --json, and looks at everything."""
    before = bench.snapshot()
    done = bench.polpkg(*words)
    assert done.returncode == exit_code, done.stderr
    assert f"error[{code}]" in done.stderr
    told = " ".join(done.stderr.split())  # sentences are wrapped
    for text in said:
        assert text in told, done.stderr
    spoken = bench.polpkg(*words, "--json")
    assert spoken.returncode == exit_code
    error = json.loads(spoken.stdout)["error"]
    assert (error["code"], error["exit"]) == (code, exit_code)
    if where:
        assert {key: error["where"][key] for key in where} == where
    for run in (done, spoken):
        assert "Traceback" not in run.stderr + run.stdout
    assert bench.snapshot() == before


def install(bench, *packages):
    return ["install", *packages, "--root", str(bench.root), "--yes"]


THREE_DEEP = """define(`app_outer', `app_middle($1)')
define(`app_middle', `
	app_inner($1)
')
define(`app_inner', `allow $1 $1:domain getdomaininfo')
type app_t;
app_outer(app_t)
"""

FRAGMENTS = {
    "syntax error three macros deep": (
        THREE_DEEP,
        "syntax-error",
        ["expected `;`", "app 1.0.0: policy/app.te:7", "macro app_outer", "macro app_middle", "macro app_inner"],
        {"package": "app", "file": "policy/app.te", "line": 7},
    ),
    "syscmd": (
        "type app_t;\nsyscmd(`touch /tmp/owned')\n",
        "m4-unsupported-builtin",
        ["syscmd", "policy/app.te:2:1"],
        {"line": 2, "column": 1},
    ),
    "endless macro": (
        "type app_t;\ndefine(`app_again', `app_again')\napp_again\n",
        "m4-limit",
        ["app_again", "policy/app.te:3"],
        {"line": 3},
    ),
    "undeclared dependency": (
        "type app_t;\n\nallow app_t dom0_t:domain getdomaininfo;\n",
        "undeclared-dependency",
        ["`dom0_t` of package `dom0`", "policy/app.te:3", "[requires]"],
        {"line": 3},
    ),
    "unknown permission": (
        "type app_t;\nallow app_t app_t:domain2 get_domain_state;\n",
        "unknown-permission",
        ["get_domain_state", "Xen 4.17", "since Xen 4.21", "policy/app.te:2"],
        {"line": 2},
    ),
    "violated neverallow": (
        "type app_t;\nallow app_t app_t:mmu stat;\nneverallow app_t self:mmu *;\n",
        "assertion-violated",
        ["allow app_t app_t:mmu { stat }", "policy/app.te:2", "neverallow app_t self:mmu *;", "policy/app.te:3"],
        {"line": 2},
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", FRAGMENTS)
def test_fragments(bench, case):
    text, code, said, where = FRAGMENTS[case]
    package = bench.package("app", text)
    check(bench, install(bench, package), exit_code=5, code=code, said=said, where=where)


def test_several_errors_in_one_run(bench):
    text = "type app_t;\nallow app_t nope_t:domain create;\nallow app_t app_t:domain fly;\ntype other_t;\n"
    done = bench.polpkg(*install(bench, bench.package("app", text)))
    assert done.stderr.count("error[") == 3
    assert "3 errors" in done.stderr


def test_violated_assertion_of_a_manifest(bench):
    manifest = '\n[assertions]\n"nobody pauses an app" = "assert_no_permission(domain_type, app_t, domain, pause)"\n'
    package = bench.package("app", "type app_t, domain_type;\nallow app_t app_t:domain pause;\n", manifest)
    said = [
        "breaks assertion 'nobody pauses an app'",
        "policy/app.te:2",
        "note: the assertion",
        "xen-base:policy/assertions.if",
    ]
    check(bench, install(bench, package), exit_code=5, code="assertion-violated", said=said, where={"line": 2})


def test_duplicate_type_in_two_packages(bench):
    one = bench.package("app", "\ntype app_shared_t;\n")
    two = bench.package("app-shared", "type app_shared_t;\n")
    for folder in ("app", "app-shared"):
        manifest = bench.folder / folder / "polpkg.toml"
        lines = manifest.read_text().splitlines(keepends=True)
        manifest.write_text("".join(line for line in lines if not line.startswith("owns")))
    said = ["`app_shared_t`", "app 1.0.0: policy/app.te:2", "app-shared 1.0.0: policy/app-shared.te:1"]
    check(bench, install(bench, one, two), exit_code=5, code="duplicate-symbol", said=said)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("version = 1", ["version", "polpkg.toml:3"]),
        ('owns = "app_*"', ["owns", "polpkg.toml"]),
        ('summary = ["x"]', ["summary", "polpkg.toml"]),
    ],
)  # fmt: skip
def test_a_manifest_with_a_wrong_type(bench, line, said):
    package = bench.package("app", "type app_t;\n")
    manifest = bench.folder / "app/polpkg.toml"
    key = line.split(" =")[0]
    lines = [line if old.startswith(key) else old for old in manifest.read_text().splitlines()]
    manifest.write_text("\n".join(lines) + "\n")
    done = bench.polpkg("install", package, "--root", str(bench.root), "--yes", "--json")
    code = json.loads(done.stdout)["error"]["code"]
    check(bench, install(bench, package), exit_code=5, code=code, said=said)


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.99])
def test_a_truncated_archive(bench, share):
    package = bench.package("app", "type app_t;\n" * 50)
    assert bench.polpkg("build", package, "-o", ".").returncode == 0
    whole = (bench.folder / "app-1.0.0.polpkg").read_bytes()
    (bench.folder / "cut.polpkg").write_bytes(whole[: int(len(whole) * share)])
    check(bench, install(bench, "./cut.polpkg"), exit_code=4, code="archive-damaged", said=["cut.polpkg"])


def test_a_corrupt_policydb(bench):
    policy = next((bench.root / "boot").glob("xenpolicy-*"))
    for name, data in {
        "cut": policy.read_bytes()[:1000],
        "noise": b"\0" * 64,
        "text": b"allow a b:c d;\n",
        "nothing": b"",
    }.items():
        (bench.folder / name).write_bytes(data)
        before = bench.snapshot()
        for words in (["--policy", str(bench.folder / name)], ["--policy", str(bench.folder / name), "--json"]):
            done = bench.polpkg("query", "allow", *words)
            assert done.returncode == 5, done.stderr
            assert "Traceback" not in done.stderr
            assert name in done.stderr + done.stdout, done.stderr
        assert bench.snapshot() == before


def test_a_tree_without_a_hypervisor(bench, tmp_path):
    (tmp_path / "etc").mkdir()
    done = bench.polpkg("install", "domu", "--root", str(tmp_path), "--yes")
    assert (done.returncode, "error[no-hypervisor]" in done.stderr) == (6, True), done.stderr
    assert "--xen" in done.stderr
    assert [p.name for p in tmp_path.rglob("*") if p.name != "lock" and p.is_file()] == []
    spoken = bench.polpkg("install", "domu", "--root", str(tmp_path), "--yes", "--json")
    assert json.loads(spoken.stdout)["error"]["exit"] == 6


def test_a_root_that_is_not_there(bench):
    done = bench.polpkg("install", "domu", "--root", str(bench.folder / "nowhere"), "--yes")
    assert done.returncode == 6, done.stderr
    assert "nowhere" in done.stderr
    assert not (bench.folder / "nowhere").exists()


def test_a_read_only_target(bench):
    """The superuser may write to what is read-only by its mode, and has to give that up for this."""
    powers = "-dac_override,-dac_read_search,-fowner"
    drop = ["setpriv", f"--bounding-set={powers}", f"--inh-caps={powers}"] if os.getuid() == 0 else []
    if drop and shutil.which("setpriv") is None:
        pytest.skip("needs setpriv")
    root = bench.folder / "read-only"
    shutil.copytree(bench.root, root)
    (root / "var/lib/polpkg/lock").unlink(missing_ok=True)
    everything = (root, *root.rglob("*"))
    for path in everything:
        path.chmod(0o555 if path.is_dir() else 0o444)
    before = {path: path.read_bytes() if path.is_file() else b"" for path in everything}
    for verb in (["remove", "domu"], ["install", "domu>=1"]):
        for more in ([], ["--json"]):
            command = [*drop, sys.executable, "-m", "polpkg", *verb, "--root", str(root), "--yes", *more]
            done = run(command, bench.folder, bench.environment)
            assert done.returncode == 6, done.stderr
            assert "Traceback" not in done.stderr
            assert str(root) in done.stderr + done.stdout
    assert {path: path.read_bytes() if path.is_file() else b"" for path in (root, *root.rglob("*"))} == before
    for path in everything:
        path.chmod(0o755)
