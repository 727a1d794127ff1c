"""One process changes a tree at a time; a lock ends with its process, and is not seen when nothing was changed."""

from __future__ import annotations

import subprocess
import sys

import pytest

from polpkg.errors import TargetError
from polpkg.targets.tree import TreeTarget

HOLD = """
import sys
from polpkg.targets.tree import TreeTarget
with TreeTarget(sys.argv[1]).lock():
    print("held", flush=True)
    sys.stdin.readline()
"""

COUNT = """
import sys
from polpkg.targets.tree import TreeTarget
target = TreeTarget(sys.argv[1])
for _ in range(20):
    with target.lock():
        count = int(target.read("/count") if target.stat("/count") else b"0")
        target.write("/count", str(count + 1).encode())
"""


def start(script, root):
    return subprocess.Popen(
        [sys.executable, "-c", script, str(root)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


@pytest.fixture
def holder(root):
    with start(HOLD, root) as process:
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_a_second_process_waits_and_says_so(tree, root, holder):
    said = []

    def on_wait(line):
        said.append(line)
        assert holder.poll() is None
        holder.stdin.write("\n")
        holder.stdin.flush()

    with tree.lock(on_wait):
        assert holder.wait(30) == 0
    assert len(said) == 1
    assert str(root) in said[0]


def test_a_lock_ends_with_its_process(tree, holder):
    holder.kill()
    holder.wait(30)
    with tree.lock(pytest.fail):
        pass


def test_processes_do_not_lose_each_others_changes(tree, root):
    """The lock file itself comes and goes meanwhile: nothing else is below /var/lib/polpkg."""
    processes = [start(COUNT, root) for _ in range(3)]
    for process in processes:
        process.communicate(timeout=60)
        assert process.returncode == 0
    assert tree.read("/count") == b"60"


def test_a_lock_under_which_nothing_was_changed_leaves_nothing(tree, root):
    with tree.lock():
        assert (root / "var/lib/polpkg/lock").exists()
    assert list(root.iterdir()) == []


def test_a_root_that_was_made_for_the_lock_goes_too(tmp_path):
    with TreeTarget(str(tmp_path / "new")).lock():
        pass
    assert not (tmp_path / "new").exists()


def test_a_lock_stays_when_something_was_written(tree, root):
    with tree.lock():
        tree.write("/var/lib/polpkg/marks.json", b"{}")
    assert (root / "var/lib/polpkg/lock").exists()
    with tree.lock():
        pass
    assert (root / "var/lib/polpkg/lock").exists()


def test_directories_that_were_there_stay(tree, root):
    (root / "var/lib").mkdir(parents=True)
    with tree.lock():
        pass
    assert [path.name for path in root.rglob("*")] == ["var", "lib"]


def test_tidying_stays_in_the_tree(tree, root):
    outside = root.parent / "data"
    outside.mkdir()
    (root / "var").symlink_to("/data")
    with tree.lock():
        pass
    assert outside.is_dir()


def test_a_lock_that_cannot_be_made(tree, root):
    (root / "var").touch()
    with pytest.raises(TargetError) as caught, tree.lock():
        pass
    assert caught.value.exit_code == 6


def test_a_lock_that_cannot_be_tidied_away_is_let_go_of_all_the_same(tree, monkeypatch):
    """Else whoever goes on in the same process would wait for itself for ever."""

    def failing(self, path):
        raise TargetError("target-failed", f"cannot remove {path}")

    with monkeypatch.context() as patch:
        patch.setattr(TreeTarget, "remove", failing)
        with tree.lock():
            pass
    waited = []
    with tree.lock(waited.append):
        pass
    assert waited == []
