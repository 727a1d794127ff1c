"""`polpkg remove`."""

from __future__ import annotations

from typing import Annotated

import typer

from polpkg.cli.console import Console
from polpkg.cli.options import ChangeOptions, IndexOptions, Instance, TargetOptions
from polpkg.errors import ExitCode


def command(
    console: Console,
    names: Annotated[list[str], typer.Argument(metavar="NAME...", help="Packages that were installed.")],
    target: TargetOptions,
    indexes: IndexOptions,
    change: ChangeOptions,
    instance: Instance = None,
) -> ExitCode | None:
    """Remove packages, or one instance, and what nothing needs any more.

    Functions that a removed package owned go back to dom0.

    For example:
      polpkg remove netdom --root build/demo
      polpkg remove vmv --instance tenant-a --root build/demo
    """
    from polpkg.cli.changing import run_change
    from polpkg.ops.change import ChangeRequest

    request = ChangeRequest(
        action=f"remove {' '.join(names)}" + (f" as {instance}" if instance else ""),
        remove=tuple(names),
        instance=instance or "",
        xen=target.xen or "",
    )
    return run_change(console, request, target, indexes, change)
