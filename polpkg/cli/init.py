"""`polpkg init`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from polpkg.cli.console import Console


def command(
    console: Console,
    directory: Annotated[
        Path, typer.Argument(metavar="[DIR]", help="Where; default the working directory.", show_default=False)
    ] = Path(),
    name: Annotated[
        str | None, typer.Option("--name", metavar="NAME", help="The name of the package; default the directory's.")
    ] = None,
    role: Annotated[
        str | None, typer.Option("--role", metavar="NAME", help="A role that a plugin knows, such as vmv.")
    ] = None,
) -> None:
    """Begin a package.

    It declares one kind of domain, states what must never be allowed, and is ready for `check`, `test` and `build`.
    Files that are there already are never overwritten.

    For example:
      polpkg init my-role
      polpkg init my-verifier --role vmv
    """
    from polpkg.cli.session import make_context
    from polpkg.ops.init import init_package

    begun = init_package(make_context(console), directory, name=name or "", role=role or "")
    lines = [f"{directory / path}" for path in begun.files]
    document = {"name": begun.name, "path": str(begun.folder), "files": list(begun.files)}
    console.answer(document, "\n".join([*lines, f"next: polpkg check {directory}"]))
