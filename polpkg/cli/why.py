"""`polpkg why`."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Annotated, Any

import typer

from polpkg.cli.console import Console
from polpkg.cli.options import PlaceOptions, Project

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from polpkg.ops.graph import Edge, Graph

_MOST_PATHS = 50
"""How many ways are shown: in a large graph there are more than anybody reads."""


def command(
    console: Console,
    package: Annotated[str, typer.Argument(metavar="PKG", help="The package.")],
    place: PlaceOptions,
    project: Project = None,
) -> None:
    """Show why a package is there.

    That is every way from what was asked for to it, with the versions that each package on the way asks for.

    For example:
      polpkg why xen-base --root build/demo
    """
    from polpkg.cli.requirements import find_graph
    from polpkg.ops.graph import find_package

    graph = find_graph(console, place.target._replace(project=project))
    found = find_package(graph, package)
    paths = tuple(islice(graph.paths(package), _MOST_PATHS + 1))
    document = {
        "package": {"name": found.name, "version": found.version},
        "requested": any(r.name == package and package not in graph.base for r in graph.asked),
        "base": package in graph.base,
        "paths": [_path_values(path) for path in paths[:_MOST_PATHS]],
        "complete": len(paths) <= _MOST_PATHS,
    }
    console.answer(document, "\n".join(_lines(graph, f"{found}", paths)))


def _path_values(path: Sequence[Edge]) -> list[dict[str, Any]]:
    from polpkg.cli.requirements import edge_values

    return [edge_values(edge) for edge in path]


def _lines(graph: Graph, package: str, paths: Sequence[Sequence[Edge]]) -> Iterator[str]:
    """A block for each way: what was asked for, then each step indented below the one that requires it."""
    from polpkg.cli.render import visible
    from polpkg.cli.requirements import edge_text

    yield visible(f"{package} is there because")
    for path in paths[:_MOST_PATHS]:
        asked = "every target has" if path[0].name in graph.base else "asked for:"
        yield visible(f"  {asked} {edge_text(path[0])}")
        for depth, edge in enumerate(path[1:], start=2):
            yield visible(f"  {'  ' * (depth - 1)}which requires {edge_text(edge)}")
    if len(paths) > _MOST_PATHS:
        yield f"  ... and in more than {_MOST_PATHS} ways altogether"
    if not paths:
        yield "  nothing that was asked for requires it: `polpkg sync` leaves it out"
