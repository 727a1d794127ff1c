import shutil
import subprocess

import pytest

from polpkg.policy.abi import SecurityClass, parse_table
from polpkg.policy.abi.catalogue import parse_releases
from polpkg.policy.abi.generate import built_versions, main, parse_sources, parsed_versions, update_tables

CLASSES = "# the order counts\nclass alpha\nclass beta # userspace\n  class gamma\n"
VECTORS = """
common shared { read write }   # first
class beta inherits shared { fly }
class alpha
{
# a comment with { braces }
    one
    two # three
}
"""
SIDS = "sid kernel\n# sid no\nsid security\n"
SECURITY_H = """
#define POLICYDB_VERSION_BASE 15
#define POLICYDB_VERSION_NEW 30
#define POLICYDB_VERSION_MIN   POLICYDB_VERSION_BASE
#define POLICYDB_VERSION_MAX   POLICYDB_VERSION_NEW
"""


def test_sources_are_parsed_in_the_order_of_the_class_list():
    abi = parse_sources(CLASSES, VECTORS, SIDS)
    assert abi.classes == (
        SecurityClass("alpha", ("one", "two")),
        SecurityClass("beta", ("read", "write", "fly")),
        SecurityClass("gamma", ()),
    )
    assert abi.initial_sids == ("kernel", "security")


@pytest.mark.parametrize("vectors", ["class delta { x }", "class alpha { x }\nclass alpha { y }"])
def test_contradicting_sources_are_refused(vectors):
    with pytest.raises(ValueError, match=r"without a class|two access vectors"):
        parse_sources(CLASSES, vectors, SIDS)


def test_policydb_versions_are_read():
    assert parsed_versions(SECURITY_H) == (15, 30)
    assert built_versions("X = 1\nPOLICY_VER_LIST_HV = 24 30\n") == (24, 30)
    with pytest.raises(ValueError, match="POLICY_VER_LIST_HV"):
        built_versions("X = 1\n")


@pytest.mark.skipif(shutil.which("git") is None, reason="needs git")
def test_tables_of_a_repository_are_added_and_others_kept(tmp_path):
    repository, data = tmp_path / "xen", tmp_path / "data"
    make_repository(repository)
    data.mkdir()
    kept = f"4.6.9 {'0' * 64} 15 30 24\n"
    (data / "releases.txt").write_text(kept)
    assert update_tables(repository, data) == ("4.7.0", "4.10.1")
    releases = parse_releases((data / "releases.txt").read_text())
    assert [release.version for release in releases] == ["4.6.9", "4.7.0", "4.10.1"]
    fingerprint = parse_sources(CLASSES, VECTORS, SIDS).fingerprint
    assert {release.fingerprint for release in releases[1:]} == {fingerprint}
    (table,) = (data / "tables").iterdir()
    assert parse_table(table.read_text()).fingerprint == fingerprint
    assert update_tables(repository, data) == ()


def make_repository(folder):
    files = {
        "xen/xsm/flask/policy/security_classes": CLASSES,
        "xen/xsm/flask/policy/access_vectors": VECTORS,
        "xen/xsm/flask/policy/initial_sids": SIDS,
        "xen/xsm/flask/include/security.h": SECURITY_H,
        "tools/flask/policy/Makefile": "POLICY_VER_LIST_HV = 24 30\n",
    }
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false"]
    for command in (["init", "-q"], ["add", "."], [*identity, "commit", "-q", "-m", "x"]):
        subprocess.run(["git", "-C", str(folder), *command], check=True)
    for tag in ("RELEASE-4.10.1", "RELEASE-4.7.0", "RELEASE-4.5.9", "RELEASE-4.11.0-rc1", "other"):
        subprocess.run(["git", "-C", str(folder), "tag", tag], check=True)


def test_the_command_explains_itself(capsys):
    assert main([]) == 2
    assert "usage" in capsys.readouterr().err
