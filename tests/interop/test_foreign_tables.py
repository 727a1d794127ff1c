"""A policy whose tables are those of no Xen is linked as checkpolicy compiles it, and never installed."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from polpkg.__main__ import main
from polpkg.policy.policydb import canonical, read_policydb, write_policydb

CONF = """\
class thing
class store
class process
sid kernel
sid spare
sid device
common access { look touch }
class thing { use }
class store inherits access
class process inherits access { run }
attribute things;
type one_t, things;
type two_t, things;
type three_t;
type_transition one_t two_t:process three_t;
type_transition things three_t:store one_t "ledger";
allow one_t self:thing *;
allow things three_t:process { look run };
dontaudit one_t { two_t three_t }:store { touch };
neverallow two_t one_t:thing *;
role first_r;
role second_r;
role_transition first_r one_t second_r;
role_transition first_r two_t:thing second_r;
allow first_r second_r;
role first_r types { one_t two_t };
user someone roles { first_r second_r };
constrain store { touch } (u1 == u2 or t1 == things);
sid kernel someone:first_r:one_t
sid device someone:first_r:two_t
pirqcon 7 someone:first_r:one_t
"""

pytestmark = pytest.mark.interop


@pytest.fixture
def index(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "policy.conf").write_text(CONF)
    assert main(["import", "policy.conf", "-o", "index", "--name", "things"]) == 0
    return "t=index"


@pytest.fixture
def theirs(index, tmp_path):
    del index
    words = [find("checkpolicy"), "-t", "Xen", "-c", "30", "-o", "theirs", "policy.conf"]
    subprocess.run(words, check=True, capture_output=True, cwd=tmp_path)
    return (tmp_path / "theirs").read_bytes()


def find(tool):
    found = shutil.which(tool)
    if found is None:
        pytest.skip(f"needs {tool}")
    return found


def link(index, backend, *more):
    return main(
        ["link", "things", "--index", index, "--xen", "4.17", "-o", "ours", "--backend", backend, *more],
    )


def in_canonical_form(data):
    return write_policydb(canonical(read_policydb(data)))


@pytest.mark.parametrize("backend", ["builtin", "checkpolicy", "secilc"])
def test_it_means_what_checkpolicy_makes_of_it(index, theirs, tmp_path, backend, capsys):
    if backend != "builtin":
        find(backend)
    assert link(index, backend) == 0
    told = capsys.readouterr().err
    assert "warning[foreign-tables]" in told
    assert "warning[not-for-xen]: a type transition by name" in told
    ours = (tmp_path / "ours").read_bytes()
    assert in_canonical_form(ours) == in_canonical_form(theirs)
    if backend == "builtin":
        assert in_canonical_form(ours) == ours


def test_what_version_24_has_no_words_for_is_refused(index, capsys):
    assert link(index, "builtin", "--policydb-version", "24") == 5
    told = capsys.readouterr().err
    assert "version 24 has no type transitions by name" in told
    assert "version 24 has role transitions for class domain only" in told


def test_it_is_not_installed(index, tmp_path, capsys):
    (tmp_path / "host").mkdir()
    (tmp_path / "host/policy.toml").write_text('[target]\nbase = []\n[packages]\nthings = ""\n')
    words = ["sync", "--root", "root", "--project", "host", "--index", index, "--xen", "4.17"]
    assert main(words) == 6
    assert "class xen is missing" in " ".join(capsys.readouterr().err.split())
    assert not (tmp_path / "root/boot").exists()


def test_tables_of_another_xen_are_no_foreign_ones(index, tmp_path, capsys):
    del index
    assert main(["link", "dom0", "domu", "--xen", "4.22", "-o", "other.conf", "--emit", "conf"]) == 0
    assert main(["import", "other.conf", "-o", "more", "--name", "other"]) == 0
    assert main(["link", "other", "--index", "m=more", "--xen", "4.17", "-o", "ours"]) == 6
    assert "would refuse the tables of this policy" in capsys.readouterr().err
    assert not (tmp_path / "ours").exists()
