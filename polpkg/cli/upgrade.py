"""`polpkg upgrade`."""

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
    requirements: Annotated[
        list[str] | None, typer.Argument(metavar="[REQ...]", help="What to move; everything if not given.")
    ] = None,
) -> ExitCode | None:
    """Move packages to the newest versions that policy.toml allows.

    With names, only these and what they make necessary move.  A name with a version changes policy.toml.

    For example:
      polpkg upgrade --root build/demo
      polpkg upgrade vmv --root build/demo
    """
    from polpkg.cli.changing import run_change, target_facts
    from polpkg.cli.session import parse_requirements
    from polpkg.ops.change import ChangeRequest

    parsed = parse_requirements(requirements)
    request = ChangeRequest(
        action=" ".join(["upgrade", *(requirements or ())]),
        install=tuple(r for r in parsed if r.specifier or r.is_path),
        move=frozenset(r.name for r in parsed) if parsed else None,
        xen=target.xen or "",
        target=target_facts(build),
    )
    return run_change(console, request, target, indexes, change)
