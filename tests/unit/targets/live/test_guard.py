"""The guard as a shell script: with real shells, and tools that write down what they are told."""

import shutil
import subprocess
import time

import pytest

from polpkg.targets.devices.function import parse_address
from polpkg.targets.devices.unit import DeviceLabel
from polpkg.targets.live.guard import render_guard

SHELLS = [shell for shell in (["dash"], ["bash", "--posix"], ["busybox", "sh"]) if shutil.which(shell[0])]
DEVICE = DeviceLabel(parse_address("0000:03:00.0"), "system_u:object_r:netdom_device_t")


@pytest.fixture(params=SHELLS, ids=lambda shell: shell[0])
def guard(request, tmp_path):
    """`guard(seconds, ...)`: starts one, in a folder whose `current` leads to generation 1."""
    live = tmp_path / "live"
    live.mkdir()
    (tmp_path / "current").symlink_to("generations/1")
    tools = tmp_path / "bin"
    tools.mkdir()
    for tool in ("xl", "flask-loadpolicy", "flask-set-bool", "flask-label-pci"):
        (tools / tool).write_text(
            f'#!/bin/sh\necho {tool} "$@" >>{tmp_path}/log\n! grep -qsx "{tool} $1" {tmp_path}/fails\n'
        )
        (tools / tool).chmod(0o755)
    (live / "armed").write_text("{}")
    processes = []

    def start(seconds=1, *words, current="generations/1", **options):
        script = render_guard(seconds, current, **{"booleans": {"b": True, "a": False}, "devices": [DEVICE], **options})
        (live / "guard.sh").write_bytes(script)
        process = subprocess.Popen(
            [*request.param, live / "guard.sh", *words], env={"PATH": f"{tools}:/usr/bin:/bin"}, stderr=subprocess.PIPE
        )
        processes.append(process)
        return process

    yield start
    for process in processes:
        process.kill()
        process.communicate()


def end(process):
    return process.wait(timeout=30)


def log(folder):
    path = folder / "log"
    return path.read_text().splitlines() if path.exists() else []


def test_it_brings_the_old_policy_back(guard, tmp_path):
    assert end(guard()) == 0
    assert log(tmp_path) == [
        "xl loadpolicy previous",
        "flask-set-bool a 0",
        "flask-set-bool b 1",
        "flask-label-pci 0000:03:00.0 system_u:object_r:netdom_device_t",
    ]
    assert (tmp_path / "live/reverted").exists()


def test_it_ends_when_it_is_confirmed(guard, tmp_path):
    process = guard(60)
    while not (tmp_path / "live/pulse").exists():
        time.sleep(0.05)
    (tmp_path / "live/armed").rename(tmp_path / "live/confirmed")
    assert end(process) == 0
    assert log(tmp_path) == []


def test_a_generation_that_is_in_place_confirms_it(guard, tmp_path):
    """polpkg had done its work, and was cut off before it could say so."""
    assert end(guard(1, current="generations/0")) == 0
    assert log(tmp_path) == []
    assert (tmp_path / "live/confirmed").exists()


def test_the_first_policy_is_taken_back_by_permissive_mode(guard, tmp_path):
    assert end(guard(1, previous=False, booleans={}, devices=[])) == 0
    assert log(tmp_path) == ["xl setenforce 0"]


def test_the_other_tool_is_tried(guard, tmp_path):
    (tmp_path / "fails").write_text("xl loadpolicy\n")
    assert end(guard()) == 0
    assert log(tmp_path)[:2] == ["xl loadpolicy previous", "flask-loadpolicy previous"]


def test_it_gives_up_in_the_end(guard, tmp_path):
    (tmp_path / "fails").write_text("xl loadpolicy\nflask-loadpolicy previous\n")
    assert end(guard()) == 1
    assert (tmp_path / "live/stuck").exists()
    assert len(log(tmp_path)) == 10


@pytest.mark.parametrize(("word", "phase"), [("now", "armed"), ("again", "reverting")])
def test_at_once(guard, tmp_path, word, phase):
    (tmp_path / "live/armed").rename(tmp_path / "live" / phase)
    assert end(guard(600, word)) == 0
    assert log(tmp_path)[0] == "xl loadpolicy previous"
    assert (tmp_path / "live/reverted").exists()


@pytest.mark.parametrize(("word", "phase"), [("now", "reverting"), ("now", "confirmed"), ("again", "reverted")])
def test_whoever_comes_late_does_nothing(guard, tmp_path, word, phase):
    (tmp_path / "live/armed").rename(tmp_path / "live" / phase)
    assert end(guard(600, word)) == 3
    assert log(tmp_path) == []


def test_an_earlier_guard_leaves_a_later_trial_alone(guard, tmp_path):
    """The trial ended, and another began before the guard had looked: that one has a guard of its own."""
    process = guard(2)
    pulse = tmp_path / "live/pulse"
    while not pulse.exists() or not pulse.read_text():
        time.sleep(0.05)
    pulse.write_text("1\n")
    assert end(process) == 0
    assert log(tmp_path) == []
    assert (tmp_path / "live/armed").exists()


def test_a_loader_that_is_still_at_it_comes_first(guard, tmp_path):
    """Its connection was lost; what it loads must not come after the old policy."""
    folder = tmp_path / "var/lib/polpkg/live"
    script = 'sleep 2; echo "the new one" >>"$1"'
    loader = subprocess.Popen(["sh", "-c", script, "sh", tmp_path / "log", folder / "new"])
    assert end(guard(600, "now")) == 0
    assert log(tmp_path)[:2] == ["the new one", "xl loadpolicy previous"]
    assert end(loader) == 0


def test_it_waits_for_a_confirmation_that_was_begun_in_time(guard, tmp_path):
    (tmp_path / "live/confirming").write_text("")
    process = guard(1)
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(timeout=4)
    (tmp_path / "live/armed").rename(tmp_path / "live/confirmed")
    assert end(process) == 0
    assert log(tmp_path) == []
