"""`polpkg sync`."""

from __future__ import annotations

from typing import Annotated

import typer

from polpkg.cli.console import Console
from polpkg.cli.options import BuildOptions, ChangeOptions, IndexOptions, TargetOptions
from polpkg.errors import ExitCode


def command(
    console: Console,
    target: TargetOptions,
    indexes: IndexOptions,
    build: BuildOptions,
    change: ChangeOptions,
    locked: Annotated[bool, typer.Option("--locked", help="Refuse if the lock does not fit policy.toml.")] = False,
) -> ExitCode | None:
    """Make a target have what policy.toml and policy.lock say.

    Packages keep their locked versions.  A hypervisor that was added, replaced or upgraded gets its policy.

    For example:
      polpkg sync --locked --root build/demo
    """
    from polpkg.cli.changing import run_change, target_facts
    from polpkg.ops.change import ChangeRequest

    request = ChangeRequest(action="sync", locked=locked, xen=target.xen or "", target=target_facts(build))
    return run_change(console, request, target, indexes, change, create=True)
