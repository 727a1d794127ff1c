"""What the verbs about packages have in common: whose packages they look at."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from polpkg.cli.session import find_project, make_context, open_target

if TYPE_CHECKING:
    from polpkg.cli.console import Console
    from polpkg.cli.options import IndexOptions, TargetOptions
    from polpkg.ops.context import Context
    from polpkg.ops.graph import Edge, Graph
    from polpkg.packages.lock import Lockfile
    from polpkg.packages.project import Project
    from polpkg.targets.target import Target


class Wanted(NamedTuple):
    """What a policy.toml asks for, and its lock: `where` says whose they are, `xen` for which release of Xen."""

    context: Context
    project: Project
    lock: Lockfile | None
    where: str
    xen: str


def find_wanted(console: Console, target: TargetOptions, indexes: IndexOptions, *, optional: bool = False) -> Wanted:
    """The policy.toml of the target that is named, else of the project folder, else of this host.

    With `optional`, when nothing is named and there is no project folder, an empty one: the base packages alone.
    """
    from polpkg.ops.lock import xen_version
    from polpkg.ops.project_files import ProjectFiles, read_project_files
    from polpkg.packages.project import Project

    target.check()
    context = make_context(console, indexes)
    folder = find_project(target)
    is_named = any(value is not None for value in (target.root, target.image, target.host))
    if folder is not None and (target.project is not None or not is_named):
        project, lock = ProjectFiles(folder).read()
        xen = xen_version(target.xen or project.target.hypervisor or project.target.xen)
        return Wanted(context.in_folder(folder), project, lock, str(folder), xen)
    if optional and not is_named:
        return Wanted(context, Project(), None, "", xen_version(target.xen or ""))
    opened = open_target(context, target)
    project, lock = read_project_files(opened, None)
    return Wanted(context, project, lock, opened.name, xen_version(target.xen or _xen_of(opened, project)))


def _xen_of(target: Target, project: Project) -> str:
    """The release that a target has: by its receipt, else by its policy.toml."""
    from polpkg.targets.generations import current_generation

    receipt = current_generation(target)
    if receipt is not None and receipt.policies:
        return receipt.policies[0].xen_version
    return project.target.hypervisor or project.target.xen


def locked(wanted: Wanted) -> Lockfile:
    """The lock there.  Raises UsageError `no-lock` when there is none."""
    from polpkg.errors import UsageError

    if wanted.lock is None:
        hint = "`polpkg lock` writes one from policy.toml, `polpkg install` gives a target one"
        raise UsageError("no-lock", f"{wanted.where} has no policy.lock", hint=hint)
    return wanted.lock


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
    from polpkg.ops.project_files import ProjectFiles, located_project, read_project_files

    folder = find_project(target)
    if folder is not None:
        return located_project(ProjectFiles(folder).read().project, folder)
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
    values = {"name": edge.name, "version": edge.version, "specifier": edge.specifier or "*"}
    return values | ({"override": edge.override} if edge.override else {})


def edge_text(edge: Edge) -> str:
    """A step for people: `score 1.0.0 (>=1,<2)`."""
    asked = ", ".join(filter(None, (edge.specifier, edge.override and f"override {edge.override}")))
    return f"{edge.name} {edge.version or 'is not locked'}" + (f" ({asked})" if asked else "")
