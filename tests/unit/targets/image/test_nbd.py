"""qemu-nbd ends with whoever started it, whenever that stops."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from disk_images import need_image_tools, run

from polpkg.targets.image.nbd import QemuDisk


def _started(monkeypatch):
    """Every process that is started from now on."""
    found, popen = [], subprocess.Popen

    def start(*words, **options):
        found.append(popen(*words, **options))
        return found[-1]

    monkeypatch.setattr(subprocess, "Popen", start)
    return found


@pytest.fixture
def image(tmp_path):
    need_image_tools("qemu-img", "qemu-nbd")
    run("qemu-img", "create", "-q", "-f", "qcow2", tmp_path / "disk.qcow2", "1M")
    return tmp_path / "disk.qcow2"


def test_interrupted_before_the_first_word(image: Path, monkeypatch):
    """It ends by itself after a conversation only: who is interrupted before one would wait for it for ever."""

    def interrupt(_):
        raise KeyboardInterrupt

    started = _started(monkeypatch)
    monkeypatch.setattr(QemuDisk, "_negotiate", interrupt)
    monkeypatch.setattr("polpkg.targets.image.nbd._TIMEOUT", 20)
    with pytest.raises(KeyboardInterrupt) as caught:
        QemuDisk(str(image))
    del caught
    assert [process.wait(10) is not None for process in started] == [True]


def test_one_that_nobody_talked_to_is_ended(image: Path, monkeypatch):
    started = _started(monkeypatch)
    monkeypatch.setattr(QemuDisk, "_negotiate", lambda _: 0)
    monkeypatch.setattr("polpkg.targets.image.nbd._TIMEOUT", 0.2)
    disk = QemuDisk(str(image))
    disk.close()
    assert [process.poll() is not None for process in started] == [True]
