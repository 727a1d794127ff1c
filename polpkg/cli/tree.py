"""`polpkg tree`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from polpkg.cli.console import Console
from polpkg.cli.options import IndexOptions, TargetOptions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from polpkg.ops.graph import Edge, Graph


def command(
    console: Console,
    target: TargetOptions,
    indexes: IndexOptions,
    requirements: Annotated[
        list[str] | None, typer.Argument(metavar="[REQ...]", help="Resolve these instead of looking at a target.")
    ] = None,
    reverse: Annotated[bool, typer.Option("--reverse", help="Show which package is required by which.")] = False,
) -> None:
    """Show which package requires which.

    Of a target, of policy.lock in a project folder, or of what REQ resolves to.  In brackets is what was asked for.

    For example:
      polpkg tree --root build/demo
      polpkg tree vmv netdom
      polpkg tree --reverse --root build/demo
    """
    from polpkg.cli.requirements import find_graph, resolve_graph

    graph = resolve_graph(console, requirements, target, indexes) if requirements else find_graph(console, target)
    console.answer(_document(graph, reverse=reverse), "\n".join(tree_lines(graph, reverse=reverse)))


def _document(graph: Graph, *, reverse: bool) -> dict[str, Any]:
    from polpkg.cli.requirements import edge_values

    roots = graph.leaves() if reverse else graph.roots()
    return {
        "reverse": reverse,
        "roots": [edge_values(edge) for edge in roots],
        "packages": [
            {
                "name": package.name,
                "version": package.version,
                "requires": [edge_values(edge) for edge in graph.required(package.name)],
                "required_by": [edge_values(edge) for edge in graph.requiring(package.name)],
            }
            for package in graph.lock.packages
        ],
    }


def tree_lines(graph: Graph, *, reverse: bool = False) -> Iterator[str]:
    """The tree, a line for each package; what was shown before is marked and not unfolded again."""
    seen: set[str] = set()
    roots, children = (graph.leaves(), graph.requiring) if reverse else (graph.roots(), graph.required)
    for root in roots:
        yield from _subtree(root, "", "", children, seen)
    if not roots:
        yield "no packages"


def _subtree(
    edge: Edge, first: str, rest: str, children: Callable[[str], Sequence[Edge]], seen: set[str]
) -> Iterator[str]:
    from polpkg.cli.render import visible
    from polpkg.cli.requirements import edge_text

    text = visible(edge_text(edge))
    if edge.name in seen:
        yield f"{first}{text} (*)"
        return
    seen.add(edge.name)
    yield f"{first}{text}"
    below = children(edge.name)
    for position, child in enumerate(below, start=1):
        corner, bar = ("`-- ", "    ") if position == len(below) else ("|-- ", "|   ")
        yield from _subtree(child, rest + corner, rest + bar, children, seen)
