"""Which lines of policy.toml and policy.lock are at odds."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from polpkg.diagnostics import Diagnostic, Origin
from polpkg.errors import PendingError
from polpkg.packages.stale import StaleReason, why_stale
from polpkg.targets.layout import PROJECT

if TYPE_CHECKING:
    from collections.abc import Iterable

    from polpkg.packages.lock import Lockfile
    from polpkg.packages.project import Project
    from polpkg.packages.requirement import Requirement


def check_fresh(project: Project, lock: Lockfile, requirements: Iterable[Requirement]) -> None:
    """Raises PendingError `stale-lock` unless `lock` answers `project`, whose requirements are `requirements`.

    There is a finding for each reason, placed at its line of policy.toml, or of the lock where that is the one to
    look at.
    """
    reasons = why_stale(lock, requirements, project.options, project.overrides, project.index_map)
    if reasons:
        raise PendingError.of(_finding(project, lock, reason) for reason in reasons)


def _finding(project: Project, lock: Lockfile, reason: StaleReason) -> Diagnostic:
    keys = _keys_in_project(project, reason)
    file, text = (project.file, project.text) if keys else (lock.file, lock.text)
    line, column = _place_in_project(project, keys) if keys else _place_in_lock(lock, reason)
    origin = Origin("", "", file, line, column) if line else None
    excerpt = text.split("\n")[line - 1] if line else ""
    hint = "`polpkg sync` without --locked" if project.file == PROJECT else "run `polpkg lock`"
    return Diagnostic("stale-lock", reason.text, origin, hint, excerpt, column)


def _keys_in_project(project: Project, reason: StaleReason) -> tuple[str, ...]:
    """The key of policy.toml that is at odds; nothing when it is the lock that has the line to look at."""
    if reason.table and reason.package in getattr(project, reason.table):
        return reason.table.replace("_", "-"), reason.package
    return ("target", "base") if reason.table == "packages" and reason.package in project.target.base else ()


def _place_in_project(project: Project, keys: tuple[str, ...]) -> tuple[int, int]:
    """The line and column of a key; (0, 0) when policy.toml leaves it at its default."""
    from polpkg.packages.toml_places import find_place

    return find_place(project.text, keys)


def _place_in_lock(lock: Lockfile, reason: StaleReason) -> tuple[int, int]:
    """The line that names the package; (0, 0) when the lock has none."""
    pattern = rf'^name\s*=\s*"{re.escape(reason.package)}"'
    for number, line in enumerate(lock.text.split("\n"), start=1):
        if re.match(pattern, line):
            return number, 1
    return 0, 0
