"""`polpkg explain`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from polpkg.cli.console import Console
from polpkg.cli.options import Policy, TargetOptions
from polpkg.cli.render import wrapped

if TYPE_CHECKING:
    from collections.abc import Iterator

    from polpkg.diagnostics import Origin
    from polpkg.policy.analysis.explain import Explanation, Grant


def command(
    console: Console,
    source: Annotated[str, typer.Argument(metavar="SOURCE", help="The type that does it.")],
    target_type: Annotated[str, typer.Argument(metavar="TARGET", help="The type that it is done to.")],
    security_class: Annotated[str, typer.Argument(metavar="CLASS", help="The security class, such as domain.")],
    permission: Annotated[str, typer.Argument(metavar="PERM", help="The permission, such as create.")],
    target: TargetOptions,
    policy: Policy = None,
) -> None:
    """Show which rules allow something, and where they come from.

    Each rule is shown with the package, file and line that is answerable for it, and the macros that lead to it.  When
    nothing allows it, what comes nearest is shown.

    For example:
      polpkg explain vmv_t vmv_guest_t domain create --root build/demo
    """
    from polpkg.cli.asking import read_policy
    from polpkg.policy.analysis.explain import explain_access

    view = read_policy(console, policy, target).view
    found = explain_access(view, source, target_type, security_class, permission)
    asked = f"{source} {target_type}:{security_class} {permission}"
    console.answer(_document(found), "\n".join(_lines(asked, found, console.width)))


def _document(found: Explanation) -> dict[str, Any]:
    return {
        "allowed": found.allowed,
        "rules": [_rule(rule) for rule in found.rules],
        "missing": list(found.missing),
        "bounded_by": found.bounded_by or None,
    }


def _rule(rule: Grant) -> dict[str, Any]:
    origin = rule.origin
    return {
        "text": rule.text,
        "package": origin.package if origin else None,
        "version": origin.version if origin else None,
        "file": origin.file if origin else None,
        "line": origin.line if origin else None,
        "macros": [m._asdict() for m in origin.macros] if origin else [],
        "condition": rule.condition or None,
    }


def _lines(asked: str, found: Explanation, width: int) -> Iterator[str]:
    yield f"{asked}: {'allowed' if found.allowed else 'not allowed'}"
    for rule in found.rules:
        yield ""
        yield from _rule_lines(rule, width)
    if found.bounded_by:
        but = f"but {found.bounded_by}, which bounds the source, may not do it, and so the source may not"
        yield ""
        yield from wrapped(but, width)
    for line in found.missing:
        yield from wrapped(line, width, "  ", "    ")


def _rule_lines(rule: Grant, width: int) -> list[str]:
    lines = wrapped(rule.text, width, "", "    ")
    if rule.condition:
        lines.append(f"  while {rule.condition}")
    if rule.origin is None:
        return [*lines, "  (a policydb file does not tell where its rules come from)"]
    first, *rest = _steps(rule.origin)
    return [*lines, f"  {first}", *(f"    {step}" for step in rest)]


def _steps(origin: Origin) -> list[str]:
    """The answerable package and its line, then every macro on the way to the rule."""
    package = f"package {origin.package} {origin.version}, " if origin.package else ""
    place = f"{package}{origin.file}:{origin.line}"
    macros = [f"in macro {m.name}, {m.file}:{m.line}" for m in origin.macros]
    if origin.macros and (origin.macros[0].file, origin.macros[0].line) == (origin.file, origin.line):
        return [f"{place}, in macro {origin.macros[0].name}", *macros[1:]]
    return [place, *macros]
