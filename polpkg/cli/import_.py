"""`polpkg import`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from polpkg.cli.console import Console


def command(
    console: Console,
    tree: Annotated[Path, typer.Argument(metavar="TREE", help="Xen's tools/flask/policy, a policy.conf or a .cil.")],
    output: Annotated[Path, typer.Option("-o", "--output", metavar="OUT", help="The directory for the archives.")],
    name: Annotated[str, typer.Option("--name", metavar="NAME", help="The name of the package.")],
    version: Annotated[str, typer.Option("--version", metavar="V", help="Its version.")] = "1.0.0",
    flask_dir: Annotated[
        Path | None, typer.Option("--flask-dir", metavar="DIR", help="Xen's xen/xsm/flask/policy, if not beside TREE.")
    ] = None,
    split: Annotated[bool, typer.Option("--split", help="A package for each module: NAME-<module>.")] = False,
) -> None:
    """Make packages of a policy tree, its sources unchanged.

    OUT is then an index that has them.  The package NAME stands for the whole policy, also with --split; it brings the
    tree's own classes and is linked alone.

    For example:
      polpkg import xen/tools/flask/policy -o imported --name example
      polpkg link example --index site=imported --xen 4.17 -o policy.bin
    """
    from polpkg.ops.import_tree import import_tree

    written = import_tree(tree, output, name, version, flask=flask_dir, split=split)
    document = {
        "packages": [{"path": str(p.path), "name": p.name, "version": p.version, "sha256": p.sha256} for p in written]
    }
    console.answer(document, "\n".join(f"{p.path}" for p in written))
