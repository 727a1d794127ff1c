"""Two administrators change one target at once, both are killed now and then, and a third one looks on.

`POLPKG_KILLS` says how many commands each of them gives (six, unless it does), `POLPKG_KILL_SEED` where chance begins.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import time
import traceback

import pytest
from target_invariant import FOLDERS, snapshot

from polpkg.cli import boundary
from polpkg.targets.generations import current_number, generation_numbers, read_generation
from polpkg.targets.layout import generation_path
from polpkg.targets.marks import read_marks
from polpkg.targets.recovery import find_damage, recover
from polpkg.targets.tree import TreeTarget

COMMANDS = int(os.environ.get("POLPKG_KILLS", "6"))
SEED = int(os.environ.get("POLPKG_KILL_SEED", "1"))

CHANGES = (
    ("install", "netdom", "--yes"),
    ("remove", "netdom", "--yes"),
    ("install", "vmv", "--instance", "second", "--yes"),
    ("remove", "vmv", "--instance", "second", "--yes"),
    ("rollback", "--yes"),
    ("rollback", "1", "--yes"),
    ("confirm",),
    ("history", "pin", "2"),
    ("history", "unpin", "2"),
    ("sync", "--yes"),
    ("adopt",),
)
LOOKS = (("status",), ("verify",), ("list",), ("history",), ("probe",), ("doctor",), ("query", "types"))

EXPECTED = {
    "not-installed": "removed by the other one",
    "no-such-instance": "likewise",
    "last-instance": "it is the only one now",
    "no-such-generation": "pruned",
    "not-what-boots": "somebody is at it",
    "trial-failed": "as it says",
}


class Administrator:
    """One process at a time, forked: starting Python each time would take longer than what it does."""

    def __init__(self, name, root, folder):
        self.name = name
        self.root = root
        self.out, self.err = folder / f"{name}.out", folder / f"{name}.err"
        self.process = 0
        self.words = ()

    def begin(self, *words):
        self.words = words
        self.process = os.fork()
        if self.process == 0:
            self._become(words)

    def _become(self, words):
        code = 99
        try:
            for number, path in ((1, self.out), (2, self.err)):
                os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), number)
            sys.stdout, sys.stderr = os.fdopen(1, "w", closefd=False), os.fdopen(2, "w", closefd=False)
            code = boundary.run([*words, "--root", str(self.root), "--json"])
        except BaseException:  # noqa: BLE001 - nothing of the test may go on in the child
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)

    @property
    def is_done(self):
        if not self.process:
            return True
        found, status = os.waitpid(self.process, os.WNOHANG)
        if found:
            self.process, self.code = 0, os.waitstatus_to_exitcode(status)
        return bool(found)

    def end(self, *, kill=False):
        """Wait for the process, or kill it; the document that it printed, None when it was killed."""
        if not self.process:
            return self._answer()
        if kill:
            os.kill(self.process, signal.SIGKILL)
        _, status = os.waitpid(self.process, 0)
        self.process, self.code = 0, os.waitstatus_to_exitcode(status)
        return self._answer()

    def _answer(self):
        if self.code == -signal.SIGKILL:
            return None
        told = self.err.read_text()
        assert "Traceback" not in told, told
        assert self.code not in (70, 99), told
        return json.loads(self.out.read_text())


def check_whole(root):
    """Whatever they did: `current` and what is marked are whole; nothing is left after a recovery."""
    target = TreeTarget(str(root))
    with target.lock():
        recover(target)
        marks = read_marks(target)
        wanted = {current_number(target), marks.confirmed, *marks.pinned} - {None}
        assert wanted <= set(generation_numbers(target))
        for number in generation_numbers(target):
            files = read_generation(target, number).files
            assert find_damage(target, generation_path(number), files.items()) is None
    left = [
        path for path in snapshot(target, FOLDERS) if "/.new-" in path or "/.undo-" in path or ".polpkg-new" in path
    ]
    assert not left


def check_look(words, document, code):
    """Nobody sees a mixture: what is looked at between two changes is as one of them left it."""
    if words == ("status",):
        assert document["generation"] >= 1
        assert not [each for each in document["drift"] if each["kind"] not in ("interrupted", "stale-lock")], document
    elif words == ("verify",):
        kinds = {each["kind"] for each in document["drift"]}
        assert "interrupted" in kinds or not kinds, document
    elif words == ("doctor",):
        problems = {each["code"] for each in document["findings"] if each["level"] == "problem"}
        assert not problems, document
    else:
        assert code == 0, document


@pytest.fixture
def administrators(installed, tmp_path, monkeypatch):
    monkeypatch.setenv("POLPKG_CACHE", str(tmp_path / "cache"))
    return [Administrator(name, installed, tmp_path) for name in ("one", "two", "onlooker")]


def test_two_at_once_and_an_onlooker(administrators, installed):
    *both, onlooker = administrators
    chance = random.Random(SEED)
    killed = 0
    for _ in range(COMMANDS):
        kills = chance.random() < 0.4
        for each in both:
            each.begin(*chance.choice(CHANGES))
        deadline = time.monotonic() + chance.uniform(0.0, 0.5)
        while not all(each.is_done for each in both) and not (kills and time.monotonic() > deadline):
            words = chance.choice(LOOKS)
            onlooker.begin(*words)
            document = onlooker.end()
            if not kills:
                check_look(words, document, onlooker.code)
        for each in both:
            document = each.end(kill=kills)
            if document is None:
                killed += 1
            elif each.code:
                assert document["error"]["code"] in EXPECTED, document
        check_whole(installed)
    onlooker.begin("sync", "--yes")
    onlooker.end()
    onlooker.begin("verify")
    document = onlooker.end()
    assert (onlooker.code, document["drift"]) == (0, []), document
