"""`polpkg why-not`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from polpkg.cli.console import Console
from polpkg.cli.options import IndexOptions, TargetOptions
from polpkg.errors import ExitCode

if TYPE_CHECKING:
    from collections.abc import Iterator

    from polpkg.errors import ResolutionError
    from polpkg.ops.why_not import Fit


def command(
    console: Console,
    package: Annotated[str, typer.Argument(metavar="PKG[SPEC]", help="A package: a name, name>=1, or a path.")],
    target: TargetOptions,
    indexes: IndexOptions,
) -> ExitCode | None:
    """Show whether a package would fit, and if not, why not.

    It is resolved together with all that policy.toml asks for: of a target, of the project folder, or the base packages
    alone.  When it does not fit, the proof is shown, and the exit code is 3; else what would change.

    For example:
      polpkg why-not netdom --root build/demo
      polpkg why-not 'vmv>=1' --json
    """
    from dataclasses import replace

    from polpkg.cli.requirements import find_wanted
    from polpkg.cli.session import make_context, parse_requirements
    from polpkg.ops.why_not import try_requirement

    (requirement,) = parse_requirements([package])
    if requirement.is_path:
        requirement = replace(requirement, path=str(make_context(console).locate(requirement.path)))
    wanted = find_wanted(console, target, indexes, optional=True)
    fit = try_requirement(wanted.context, wanted.project, wanted.lock, requirement, xen=wanted.xen)
    if fit.refusal is not None:
        console.answer(_refusal_document(fit.refusal), "\n".join(_refusal_lines(console, package, fit.refusal)))
        return ExitCode.NO_SOLUTION
    document = {"requirement": package, "fits": True, "changes": fit.changes.document}
    console.answer(document, "\n".join(_lines(package, fit)))
    return ExitCode.OK


def _refusal_document(refusal: ResolutionError) -> dict[str, Any]:
    from polpkg.cli.render import error_document

    return {"fits": False, **error_document(refusal, ExitCode.NO_SOLUTION)}


def _refusal_lines(console: Console, package: str, refusal: ResolutionError) -> Iterator[str]:
    from polpkg.cli.render import derivation_lines, wrapped

    yield from wrapped(f"{package} does not fit: {refusal.message}", console.width)
    yield from derivation_lines(refusal, console.width, whole=console.verbose)
    if refusal.hint:
        yield from wrapped(f"hint: {refusal.hint}", console.width)


def _lines(package: str, fit: Fit) -> Iterator[str]:
    from polpkg.cli.render import visible

    if fit.changes.lines:
        yield visible(f"{package} fits; this would change:")
        yield from (visible(f"  {line}") for line in fit.changes.lines)
    else:
        yield visible(f"{package} fits, and nothing would change: it is there")
