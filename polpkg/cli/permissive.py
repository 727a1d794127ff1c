"""`polpkg permissive add` and `polpkg permissive remove`."""

from __future__ import annotations

from typing import Annotated

import typer

from polpkg.cli.console import Console
from polpkg.cli.options import ChangeOptions, IndexOptions, TargetOptions
from polpkg.errors import ExitCode

Types = Annotated[list[str], typer.Argument(metavar="TYPE...", help="Types of the installed policy.")]


def add(
    console: Console, types: Types, target: TargetOptions, indexes: IndexOptions, change: ChangeOptions
) -> ExitCode | None:
    """Make types of a target permissive, for a learning run: their denials are logged and allowed.

    policy.toml remembers it, `status` and every change say it.  No assertion protects anybody from a permissive type.

    For example:
      polpkg permissive add vmv_t --root build/demo
    """
    return _change(console, "add", tuple(types), target, indexes, change)


def remove(
    console: Console, types: Types, target: TargetOptions, indexes: IndexOptions, change: ChangeOptions
) -> ExitCode | None:
    """End a learning run: enforce what the policy says for these types again.

    For example:
      polpkg permissive remove vmv_t --root build/demo
    """
    return _change(console, "remove", tuple(types), target, indexes, change)


def _change(
    console: Console,
    what: str,
    types: tuple[str, ...],
    options: TargetOptions,
    indexes: IndexOptions,
    change: ChangeOptions,
) -> ExitCode:
    from polpkg.cli.changing import run_change
    from polpkg.cli.session import find_project, make_context, open_target
    from polpkg.ops.change import ChangeRequest
    from polpkg.ops.permissive import permissive_after

    target = open_target(make_context(console, indexes), options)
    wanted = permissive_after(target, find_project(options), **{what: types})
    request = ChangeRequest(
        action=f"permissive {what} {' '.join(types)}", target={"permissive": wanted}, xen=options.xen or ""
    )
    return run_change(console, request, options, indexes, change)


SUBVERBS = {"add": add, "remove": remove}
