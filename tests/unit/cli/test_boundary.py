"""Whatever happens, there is a message and an exit code, and never a traceback on the screen."""

import json
import os
from pathlib import Path

import pytest

from polpkg.cli import app, boundary
from polpkg.errors import TargetError


@pytest.fixture
def failing(monkeypatch, tmp_path):
    """`failing(error)`: every command raises that error."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))

    def install(error):
        def run(words):
            raise error

        monkeypatch.setattr(app, "run", run)

    return install


def test_an_error_ends_in_its_exit_code(failing, capsys):
    failing(TargetError("read-only", "cannot write"))
    assert boundary.run(["install"]) == 6
    assert capsys.readouterr().err == "error[read-only]: cannot write\n"


def test_a_bug_ends_in_70_and_a_trace_file(failing, capsys, tmp_path):
    failing(ZeroDivisionError("oh\nno"))
    assert boundary.run(["install", "--index", "a=https://me:secret@host/x"]) == 70
    text = capsys.readouterr().err
    (trace,) = (tmp_path / "polpkg").iterdir()
    assert text.startswith("error[internal-error]: polpkg failed unexpectedly (ZeroDivisionError: oh no)\n")
    assert f"report it to the project's issue tracker: the trace is in {trace}" in " ".join(text.split())
    assert "Traceback" not in text
    content = trace.read_text()
    assert "Traceback" in content
    assert "https://host/x" in content
    assert "secret" not in content
    assert trace.stat().st_mode & 0o777 == 0o600


def test_a_bug_is_a_document_too(failing, capsys):
    failing(RuntimeError("x"))
    assert boundary.run(["install", "--json"]) == 70
    document = json.loads(capsys.readouterr().out)
    assert (document["schema"], document["error"]["exit"]) == ("polpkg.install/1", 70)


def test_the_trace_goes_elsewhere_when_the_state_directory_cannot_be_made(monkeypatch, tmp_path):
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    trace = boundary.write_trace(RuntimeError("x"), [])
    assert trace.parent == tmp_path
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "gone"))
    assert boundary.write_trace(RuntimeError("x"), []) is None


def test_a_full_disk_is_no_bug(failing, capsys, tmp_path):
    failing(OSError(28, "No space left on device", "/x"))
    assert boundary.run(["install"]) == 1
    assert capsys.readouterr().err == "error[system-error]: /x: No space left on device\n"
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_polpkg_forgot_to_look_for_is_a_bug(failing):
    failing(FileNotFoundError(2, "No such file or directory", "/x"))
    assert boundary.run(["install"]) == 70


def test_an_interrupt_is_130(failing, capsys):
    failing(KeyboardInterrupt())
    assert boundary.run(["install"]) == 130
    assert capsys.readouterr().err == "\ninterrupted\n"


def test_a_reader_that_went_away_is_no_reason_to_complain(failing, capfd, monkeypatch):
    failing(BrokenPipeError())
    with Path(os.devnull).open("w") as out:
        monkeypatch.setattr("sys.stdout", out)
        assert boundary.run(["list"]) == 1
    assert capfd.readouterr().err == ""
