"""What policy.toml says about the policy of its target: `[booleans]`, and `permissive` under `[target]`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from polpkg.diagnostics import Diagnostic, Origin, Severity
from polpkg.packages.names import did_you_mean
from polpkg.packages.tables import Document
from polpkg.packages.toml_places import find_place
from polpkg.policy.link.settings import with_booleans, with_permissive

if TYPE_CHECKING:
    from collections.abc import Iterator

    from polpkg.packages.project import Project
    from polpkg.policy.ir.linked import LinkedPolicy


def tune(policy: LinkedPolicy, project: Project) -> tuple[LinkedPolicy, tuple[Diagnostic, ...]]:
    """The policy as its target wants it, and the warnings that this deserves.

    Raises PolicyError `project-unknown-boolean` and `project-unknown-type`, placed in policy.toml.
    """
    if not project.booleans and not project.target.permissive:
        return policy, ()
    document = Document(project.text, project.file, "project")
    known = [boolean.name for boolean in policy.booleans]
    for name in project.booleans:
        if name not in known:
            hint = did_you_mean(name, known) or f"`polpkg boolean set {name} default` takes it out again"
            document.report(("booleans", name), "unknown-boolean", f"no package declares a boolean `{name}`", hint=hint)
    types = [symbol.name for symbol in policy.types if not symbol.is_attribute]
    for name in project.target.permissive:
        if name not in types:
            hint = did_you_mean(name, types) or f"`polpkg permissive remove {name}` takes it out again"
            message = f"no package declares a type `{name}`"
            document.report(("target", "permissive"), "unknown-type", message, hint=hint)
    document.check()
    tuned = with_permissive(with_booleans(policy, project.booleans), project.target.permissive)
    return tuned, tuple(_warnings(project))


def _warnings(project: Project) -> Iterator[Diagnostic]:
    """Nothing says so loudly enough that a type is not enforced."""
    for name in project.target.permissive:
        place = find_place(project.text, ("target", "permissive"))
        line = project.text.split("\n")[place.line - 1] if place.line else ""
        yield Diagnostic(
            "permissive-type",
            f"type `{name}` is permissive here: its denials are logged and allowed, whatever assertions say",
            Origin("", "", project.file, place.line, place.column),
            f"for learning runs only; `polpkg permissive remove {name}` ends it",
            line,
            place.column,
            severity=Severity.WARNING,
        )
