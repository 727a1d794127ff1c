"""Two branches that each add a package: what git makes of their policy.toml and policy.lock."""

import shutil
import subprocess

import pytest

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")

HEAD = '[target]\nbase = []\n\n[indexes.site]\nurl = "dist"\n\n[packages]\n'


@pytest.fixture
def merge(call, publish, tmp_path):
    """`merge("m", "a", "z")`: from `m` alone, ours adds `a` and theirs `z`; the exit code of each merge."""

    def run(base, ours, theirs):
        for name in (base, ours, theirs):
            publish(name, "1.0")
        sides = {"base": [base], "ours": [base, ours], "theirs": [base, theirs]}
        for side, names in sides.items():
            (tmp_path / side).mkdir()
            lines = "".join(f'{name} = "*"\n\n' for name in sorted(names))
            (tmp_path / side / "policy.toml").write_text(HEAD.replace('"dist"', '"../dist"') + lines)
            assert call("lock", "--project", side).code == 0
        return tuple(
            subprocess.run(
                ["git", "merge-file", *(f"{side}/{name}" for side in ("ours", "base", "theirs"))],
                cwd=tmp_path,
                check=False,
            ).returncode
            for name in ("policy.toml", "policy.lock")
        )

    return run


def test_packages_in_different_places_merge_by_themselves(call, merge):
    assert merge("m", "a", "z") == (0, 0)
    assert call("lock", "--check", "--project", "ours").code == 0
    assert call("lock", "--project", "ours").out.endswith("is up to date\n")


def test_packages_in_one_place_are_a_conflict_that_reads_well(call, merge, tmp_path):
    assert merge("a", "y", "z") == (1, 1)
    text = (tmp_path / "ours/policy.lock").read_text()
    ours, theirs = text[text.index("<<<<<<<") : text.index(">>>>>>>")].split("=======\n")
    assert ('name = "y"' in ours, 'name = "z"' in theirs) == (True, True)
    assert text.count("<<<<<<<") == 1
    done = call("lock", "--project", "ours", "--json")
    assert (done.code, done.document["error"]["code"]) == (5, "project-conflict")
    policy = tmp_path / "ours/policy.toml"
    lines = policy.read_text().splitlines(keepends=True)
    policy.write_text("".join(line for line in lines if not line.startswith(("<<<<<<<", "=======", ">>>>>>>"))))
    done = call("lock", "--project", "ours", "--json")
    assert (done.code, done.document["error"]["code"]) == (5, "lock-conflict")
    assert text.split("\n")[done.document["error"]["where"]["line"] - 1].startswith("<<<<<<<")
    (tmp_path / "ours/policy.lock").unlink()
    assert [p["name"] for p in call("lock", "--project", "ours", "--json").document["packages"]] == ["a", "y", "z"]
