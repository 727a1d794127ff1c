"""Booleans and permissive types of a target, as `seinfo` reads them from the compiled policy."""

from __future__ import annotations

import re
import shutil
import subprocess

import pytest
from bundled_policies import link_bundled

from polpkg.policy.backends.backend import CompileOptions
from polpkg.policy.backends.builtin import BuiltinBackend
from polpkg.policy.link.settings import permissive_types, with_booleans, with_permissive

pytestmark = [
    pytest.mark.interop,
    pytest.mark.skipif(shutil.which("seinfo") is None, reason="seinfo is not there"),
]


def seinfo(file, *words):
    return subprocess.run(["seinfo", file, *words], capture_output=True, text=True, check=True, timeout=60).stdout


@pytest.mark.parametrize("version", [24, 30])
def test_seinfo_sees_them(tmp_path, version):
    policy = link_bundled("4.17", "vmv")
    wanted = {b.name: not b.default for b in policy.booleans if b.name != "domU_debug"}
    tuned = with_permissive(with_booleans(policy, wanted), ["vmv_t", "domU_t", "domain_type", "nothing"])
    assert permissive_types(tuned) == ("domU_t", "vmv_t")
    file = tmp_path / "policy"
    file.write_bytes(BuiltinBackend().compile(tuned, CompileOptions(version=version)))
    found = dict(re.findall(r"bool (\w+) (true|false);", seinfo(file, "-b", "-x")))
    expected = {b.name: b.default for b in policy.booleans} | wanted
    assert {name: value == "true" for name, value in found.items()} == expected
    assert set(re.findall(r"permissive (\w+);|^\s+(\w+_t)$", seinfo(file, "--permissive"), re.MULTILINE)) == {
        ("", "domU_t"),
        ("", "vmv_t"),
    }


def test_what_changes_nothing_is_the_same_policy():
    policy = link_bundled("4.17")
    assert with_booleans(policy, {"domU_debug": False, "no_such": True}) is policy
    assert with_permissive(policy, ["domain_type", "no_such"]) is policy
