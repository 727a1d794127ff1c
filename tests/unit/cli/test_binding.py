"""From a verb's function to a command line and back."""

import json
from pathlib import Path
from typing import Annotated

import pytest
import typer

from polpkg.cli.binding import run_function
from polpkg.cli.console import Console
from polpkg.cli.options import BuildOptions, IndexOptions, TargetOptions
from polpkg.errors import ExitCode, TargetError
from polpkg.plugin.values import CommandResult


def verb(
    console: Console,
    target: TargetOptions,
    requirements: Annotated[list[str], typer.Argument(metavar="REQ...")],
    build: BuildOptions,
    sources: IndexOptions,
) -> ExitCode | None:
    """Do something.

    For example:
      polpkg move vmv
    """
    console.answer({"got": repr((target, requirements, build, sources))}, f"{target.root} {requirements} {build}")
    if "fail" in requirements:
        raise TargetError("read-only", "cannot write")
    return ExitCode.PENDING if "pending" in requirements else None


def test_groups_arguments_and_console_are_put_together(capsys):
    words = ["vmv", "--root", "x", "score", "--policydb-version", "24", "--index", "a=b", "--index", "c=d", "--json"]
    assert run_function("move", verb, words) == 0
    got = (
        TargetOptions(root=Path("x")),
        ["vmv", "score"],
        BuildOptions(policydb_version=24),
        IndexOptions(["a=b", "c=d"]),
    )
    assert json.loads(capsys.readouterr().out) == {"schema": "polpkg.move/1", "got": repr(got)}


def test_the_result_is_the_exit_code():
    assert run_function("move", verb, ["pending"]) == 10


def test_an_error_of_the_verb_is_shown(capsys):
    assert run_function("move", verb, ["fail"]) == 6
    assert capsys.readouterr().err == "error[read-only]: cannot write\n"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "missing argument"),
        (["vmv", "--no-such-option"], "no such option: --no-such-option"),
        (["vmv", "--json", "--root"], "option '--root' requires an argument"),
        (["vmv", "--policydb-version", "29"], "Xen reads version 24 and 30 only"),
        (["vmv", "--policydb-version", "new"], "'new' is not a valid"),
    ],
)
def test_wrong_words_are_a_usage_error(capsys, words, message):
    assert run_function("index add", verb, words if "--json" in words else [*words, "--json"]) == 2
    document = json.loads(capsys.readouterr().out)
    assert document["schema"] == "polpkg.index-add/1"
    assert document["error"]["code"] == "usage"
    assert message.lower() in document["error"]["message"].lower()
    assert document["error"]["hint"] == "`polpkg index add --help` shows what it takes"


def test_help_shows_the_text_the_options_and_the_example(capsys):
    assert run_function("move", verb, ["--help"]) == 0
    text = capsys.readouterr().out
    assert text.startswith("Usage: polpkg move")
    assert "\n  Do something.\n" in text
    assert "--root DIR" in text
    assert text.endswith("For example:\n    polpkg move vmv\n")
    assert max(map(len, text.splitlines())) <= 80


def test_the_type_of_the_result_need_not_be_importable():
    def calm(twice: bool = False) -> "NoSuchType":  # noqa: F821
        pass

    assert run_function("calm", calm, ["--twice"]) == 0


def test_a_function_of_a_plugin_needs_no_typer(capsys):
    def admit(guest: str, twice: bool = False) -> CommandResult:
        return CommandResult({"guest": guest, "twice": twice}, f"{guest} may come in", exit_code=1)

    assert run_function("acme admit", admit, ["web"]) == 1
    assert capsys.readouterr().out == "web may come in\n"
    assert run_function("acme admit", admit, ["web", "--twice", "--json"]) == 1
    assert json.loads(capsys.readouterr().out) == {"schema": "polpkg.acme-admit/1", "guest": "web", "twice": True}
