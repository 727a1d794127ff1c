"""The README shows what polpkg really prints: its console blocks are run in order, in one empty directory."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

README = Path(__file__).parents[2] / "README.md"
BLOCK = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)
COMMAND = re.compile(r"(?:\$ |\.venv/bin/(?=polpkg ))(.*)")
OF_MAKE = re.compile(r"\$ make |make \w+: |Setting up ")
HOME = "/home/you/polpkg"
WIDTH = 80


class Step(NamedTuple):
    """A command of the README and the output that it shows below."""

    line: int
    command: str
    shown: str


def steps(text):
    for block in BLOCK.finditer(text):
        if block[1].startswith("$ make test"):
            continue  # that would be this test again
        first = text.count("\n", 0, block.start(1)) + 1
        found = None
        for number, line in enumerate(block[1].splitlines(keepends=True), first):
            if OF_MAKE.match(line):
                continue
            command = COMMAND.fullmatch(line.rstrip("\n"))
            if command is None:
                assert found, f"line {number}: output without a command"
                found = found._replace(shown=found.shown + line)
                continue
            if found:
                yield found
            found = Step(number, command[1], "")
        if found:
            yield found


def stable(text):
    """Without what changes from run to run or whenever a package is touched: numbers, digests, dates, line breaks."""
    text = re.sub(r"\b(?=[0-9a-f]*[0-9])[0-9a-f]{12,}\b", "DIGEST", text)
    text = re.sub(r"\d[\d,.:TZ-]*", "N", text)
    return "".join(text.split())


def shown_as(shown, printed):
    """Whether a README shows what was printed; a line `...` stands for any lines."""
    parts = re.split(r"^\.\.\.$", shown, flags=re.MULTILINE)
    return re.fullmatch(".*".join(re.escape(stable(part)) for part in parts), stable(printed)) is not None


def test_the_readme(tmp_path):
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    settings = {"HOME": str(tmp_path), "PATH": path, "POLPKG_CACHE": str(tmp_path / "cache")}
    (tmp_path / "build").mkdir()
    ran = 0
    for step in steps(README.read_text(encoding="utf-8")):
        done = subprocess.run(
            ["bash", "-c", step.command],
            cwd=tmp_path,
            env=settings,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        printed = done.stdout.replace(str(tmp_path), HOME)
        assert done.returncode == 0, f"README.md:{step.line}: {step.command}\n{printed}"
        assert shown_as(step.shown, printed), f"README.md:{step.line}: {step.command} prints\n{printed}"
        ran += 1
    assert ran > 10


def test_console_blocks_fit_a_terminal():
    text = README.read_text(encoding="utf-8")
    wide = [line for block in BLOCK.finditer(text) for line in block[1].splitlines() if len(line) > WIDTH]
    assert wide == []


@pytest.mark.parametrize(
    ("shown", "printed", "same"),
    [
        ("12 rules\n", "7 rules\n", True),
        ("a long\nline\n", "a long line\n", True),
        ("sha256 0123456789ab\n", "sha256 ffffffffff01\n", True),
        ("first\n...\nlast\n", "first\nmore\nlast\n", True),
        ("", "more\n", False),
        ("allowed\n", "not allowed\n", False),
        ("first\n...\n", "second\n", False),
    ],
)
def test_comparison(shown, printed, same):
    assert shown_as(shown, printed) is same
