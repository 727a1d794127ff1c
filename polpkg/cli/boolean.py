"""`polpkg boolean list` and `polpkg boolean set`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from polpkg.cli.console import Console
from polpkg.cli.options import ChangeOptions, IndexOptions, PlaceOptions, TargetOptions
from polpkg.errors import ExitCode

if TYPE_CHECKING:
    from collections.abc import Iterator

    from polpkg.ops.boolean import Boolean

_VALUES = {"on": True, "off": False, "default": None}


def _value(value: str) -> str:
    if value not in _VALUES:
        raise typer.BadParameter(f"one of {', '.join(_VALUES)}")
    return value


def list_all(console: Console, place: PlaceOptions, indexes: IndexOptions) -> None:
    """List the booleans of the policy of a target, with what each switches.

    For example:
      polpkg boolean list --root build/demo
    """
    from polpkg.cli.session import make_context, open_target
    from polpkg.ops.boolean import list_booleans

    context = make_context(console, indexes)
    found = list_booleans(context, open_target(context, place.target))
    text = (
        "\n".join(line for boolean in found for line in _lines(boolean, console.width)) or "the policy has no booleans"
    )
    console.answer({"booleans": [boolean._asdict() for boolean in found]}, text)


def _lines(boolean: Boolean, width: int) -> Iterator[str]:
    from polpkg.cli.render import wrapped

    default = "" if boolean.current is boolean.default else f", {_word(boolean.default)} by default"
    running = "" if boolean.running in (None, boolean.current) else f", but {_word(boolean.running)} in force now"
    where = ", set in policy.toml" if boolean.is_set else f", by option {boolean.option}" if boolean.option else ""
    yield f"{boolean.name}: {_word(boolean.current)}{default}{where}{running} ({boolean.package})"
    if boolean.description:
        yield from wrapped(boolean.description, width, "  ", "  ")


def _word(value: bool) -> str:  # noqa: FBT001 - the value is the subject
    return "on" if value else "off"


def set_one(
    console: Console,
    name: Annotated[str, typer.Argument(metavar="NAME", help="The boolean.")],
    value: Annotated[
        str,
        typer.Argument(metavar="VALUE", callback=_value, help="on, off or default.", show_default=False),
    ],
    target: TargetOptions,
    indexes: IndexOptions,
    change: ChangeOptions,
    runtime: Annotated[bool, typer.Option("--runtime", help="Only what is in force, until the next boot.")] = False,
) -> ExitCode | None:
    """Set a boolean of the policy of a target, for this boot and all later ones.

    policy.toml remembers it, so it survives upgrades; `default` gives the decision back to the package.  With --runtime
    nothing is remembered: a host that runs has that value until it is started again.

    For example:
      polpkg boolean set guest_writeconsole off --root build/demo
      polpkg boolean set domU_debug on --runtime --host ssh://box
    """
    if runtime:
        return _set_running(console, name, value, target)
    from polpkg.cli.changing import run_change
    from polpkg.cli.session import find_project, make_context, open_target
    from polpkg.ops.boolean import check_boolean
    from polpkg.ops.change import ChangeRequest

    check_boolean(open_target(make_context(console, indexes), target), find_project(target), name)
    request = ChangeRequest(action=f"boolean set {name} {value}", booleans={name: _VALUES[value]}, xen=target.xen or "")
    return run_change(console, request, target, indexes, change)


def _set_running(console: Console, name: str, value: str, options: TargetOptions) -> ExitCode:
    """Set it in the policy in force and nowhere else."""
    from polpkg.cli.session import make_context, open_target
    from polpkg.errors import UsageError
    from polpkg.ops.live_boolean import set_running_boolean

    chosen = _VALUES[value]
    if chosen is None:
        hint = "without --runtime, `default` gives the decision back to the package"
        raise UsageError("options-disagree", "--runtime wants on or off", hint=hint)
    target = open_target(make_context(console), options)
    changed = set_running_boolean(target, name, value=chosen)
    text = f"{name} is {_word(chosen)} on {target.name}, until it is started again"
    console.answer({"boolean": name, "value": chosen, "changed": changed, "runtime": True}, text)
    return ExitCode.OK


SUBVERBS = {"list": list_all, "set": set_one}
