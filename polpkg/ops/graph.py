"""`polpkg tree` and `polpkg why`: which package requires which, from a lock."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from polpkg.errors import TargetError, UsageError
from polpkg.packages.lock import LOCK_FILE, Lockfile, read_lock
from polpkg.packages.project import PROJECT_FILE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from polpkg.packages.lock import LockedPackage
    from polpkg.packages.project import Project
    from polpkg.packages.requirement import Requirement
    from polpkg.targets.target import Target


class Edge(NamedTuple):
    """A step along a requirement to `name`: the version that is locked there, and the specifier that asked for it.

    `override`: the specifier that counted instead, empty when it is the one that asked.
    """

    name: str
    version: str
    specifier: str
    override: str = ""


@dataclass(frozen=True, slots=True)
class Graph:
    """Packages and what was asked for: `asked` by name with its specifier, `base` those that every target has."""

    lock: Lockfile
    asked: tuple[Requirement, ...]
    base: frozenset[str] = frozenset()

    def edge(self, requirement: Requirement) -> Edge:
        """The step that `requirement` is."""
        name, package = requirement.name, self.lock.get(requirement.name)
        override = "" if requirement.is_path else self.lock.overrides.get(name, "")
        return Edge(name, package.version if package else "", requirement.path or requirement.specifier, override)

    def roots(self) -> tuple[Edge, ...]:
        """Where a tree begins: what was asked for."""
        return tuple(self.edge(requirement) for requirement in self.asked)

    def required(self, name: str) -> tuple[Edge, ...]:
        """What the package `name` requires, by name."""
        package = self.lock.get(name)
        return tuple(self.edge(r) for r in sorted(package.requires)) if package else ()

    def leaves(self) -> tuple[Edge, ...]:
        """Where a reversed tree begins: packages that require nothing."""
        return tuple(Edge(p.name, p.version, "") for p in self.lock.packages if not p.requires)

    def requiring(self, name: str) -> tuple[Edge, ...]:
        """The packages that require `name`, each with the specifier that it does so with."""
        return tuple(
            Edge(package.name, package.version, requirement.specifier)
            for package in self.lock.packages
            for requirement in package.requires
            if requirement.name == name
        )

    def paths(self, name: str) -> Iterator[tuple[Edge, ...]]:
        """Every way from what was asked for to the package `name`, one at a time: there can be very many."""
        leading = self._leading_to(name)
        for root in self.roots():
            if root.name in leading:
                yield from self._continue((root,), name, leading)

    def _continue(self, path: tuple[Edge, ...], name: str, leading: frozenset[str]) -> Iterator[tuple[Edge, ...]]:
        if path[-1].name == name:
            yield path
            return
        for edge in self.required(path[-1].name):
            if edge.name in leading:
                yield from self._continue((*path, edge), name, leading)

    def _leading_to(self, name: str) -> frozenset[str]:
        """The package and all that require it, directly or not."""
        found, pending = {name}, [name]
        while pending:
            for edge in self.requiring(pending.pop()):
                if edge.name not in found:
                    found.add(edge.name)
                    pending.append(edge.name)
        return frozenset(found)


def graph_of(lock: Lockfile, project: Project) -> Graph:
    """The graph of a lock and the policy.toml that it answers.

    Raises PolicyError `requirement-cycle` when packages of the lock require each other.
    """
    lock.in_order()
    return Graph(lock, project.requirements, frozenset(project.target.base) - frozenset(project.packages))


def graph_of_requirements(lock: Lockfile, requirements: tuple[Requirement, ...]) -> Graph:
    """The graph of what was resolved for `requirements`."""
    return Graph(lock, tuple(sorted(requirements)))


def read_target_graph(target: Target) -> Graph:
    """The graph of what `target` has.  Raises TargetError `no-generation` when that is nothing."""
    from polpkg.ops.installed import read_installed

    installed = read_installed(target)
    if installed is None:
        hint = "`polpkg install` makes the first generation"
        raise TargetError("no-generation", f"{target.name} has no generation", hint=hint)
    return graph_of(installed.lock, installed.project)


def read_folder_graph(folder: Path) -> Graph:
    """The graph of the policy.toml and the policy.lock in `folder`.  Raises UsageError `no-lock` without a lock."""
    from polpkg.ops.project_files import ProjectFiles

    if not (folder / PROJECT_FILE).is_file() or not (folder / LOCK_FILE).is_file():
        missing = LOCK_FILE if (folder / PROJECT_FILE).is_file() else PROJECT_FILE
        hint = "`polpkg lock` writes policy.lock from policy.toml; --root names a target"
        raise UsageError("no-lock", f"there is no {missing} in {folder}", hint=hint)
    project, _ = ProjectFiles(folder).read()
    text = (folder / LOCK_FILE).read_text(encoding="utf-8")
    return graph_of(read_lock(text, str(folder / LOCK_FILE)), project)


def find_package(graph: Graph, name: str) -> LockedPackage:
    """The package `name` of a graph.  Raises UsageError `not-installed`."""
    from polpkg.packages.names import did_you_mean

    package = graph.lock.get(name)
    if package is None:
        hint = did_you_mean(name, graph.lock.versions) or "`polpkg list` and `polpkg tree` show what is there"
        raise UsageError("not-installed", f"`{name}` is not among the packages", hint=hint)
    return package
