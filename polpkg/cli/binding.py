"""Make a typer command of a verb's function.

typer only reads the command line here: the command that it runs stores the values, and the verb's function is called
with them when typer is done.  So exceptions of a verb never pass through typer, which would print some of them.
"""

from __future__ import annotations

import inspect
from types import SimpleNamespace
from typing import TYPE_CHECKING, Annotated, Any, cast, get_type_hints

import typer
import typer.main

from polpkg.cli.console import Console
from polpkg.cli.options import OutputOptions
from polpkg.errors import PolpkgError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_USAGE_ERROR = cast("type[Exception]", typer.BadParameter.__mro__[1])
"""The base of everything that typer has to say about a wrong command line; it has no public name there."""

_EXAMPLE = "\nFor example:\n"

_OFFLINE = inspect.Parameter(
    "offline",
    inspect.Parameter.KEYWORD_ONLY,
    default=False,
    annotation=Annotated[bool, typer.Option("--offline", hidden=True)],
)
"""What a verb gets that never uses the network, so that a script can give `--offline` to all of them alike."""


def run_function(name: str, function: Callable[..., Any], words: Sequence[str]) -> int:
    """Read `words` as the arguments of `function`, the verb `name`, and call it; the exit code that it ends with.

    A parameter annotated `Console` gets the console, one annotated with a group of options (a `NamedTuple`) gets that
    group, and every other one is an argument or option by the rules of typer.  A `PolpkgError` is shown here.
    """
    parsed: dict[str, Any] = {}
    schema = name.replace(" ", "-")
    hints = _hints(function)
    command = _typer_command(function, _parameters(function, hints), parsed)
    try:
        shown = command.main(args=list(words), prog_name=f"polpkg {name}", standalone_mode=False)
    except _USAGE_ERROR as error:
        return Console.for_words(words, schema).fail(_usage_error(name, error))
    if not parsed:  # typer has answered by itself, with the help text
        return int(shown or 0)
    output = OutputOptions(*(parsed.pop(field) for field in OutputOptions._fields))
    console = Console(schema, json=output.json, quiet=output.quiet, verbose=output.verbose)
    try:
        return _finish(console, function(**_arguments(function, hints, parsed, console)))
    except PolpkgError as error:
        return console.fail(error)


def _finish(console: Console, result: Any) -> int:
    """The exit code of a verb's result; a plugin's `CommandResult` is printed first."""
    if result is None or isinstance(result, int):
        return int(result or 0)
    from polpkg.plugin.values import CommandResult

    if isinstance(result, CommandResult):
        console.answer(result.document, result.text)
        return result.exit_code
    return int(result or 0)


def _hints(function: Callable[..., Any]) -> dict[str, Any]:
    """The types of the parameters; not of the result, which a verb may import for the type checker only."""
    annotations = {name: kind for name, kind in inspect.get_annotations(function).items() if name != "return"}
    return get_type_hints(
        SimpleNamespace(__annotations__=annotations), getattr(function, "__globals__", {}), include_extras=True
    )


def _parameters(function: Callable[..., Any], hints: dict[str, Any]) -> list[inspect.Parameter]:
    """What typer is to read: the function's own parameters, with groups taken apart, then those that print."""
    found: list[inspect.Parameter] = []
    for parameter in inspect.signature(function).parameters.values():
        kind = hints[parameter.name]
        if _is_group(kind):
            found += _fields(kind)
        elif kind is not Console:
            found.append(parameter.replace(annotation=kind, kind=inspect.Parameter.KEYWORD_ONLY))
    found += _fields(OutputOptions)
    if not any(parameter.name == "offline" for parameter in found):
        found.append(_OFFLINE)
    return found


def _is_group(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, tuple) and "_fields" in vars(cast("type", kind))


def _fields(group: Any) -> list[inspect.Parameter]:
    hints = get_type_hints(group, include_extras=True)
    keyword = inspect.Parameter.KEYWORD_ONLY
    return [inspect.Parameter(n, keyword, default=group._field_defaults[n], annotation=hints[n]) for n in hints]


def _typer_command(function: Callable[..., Any], parameters: list[inspect.Parameter], parsed: dict[str, Any]) -> Any:
    def store(**values: Any) -> None:
        parsed.update(values)

    vars(store)["__signature__"] = inspect.Signature(parameters)
    app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)
    text, _, example = inspect.cleandoc(function.__doc__ or "").partition(_EXAMPLE)
    epilog = f"\b\nFor example:\n{example.rstrip()}" if example else None
    settings = {"help_option_names": ["-h", "--help"]}
    app.command(help=text, epilog=epilog, context_settings=settings)(store)
    return typer.main.get_command(app)


def _arguments(
    function: Callable[..., Any], hints: dict[str, Any], parsed: dict[str, Any], console: Console
) -> dict[str, Any]:
    arguments: dict[str, Any] = {}
    for name in inspect.signature(function).parameters:
        kind = hints[name]
        if _is_group(kind):
            arguments[name] = kind(**{field: parsed[field] for field in kind._fields})
        else:
            arguments[name] = console if kind is Console else parsed[name]
    return arguments


def _usage_error(name: str, error: Any) -> UsageError:
    message = " ".join(error.format_message().split()).rstrip(".")
    return UsageError(
        "usage", f"{message[:1].lower()}{message[1:]}", hint=f"`polpkg {name} --help` shows what it takes"
    )
