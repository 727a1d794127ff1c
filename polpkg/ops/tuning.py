"""What options and policy.toml say about a linked policy: values of booleans, and types that are permissive here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from polpkg.diagnostics import Diagnostic, Origin, Severity
from polpkg.errors import PolicyError
from polpkg.packages.names import did_you_mean
from polpkg.packages.tables import Document
from polpkg.packages.toml_places import find_place
from polpkg.policy.link.settings import with_booleans, with_permissive

if TYPE_CHECKING:
    from collections.abc import Iterator

    from polpkg.ops.assembly import Assembly, OptionBoolean
    from polpkg.packages.project import Project
    from polpkg.policy.ir.linked import LinkedPolicy


def tune(policy: LinkedPolicy, assembly: Assembly) -> tuple[LinkedPolicy, tuple[Diagnostic, ...]]:
    """The policy as its target wants it, and the warnings that this deserves.

    What policy.toml says of a boolean counts more than what options say.  Raises PolicyError: `project-unknown-boolean`
    and `project-unknown-type`, placed in policy.toml; `unknown-boolean`, `foreign-boolean` and `options-disagree`,
    placed in a manifest.
    """
    project = assembly.project
    if not (project.booleans or project.target.permissive or assembly.booleans):
        return policy, ()
    values = _of_options(assembly.booleans, policy)
    _check(policy, project)
    tuned = with_permissive(with_booleans(policy, {**values, **project.booleans}), project.target.permissive)
    return tuned, tuple(_warnings(project))


def _of_options(settings: tuple[OptionBoolean, ...], policy: LinkedPolicy) -> dict[str, bool]:
    known = {b.name: b.place.stack()[0].source.package if b.place else "" for b in policy.booleans}
    found: dict[str, OptionBoolean] = {}
    problems: list[Diagnostic] = []
    for each in settings:
        if each.name not in known:
            message = f"option {each.option} sets `{each.name}`, and no package declares such a boolean"
            problems.append(Diagnostic("unknown-boolean", message, each.origin, did_you_mean(each.name, known)))
        elif known[each.name] != each.origin.package:
            message = f"option {each.option} sets `{each.name}`, a boolean of `{known[each.name]}`"
            hint = "a package sets its own booleans; policy.toml sets any"
            problems.append(Diagnostic("foreign-boolean", message, each.origin, hint))
        elif found.setdefault(each.name, each).value is not each.value:
            message = f"options {found[each.name].option} and {each.option} disagree about the boolean `{each.name}`"
            problems.append(Diagnostic("options-disagree", message, each.origin, "turn one of them off"))
    if problems:
        raise PolicyError.of(problems)
    return {name: each.value for name, each in found.items()}


def _check(policy: LinkedPolicy, project: Project) -> None:
    """See that what policy.toml names is there."""
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
