"""Classes and permissions that some of the claimed releases do not have."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from polpkg.policy.abi import describe_availability
from polpkg.policy.ir.statements import AvRule, Conditional, Constraint
from polpkg.policy.lint.table import finding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from polpkg.diagnostics import Diagnostic, Place
    from polpkg.policy.ir.module import PolicyModule
    from polpkg.policy.lint.subject import Release, Subject


def unguarded_permissions(subject: Subject) -> Iterator[Diagnostic]:
    """What the package uses on another release that it is for, and that release does not have; each once."""
    places: dict[tuple[str, str], Place] = {}
    lacking: dict[tuple[str, str], list[str]] = defaultdict(list)
    for release in subject.releases:
        missing = dict.fromkeys(
            (name, permission)
            for name, permission, place in _uses(release.module)
            if not _exists(release, name, permission) and places.setdefault((name, permission), place)
        )
        for what in missing:
            lacking[what] += release.versions
    for (class_name, permission), versions in lacking.items():
        yield _finding(class_name, permission, versions, places[class_name, permission])


def _finding(class_name: str, permission: str, versions: list[str], place: Place) -> Diagnostic:
    what = f"permission `{permission}` of class `{class_name}`" if permission else f"class `{class_name}`"
    guard = f"xen_perm_{class_name}_{permission}" if permission else f"xen_class_{class_name}"
    more = f" and {len(versions) - 1} more releases" if len(versions) > 1 else ""
    message = f"{what} does not exist in Xen {versions[0]}{more} that the package claims to be for"
    since = describe_availability(class_name, permission) if permission else describe_availability(class_name)
    hint = f"it exists {since}; guard it with ifdef(`{guard}', ...), or claim less in [xen] versions"
    return finding("unguarded-permission", place, message, hint)


def _exists(release: Release, class_name: str, permission: str) -> bool:
    if not permission:
        return release.abi.has_class(class_name)
    return not release.abi.has_class(class_name) or release.abi.has_permission(class_name, permission)


def _uses(module: PolicyModule) -> Iterator[tuple[str, str, Place]]:
    """Every class, with an empty permission, and every permission that a module names."""
    for statement in module.statements:
        rules = (*statement.then, *statement.otherwise) if isinstance(statement, Conditional) else (statement,)
        for rule in rules:
            if isinstance(rule, AvRule | Constraint):
                for name in rule.classes:
                    yield name, "", rule.place
                    yield from ((name, permission, rule.place) for permission in rule.permissions.names)
