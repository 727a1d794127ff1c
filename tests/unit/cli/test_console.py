"""The printer: what goes where, when it asks, and when it colours."""

import io
import json

import pytest

from polpkg.cli.console import Console
from polpkg.diagnostics import Diagnostic, Severity
from polpkg.errors import PendingError, PolpkgError, TargetError


class Terminal(io.StringIO):
    def isatty(self):
        return True


def console(**settings):
    return Console("install", out=io.StringIO(), err=io.StringIO(), **settings)


def written(found):
    return found._out.getvalue(), found._err.getvalue()


def test_an_answer_is_text_or_a_document():
    plain, document = console(), console(json=True)
    for each in (plain, document):
        each.answer({"generation": 3}, "generation 3")
    assert written(plain) == ("generation 3\n", "")
    assert json.loads(written(document)[0]) == {"schema": "polpkg.install/1", "generation": 3}


def test_a_large_document_is_one_line():
    for count, lines in ((10, 14), (200_000, 1)):
        found = console(json=True)
        found.answer({"numbers": [12345] * (count - 1)}, "")
        assert json.loads(written(found)[0]) == {"schema": "polpkg.install/1", "numbers": [12345] * (count - 1)}
        assert written(found)[0].count("\n") == lines


@pytest.mark.parametrize("as_json", [False, True])
def test_talk_goes_to_stderr(as_json):
    found = console(json=as_json, verbose=True)
    found.say("resolving")
    found.detail("from the store")
    found.warn([Diagnostic("c", "careful", severity=Severity.WARNING)])
    assert written(found) == ("", "resolving\nfrom the store\nwarning[c]: careful\n")


def test_quiet_keeps_answers_warnings_and_errors():
    found = console(quiet=True)
    found.say("resolving")
    found.detail("from the store")
    found.answer({}, "answer")
    found.warn([Diagnostic("c", "careful", severity=Severity.WARNING)])
    found.fail(PolpkgError("d", "no"))
    assert written(found) == ("answer\n", "warning[c]: careful\nerror[d]: no\n")


def test_an_error_is_a_document_of_its_own():
    found = console(json=True)
    assert found.fail(TargetError("read-only", "cannot write", hint="remount it")) == 6
    expected = {"code": "read-only", "message": "cannot write", "where": None, "hint": "remount it", "exit": 6}
    assert json.loads(written(found)[0]) == {"schema": "polpkg.install/1", "error": expected}
    assert written(found)[1] == ""


@pytest.mark.parametrize(
    ("words", "verb", "as_json"),
    [
        (["install", "vmv", "--json"], "install", True),
        (["--json", "install"], "install", True),
        (["install", "--", "--json"], "install", False),
        ([], "polpkg", False),
    ],
)
def test_a_console_for_words_that_were_not_understood(words, verb, as_json):
    found = Console.for_words(words)
    assert (found.verb, found.json) == (verb, as_json)


def test_yes_answers_in_advance(monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO("n\n"))
    console().confirm("Go on?", yes=True)


def test_without_a_terminal_nothing_is_assumed(monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))
    with pytest.raises(PendingError) as caught:
        console().confirm("Go on?", yes=False)
    assert caught.value.exit_code == 10
    assert "--yes" in caught.value.hint


@pytest.mark.parametrize(
    ("typed", "goes_on"), [("y\n", True), ("YES\n", True), ("n\n", False), ("\n", False), ("", False)]
)
def test_a_person_decides(monkeypatch, typed, goes_on):
    monkeypatch.setattr("sys.stdin", Terminal(typed))
    found = Console("install", out=io.StringIO(), err=Terminal())
    if goes_on:
        found.confirm("Go on?", yes=False)
    else:
        with pytest.raises(PendingError):
            found.confirm("Go on?", yes=False)
    assert written(found) == ("", "Go on? [y/N] ")


@pytest.mark.parametrize(
    ("stream", "environment", "coloured"),
    [
        (Terminal, {"TERM": "xterm"}, True),
        (Terminal, {"TERM": "dumb"}, False),
        (Terminal, {"TERM": "xterm", "NO_COLOR": "1"}, False),
        (Terminal, {"TERM": "xterm", "NO_COLOR": ""}, True),
        (io.StringIO, {"TERM": "xterm"}, False),
    ],
)
def test_colours_are_for_terminals_that_want_them(monkeypatch, stream, environment, coloured):
    monkeypatch.delenv("NO_COLOR", raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    err = stream()
    Console("install", err=err).fail(PolpkgError("c", "m"))
    assert ("\x1b[" in err.getvalue()) is coloured


def progress_of(err, **settings):
    return Console("install", out=io.StringIO(), err=err, **settings).progress


def test_progress_is_for_terminals_that_somebody_looks_at(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    assert progress_of(Terminal()) is not None
    assert progress_of(io.StringIO()) is None
    assert progress_of(Terminal(), quiet=True) is None
    assert progress_of(Terminal(), json=True) is None
    monkeypatch.setenv("TERM", "dumb")
    assert progress_of(Terminal()) is None


def test_progress_is_drawn_over_itself_and_taken_away(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr("polpkg.cli.console._REDRAW_SECONDS", 0.0)
    err = Terminal()
    progress = progress_of(err)
    progress("vmv 1.0", 500_000, 1_000_000)
    progress("vmv 1.0", 750_000, 1_000_000)
    assert "\n" not in err.getvalue()
    assert err.getvalue().split("\r\x1b[2K")[1].startswith("fetching vmv 1.0  [############............]  50%")
    progress("vmv 1.0", 1_000_000, 1_000_000)
    assert err.getvalue().endswith("\r\x1b[2K")


def test_progress_is_not_drawn_more_often_than_an_eye_can_see(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    err = Terminal()
    progress = progress_of(err)
    for done in range(1, 100):
        progress("vmv 1.0", done, 1000)
    assert err.getvalue().count("fetching") <= 2


@pytest.mark.parametrize("speak", ["say", "answer", "fail", "confirm"])
def test_whatever_is_printed_takes_the_progress_away_first(monkeypatch, speak):
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setattr("sys.stdin", Terminal("y\n"))
    err = Terminal()
    found = Console("install", out=err, err=err)
    found.progress("vmv 1.0", 1, 10)
    {
        "say": lambda: found.say("talk"),
        "answer": lambda: found.answer({}, "talk"),
        "fail": lambda: found.fail(PolpkgError("talk", "talk")),
        "confirm": lambda: found.confirm("talk", yes=False),
    }[speak]()
    assert "talk" in err.getvalue().rpartition("\r\x1b[2K")[2]


def test_a_line_is_as_wide_as_the_terminal(monkeypatch):
    monkeypatch.setenv("COLUMNS", "50")
    assert console().width == 50
