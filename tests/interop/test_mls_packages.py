"""The bundled packages with MLS: every ABI links, and the three compilers agree."""

from __future__ import annotations

from shutil import which

import pytest

from polpkg.cli.app import run
from polpkg.policy.backends.equivalence import explain_differences
from polpkg.policy.policydb import read_policydb

PACKAGES = ("vmv", "netdom", "stordom")


def linked(path, xen, backend="builtin"):
    words = ["link", *PACKAGES, "--xen", xen, "--mls", "--backend", backend, "-o", str(path), "--quiet"]
    assert run(words) == 0
    return read_policydb(path.read_bytes())


@pytest.mark.parametrize("xen", ["4.14", "4.17", "4.18", "4.20", "4.21", "4.22"])
def test_packages_link_with_mls(tmp_path, xen):
    policy = linked(tmp_path / "policy", xen)
    assert policy.is_mls
    assert len(policy.sensitivities.entries) == 16
    assert len(policy.categories.entries) == 256


@pytest.mark.interop
@pytest.mark.parametrize("backend", ["checkpolicy", "secilc"])
def test_compilers_agree_with_mls(tmp_path, backend):
    if which(backend) is None:
        pytest.skip(f"{backend} is not installed")
    ours = linked(tmp_path / "ours", "4.17")
    assert explain_differences(ours, linked(tmp_path / "theirs", "4.17", backend)) == ()
