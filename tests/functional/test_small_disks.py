"""Real file systems that are full, small or read-only: it is known before anything is changed.

Nothing is left of what was tried.
"""

from __future__ import annotations

import shutil
import subprocess
import sys

import pytest

SCRIPT = """
set -e
mount -t tmpfs -o size=$3 none "$1"
cp -a "$2/." "$1/"
$4
"""


def can_mount():
    done = subprocess.run(["unshare", "-Urm", "sh", "-c", "mount -t tmpfs none /mnt"], capture_output=True, check=False)
    return done.returncode == 0


pytestmark = pytest.mark.skipif(
    shutil.which("unshare") is None or not can_mount(), reason="needs namespaces in which one may mount"
)

CHANGE = f"""
find "$1" -type f | sort | xargs sha256sum >before
"{sys.executable}" -m polpkg remove netdom --root "$1" --yes --json >out 2>err && code=0 || code=$?
find "$1" -type f | sort | xargs sha256sum >after
exit $code
"""


@pytest.fixture
def change(installed, tmp_path, monkeypatch):
    """`change("8m", "...")`: removes a package on a file system of that size, after what the script does to it."""
    monkeypatch.setenv("POLPKG_CACHE", str(tmp_path / "cache"))
    place = tmp_path / "place"
    place.mkdir()

    def run(size, before=""):
        words = ["unshare", "-Urm", "sh", "-c", SCRIPT.replace("$4", before + CHANGE), "sh", place, installed, size]
        done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=120)
        assert "Traceback" not in (tmp_path / "err").read_text(), done.stderr
        same = (tmp_path / "before").read_text() == (tmp_path / "after").read_text()
        return done.returncode, (tmp_path / "out").read_text(), same

    return run


def test_a_disk_with_room(change):
    code, _, same = change("8m")
    assert (code, same) == (0, False)


@pytest.mark.parametrize("left", [0, 4, 64, 200])
def test_a_full_disk_is_known_before_anything_is_changed(left, change):
    fill = f"""
    dd if=/dev/zero of="$1/filler" bs=1k 2>/dev/null || true
    truncate -s -{left}k "$1/filler"
    """
    code, out, same = change("4m", fill)
    assert code == 6, out
    assert "target-full" in out
    assert same


def test_a_read_only_disk_is_known_before_anything_is_changed(change):
    code, out, same = change("8m", 'mount -o remount,ro "$1"\n')
    assert code == 6, out
    assert "read-only-target" in out
    assert same
