"""`polpkg build`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from polpkg.cli.console import Console


def command(
    console: Console,
    directory: Annotated[
        Path, typer.Argument(metavar="[DIR]", help="The package; default the working directory.", show_default=False)
    ] = Path(),
    output: Annotated[
        Path,
        typer.Option(
            "-o", "--output", metavar="OUT", help="A directory, or a .polpkg file; default here.", show_default=False
        ),
    ] = Path(),
) -> None:
    """Make the archive of a package.

    It is called NAME-VERSION.polpkg; the same source always gives the same bytes.  A directory of archives is an index.

    For example:
      polpkg build my-role -o dist
      polpkg install my-role --index site=dist --root build/demo
    """
    from polpkg.ops.build import build_package

    built = build_package(directory, output)
    document = {
        "path": str(built.path),
        "name": built.name,
        "version": built.version,
        "sha256": built.sha256,
        "size": built.size,
    }
    console.answer(document, f"{built.path}: {built.size:,} bytes\nsha256 {built.sha256}")
