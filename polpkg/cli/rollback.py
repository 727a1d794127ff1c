"""`polpkg rollback`."""

from __future__ import annotations

from typing import Annotated

import typer

from polpkg.cli.console import Console
from polpkg.cli.options import ChangeOptions, PlaceOptions, Project
from polpkg.errors import ExitCode


def command(
    console: Console,
    place: PlaceOptions,
    change: ChangeOptions,
    number: Annotated[
        int | None, typer.Argument(metavar="[N]", help="The generation to go back to; the one before if not given.")
    ] = None,
    project: Project = None,
) -> ExitCode | None:
    """Go back to an earlier generation.

    Its packages and its policy are put in place again, as a new generation: nothing is compiled, and history stays.

    For example:
      polpkg rollback --root build/demo
      polpkg rollback 1 --root build/demo --dry-run
    """
    from polpkg.cli.changing import activating, agreement, tell_outcome
    from polpkg.cli.session import find_project, make_context, open_target
    from polpkg.ops.rollback import rollback_target

    options = place.target._replace(project=project)
    context = make_context(console)
    outcome = rollback_target(
        context,
        open_target(context, options),
        number,
        project_folder=find_project(options),
        dry_run=change.dry_run,
        agree=agreement(console, change),
        how=activating(change),
    )
    return tell_outcome(console, outcome, options, change)
