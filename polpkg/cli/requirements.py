"""What `tree` and `why` have in common: which packages they look at."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from polpkg.cli.session import find_project, make_context, open_target

if TYPE_CHECKING:
    from polpkg.cli.console import Console
    from polpkg.cli.options import IndexOptions, TargetOptions
    from polpkg.ops.context import Context
    from polpkg.ops.graph import Edge, Graph
    from polpkg.packages.project import Project


def find_graph(console: Console, target: TargetOptions) -> Graph:
    """The graph of the target that is named, else of the project folder, else of this host."""
    from polpkg.ops.graph import read_folder_graph, read_target_graph

    target.check()
    folder = find_project(target)
    is_named = any(value is not None for value in (target.root, target.image, target.host))
    if folder is not None and (target.project is not None or not is_named):
        return read_folder_graph(folder)
    return read_target_graph(open_target(make_context(console), target))


def known_project(context: Context, target: TargetOptions) -> Project | None:
    """The policy.toml whose indexes count: of the project folder, else of the target that is named, else None."""
    from polpkg.ops.project_files import ProjectFiles, read_project_files

    folder = find_project(target)
    if folder is not None:
        return ProjectFiles(folder).read().project
    is_named = any(value is not None for value in (target.root, target.image, target.host))
    return read_project_files(open_target(context, target), None).project if is_named else None


def resolve_graph(console: Console, texts: list[str], target: TargetOptions, indexes: IndexOptions) -> Graph:
    """The graph of what requirements resolve to."""
    from polpkg.cli.session import parse_requirements
    from polpkg.ops.graph import graph_of_requirements
    from polpkg.ops.lock import lock_requirements

    context = make_context(console, indexes)
    requirements = tuple(context.named(r) for r in parse_requirements(texts))
    project = known_project(context, target)
    answer = lock_requirements(context, requirements, project=project, xen=target.xen or "")
    return graph_of_requirements(answer.lock, requirements)


def edge_values(edge: Edge) -> dict[str, Any]:
    """A step as a JSON value."""
    return {"name": edge.name, "version": edge.version, "specifier": edge.specifier or "*"}


def edge_text(edge: Edge) -> str:
    """A step for people: `score 1.0.0 (>=1,<2)`."""
    return f"{edge.name} {edge.version or 'is not locked'}" + (f" ({edge.specifier})" if edge.specifier else "")
