"""polpkg as a process of its own: exit codes, streams, and what is imported on the way."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ENVIRONMENT = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "NO_COLOR": "1"}


def polpkg(*words, **settings):
    command = [sys.executable, "-m", "polpkg", *words]
    return subprocess.run(command, capture_output=True, text=True, env=ENVIRONMENT, check=False, **settings)


def imported(*words):
    """The modules that a command imports."""
    code = (
        "import sys; from polpkg.__main__ import main; code = main(sys.argv[1:]); print(*sys.modules, file=sys.stderr)"
    )
    command = [sys.executable, "-c", code, *words]
    done = subprocess.run(command, capture_output=True, text=True, env=ENVIRONMENT, check=True)
    return set(done.stderr.split())


def test_version():
    done = polpkg("--version")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("polpkg ")


def test_version_imports_next_to_nothing():
    before = set(subprocess.check_output([sys.executable, "-c", "import sys; print(*sys.modules)"], text=True).split())
    assert imported("--version") - before == {"polpkg", "polpkg.__main__", "__future__", "gc"}


def test_help_does_without_typer():
    assert not imported("--help") & {"typer", "click", "rich"}


OPTIONS = """
import sys
from polpkg.cli.binding import run_function
from polpkg.cli.options import TargetOptions
def verb(target: TargetOptions) -> None: pass
run_function("verb", verb, ["--root", "x"])
print(*sys.modules)
"""


def test_reading_an_option_does_without_pydantic():
    loaded = subprocess.check_output([sys.executable, "-c", OPTIONS], text=True, env=ENVIRONMENT).split()
    assert "typer" in loaded
    assert not set(loaded) & {"pydantic", "rich"}, "this typer reads options slowly; see pyproject.toml"


def test_a_verb_does_without_what_is_slow():
    slow = {
        "rich",
        "httpx",
        "tuf",
        "pydantic",
        "importlib.metadata",
        "email",
        "unittest",
        "asyncio",
        "polpkg.policy.link",
    }
    assert not imported("plugins") & slow


@pytest.mark.parametrize(
    ("words", "code"), [(["no-such-verb"], 2), (["plugins", "--no-such-option"], 2), (["plugins"], 0), ([], 2)]
)
def test_exit_codes(words, code):
    done = polpkg(*words)
    assert done.returncode == code
    assert "Traceback" not in done.stderr


def test_with_json_stdout_is_one_document_whatever_happens():
    for words in (["plugins"], ["no-such-verb"], ["plugins", "extra"]):
        assert json.loads(polpkg(*words, "--json").stdout)["schema"].startswith("polpkg.")


def test_a_closed_pipe_is_quiet():
    code = f"{sys.executable} -m polpkg plugins | true"
    done = subprocess.run(["sh", "-c", code], capture_output=True, text=True, env=ENVIRONMENT, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_full_device_is_an_error():
    with Path("/dev/full").open("w") as full:
        command = [sys.executable, "-m", "polpkg", "plugins"]
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, env=ENVIRONMENT, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("error[system-error]: No space left on device")


@pytest.mark.parametrize("words", ["plugins", "plugins --json", "--version", "--help", "no-such-verb --json"])
@pytest.mark.parametrize("where", [">&-", ">/dev/full", "2>&-", ">&- 2>&-", "<&-"])
def test_no_traceback_when_streams_are_closed_or_full(words, where):
    code = f"{sys.executable} -m polpkg {words} {where}"
    done = subprocess.run(["sh", "-c", code], capture_output=True, text=True, env=ENVIRONMENT, check=False)
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr
    assert done.returncode in (0, 1, 2)
