from __future__ import annotations

from dataclasses import replace

import pytest

from polpkg.errors import ExitCode, PolicyError, PolpkgError
from polpkg.policy.backends.backend import CompileOptions
from polpkg.policy.backends.builtin import BuiltinBackend
from polpkg.policy.backends.checkpolicy import CheckpolicyBackend
from polpkg.policy.backends.secilc import SecilcBackend
from polpkg.policy.policydb import lower, read_policydb, write_policydb

BACKENDS = [BuiltinBackend(), CheckpolicyBackend(), SecilcBackend()]
TOOLS = BACKENDS[1:]


def install(tmp_path, monkeypatch, name, script):
    """A tool of that name which does what `script` says; $OUT is where its output goes."""
    tool = tmp_path / name
    tool.write_text(f'#!/bin/sh\nfor a; do [ "$b" = -o ] && OUT=$a; b=$a; done\n{script}\n')
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")


def failure(backend, policy, version=30):
    with pytest.raises(PolpkgError) as caught:
        backend.compile(policy, CompileOptions(version))
    return caught.value


def test_builtin_needs_nothing_and_is_canonical(samples, monkeypatch):
    monkeypatch.setenv("PATH", "")
    backend = BuiltinBackend()
    assert backend.is_available() is None
    assert backend.version() == "builtin 1"
    policy = replace(samples.sample())
    assert backend.compile(policy, CompileOptions()) == write_policydb(lower(policy))


@pytest.mark.parametrize("backend", TOOLS, ids=lambda backend: backend.name)
def test_a_missing_tool_is_named_with_its_package(samples, monkeypatch, backend):
    monkeypatch.setenv("PATH", "")
    assert backend.is_available() == f"{backend.name} is not installed"
    error = failure(backend, samples.sample())
    assert (error.code, error.exit_code) == ("backend-missing", ExitCode.FAILURE)
    assert f"apt install {backend.name}" in error.hint


@pytest.mark.parametrize("backend", TOOLS, ids=lambda backend: backend.name)
class TestUntrustworthyTools:
    def test_its_messages_are_passed_on(self, samples, tmp_path, monkeypatch, backend):
        install(tmp_path, monkeypatch, backend.name, 'head -c 16 /dev/zero > "$OUT"; echo "line 3: bad" >&2; exit 1')
        error = failure(backend, samples.sample())
        assert isinstance(error, PolicyError)
        assert (error.code, error.message) == ("backend-failed", f"{backend.name}: line 3: bad")

    @pytest.mark.parametrize("script", ["exit 0", 'head -c 16 /dev/zero > "$OUT"', 'echo > "$OUT"'])
    def test_success_without_a_policy_is_a_failure(self, samples, tmp_path, monkeypatch, backend, script):
        install(tmp_path, monkeypatch, backend.name, script)
        assert failure(backend, samples.sample()).code == "backend-output"

    @pytest.mark.parametrize("change", ["version", "mls", "trailing", "short"])
    def test_another_policy_is_a_failure(self, samples, tmp_path, monkeypatch, backend, change):
        other = samples.sample(mls=change == "mls", version=24)
        data = write_policydb(lower(other, 24 if change == "version" else 30))
        data = {"trailing": data + b"\0", "short": data[:-1]}.get(change, data)
        (tmp_path / "made").write_bytes(data)
        install(tmp_path, monkeypatch, backend.name, f'cp {tmp_path / "made"} "$OUT"')
        assert failure(backend, samples.sample()).code == "backend-output"

    def test_a_whole_policy_is_taken(self, samples, tmp_path, monkeypatch, backend):
        data = write_policydb(lower(samples.sample()))
        (tmp_path / "made").write_bytes(data)
        install(tmp_path, monkeypatch, backend.name, f'cp {tmp_path / "made"} "$OUT"')
        assert backend.compile(samples.sample(), CompileOptions()) == data


@pytest.mark.parametrize("backend", BACKENDS, ids=lambda backend: backend.name)
def test_what_xen_refuses_is_refused_by_every_backend(samples, backend):
    policy = samples.sample()
    assert failure(backend, replace(policy, rules=(), type_rules=())).code == "policy-without-rules"
    transition = policy.role_transitions[0]._replace(security_class=samples.MMU)
    assert failure(backend, replace(policy, role_transitions=(transition,))).code == "role-transition-class"
    assert failure(backend, policy, 24).code == "policydb-24"
    assert failure(backend, policy, 29).code == "policydb-version"


def test_checkpolicy_would_lose_role_transitions_in_version_24(samples):
    policy = replace(samples.sample(version=24), role_transitions=samples.sample().role_transitions)
    assert failure(CheckpolicyBackend(), policy, 24).code == "backend-limit"
    assert read_policydb(BuiltinBackend().compile(policy, CompileOptions(24))).role_transitions
