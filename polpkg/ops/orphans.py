"""What policy.toml says about names of packages that go: settings that would be errors without them."""

from __future__ import annotations

from dataclasses import replace
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from polpkg.diagnostics import Diagnostic, Severity

if TYPE_CHECKING:
    from polpkg.ops.context import Context
    from polpkg.packages.lock import Lockfile
    from polpkg.packages.project import Project
    from polpkg.packages.project_edit import ProjectChange


def find_orphans(context: Context, previous: Lockfile | None, lock: Lockfile, project: Project) -> tuple[str, ...]:
    """The booleans and permissive types that policy.toml names and that belong to packages which go now."""
    named = (*project.booleans, *project.target.permissive)
    gone = [p for p in previous.packages if lock.get(p.name) is None] if previous and named else []
    if not gone:
        return ()
    catalog = context.catalog(project)
    owned = tuple(prefix for package in gone for prefix in context.fetch(package, catalog).manifest.owns)
    return tuple(name for name in named if any(fnmatchcase(name, prefix) for prefix in owned))


def without_settings(edit: ProjectChange, project: Project, dropped: tuple[str, ...]) -> ProjectChange:
    """`edit`, that also takes out what policy.toml says of those names."""
    booleans = {name: None for name in project.booleans if name in dropped}
    permissive = tuple(name for name in project.target.permissive if name not in dropped)
    return replace(edit, booleans={**edit.booleans, **booleans}, target={**edit.target, "permissive": permissive})


def about_dropped(name: str) -> Diagnostic:
    """The warning that a setting goes."""
    message = f"the package of `{name}` goes, and with it what policy.toml says of it"
    return Diagnostic("setting-dropped", message, severity=Severity.WARNING)
