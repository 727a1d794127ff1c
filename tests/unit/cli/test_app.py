"""Finding the verb: the table, plugins, help, and near misses."""

import inspect
import json
import re
import sys
from types import SimpleNamespace

import pytest

from polpkg.cli import app
from polpkg.cli.app import VERBS, Verb, import_verb, overview, run
from polpkg.errors import UsageError
from polpkg.plugin.manager import Plugins, load_plugins

ADMIT = """
from polpkg.api import *
@hookimpl
def polpkg_register_commands():
    return (Component('acme admit', 'let a guest in', f'{__name__}:admit'),)
def admit(guest: str):
    if guest == 'evil':
        raise PolicyError('not-welcome', 'evil stays out')
    return CommandResult({'guest': guest}, f'{guest} is in')
"""


def functions_of(verb):
    module = import_verb(verb)
    found = dict(getattr(module, "SUBVERBS", {}))
    if hasattr(module, "command"):
        found[""] = module.command
    return found


@pytest.mark.parametrize("verb", VERBS)
def test_the_table_says_what_the_function_says(verb):
    functions = functions_of(verb)
    if "" in functions:
        assert inspect.getdoc(functions[""]).splitlines()[0] == VERBS[verb].summary


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_an_example(verb):
    for words, function in functions_of(verb).items():
        _, mark, example = inspect.getdoc(function).partition("\nFor example:\n")
        assert mark, f"{verb} {words} has no example"
        assert f"polpkg {verb} {words}".strip() in example


@pytest.mark.parametrize("verb", VERBS)
def test_help_of_every_verb_fits_80_columns(verb, capsys):
    for words in {"", *functions_of(verb)}:
        assert run([verb, *words.split(), "--help"]) == 0
        assert max(map(len, capsys.readouterr().out.splitlines())) <= 80


def test_the_overview(golden):
    verbs = {
        "install": Verb("Targets", "Install packages on a target."),
        "sync": Verb("Targets", "Bring a target to what its lock file says."),
        "plugins": Verb("Housekeeping", "List the plugins and what each of them adds."),
    }
    golden("cli/help/overview.txt", overview(verbs, Plugins(())) + "\n")


def test_the_overview_fits_80_columns_and_has_every_verb():
    text = overview(VERBS, load_plugins([]))
    assert max(map(len, text.splitlines())) <= 80
    for verb in VERBS:
        assert re.search(rf"^  {verb} ", text, re.MULTILINE)


@pytest.mark.parametrize(("words", "code"), [([], 2), (["--help"], 0), (["-h"], 0), (["help"], 0)])
def test_help_without_a_verb(words, code, capsys):
    assert run(words) == code
    assert "Usage: polpkg VERB" in capsys.readouterr().out


def test_help_of_a_verb(capsys):
    assert run(["help", "plugins"]) == 0
    assert "Usage: polpkg plugins" in capsys.readouterr().out


def test_a_near_miss_names_the_verb():
    with pytest.raises(UsageError) as caught:
        run(["plugin"])
    assert caught.value.hint == "did you mean `polpkg plugins`?"


def test_nothing_near():
    with pytest.raises(UsageError) as caught:
        run(["zzzz"])
    assert caught.value.hint == "`polpkg --help` lists all verbs"


def test_options_come_after_the_verb_but_flags_of_all_verbs_may_stand_first(capsys):
    assert run(["--json", "plugins"]) == 0
    assert json.loads(capsys.readouterr().out)["schema"] == "polpkg.plugins/1"
    with pytest.raises(UsageError):
        run(["--root", "x", "plugins"])


def test_the_version(capsys):
    assert run(["--version", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["schema"] == "polpkg.version/1"


def test_a_verb_of_a_plugin(site, capsys):
    site.install("polpkg-acme", ADMIT)
    assert run(["acme", "admit", "web"]) == 0
    assert run(["acme", "admit", "evil"]) == 5
    output = capsys.readouterr()
    assert output.out == "web is in\n"
    assert output.err == "error[not-welcome]: evil stays out\n"
    assert run(["--help"]) == 0
    assert "From plugins:\n  acme admit  let a guest in" in capsys.readouterr().out


def test_plugins_lists_the_broken_ones(site, capsys):
    site.install("polpkg-acme", ADMIT, version="2.0")
    site.install("polpkg-bad", "raise RuntimeError('no luck')", version="0.1")
    assert run(["plugins"]) == 0
    text = capsys.readouterr().out
    assert "polpkg-acme 2.0\n  commands     acme admit\n" in text
    reason = "polpkg_bad_plugin cannot be imported: RuntimeError: no luck"
    assert f"polpkg-bad 0.1 is left out: {reason}\n" in text
    assert run(["plugins", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert {"name": "polpkg-bad", "version": "0.1", "reason": reason} in document["broken"]
    acme = {"name": "polpkg-acme", "version": "2.0", "builtin": False, "registers": {"commands": ["acme admit"]}}
    assert acme in document["plugins"]


@pytest.fixture
def index(monkeypatch):
    """A verb with verbs of its own; what was called of it."""
    called = []

    def add(name: str) -> None:
        """Add an index."""
        called.append(f"add {name}")

    def key_new() -> None:
        """Make a key."""
        called.append("key new")

    module = SimpleNamespace(SUBVERBS={"add": add, "key new": key_new})
    monkeypatch.setitem(sys.modules, "polpkg.cli.index", module)
    monkeypatch.setitem(app.VERBS, "index", Verb("Indexes", "Manage indexes."))
    return called


def test_verbs_of_a_verb(index, capsys):
    assert run(["index", "add", "x"]) == 0
    assert run(["index", "key", "new"]) == 0
    assert index == ["add x", "key new"]
    assert run(["index", "--help"]) == 0
    assert "  add      Add an index.\n  key new  Make a key.\n" in capsys.readouterr().out
    assert run(["index"]) == 2
    with pytest.raises(UsageError, match="no verb index remove"):
        run(["index", "remove"])
