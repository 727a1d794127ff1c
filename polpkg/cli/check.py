"""`polpkg check`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from polpkg.cli.console import Console
from polpkg.cli.options import IndexOptions, Xen
from polpkg.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from polpkg.diagnostics import Diagnostic
    from polpkg.ops.check import CheckAnswer

_LEVELS = ("error", "warning", "note")


def _level(value: str) -> str:
    if value not in _LEVELS:
        raise typer.BadParameter(f"one of {', '.join(_LEVELS)}")
    return value


def command(
    console: Console,
    indexes: IndexOptions,
    directory: Annotated[
        str, typer.Argument(metavar="[DIR]", help="The package; default the working directory.")
    ] = ".",
    xen: Xen = None,
    all_xen: Annotated[bool, typer.Option("--all-xen", help="For every ABI that the package says it is for.")] = False,
    level: Annotated[
        str, typer.Option(metavar="LEVEL", callback=_level, help="The least to be shown: error, warning or note.")
    ] = "warning",
    explain: Annotated[str, typer.Option(metavar="CODE", help="Explain a finding of lint, and check nothing.")] = "",
) -> ExitCode | None:
    """See whether a package parses, links and keeps its assertions.

    It is linked as it would be on a target, for the newest release of Xen that it is for, or for the one given; then
    lint looks at it.  A comment on the line of a finding, or the line before, suppresses it:
    `# polpkg: allow(CODE) REASON`.

    For example:
      polpkg check packages/vmv --xen 4.17
      polpkg check packages/vmv --all-xen
      polpkg check --explain over-broad-rule
    """
    from polpkg.cli.session import make_context
    from polpkg.errors import PolicyError
    from polpkg.ops.check import check_package

    if explain:
        console.answer(*_explanation(explain, console.width))
        return None
    path = directory if directory.startswith(("/", "./", "../")) or directory in (".", "..") else f"./{directory}"
    answer = check_package(make_context(console, indexes), path, xen=xen or "", all_xen=all_xen)
    shown = tuple(_shown(answer, level))
    console.warn(d for d in shown if d not in answer.errors)
    if answer.errors:
        raise PolicyError.of(answer.errors)
    console.answer(_document(answer, shown), _text(answer))
    return None


def _shown(answer: CheckAnswer, level: str) -> Iterable[Diagnostic]:
    """All findings of at least a level, each once."""
    shown = _LEVELS[: _LEVELS.index(level) + 1]
    found = dict.fromkeys((*answer.findings, *(w for abi in answer.abis for w in abi.warnings)))
    return (each for each in found if each.severity.value in shown)


def _explanation(code: str, width: int) -> tuple[dict[str, Any], str]:
    from polpkg.cli.render import wrapped
    from polpkg.policy.lint import LINTS

    lint = LINTS.get(code)
    if lint is None:
        raise UsageError("unknown-lint", f"lint has no `{code}`", hint=f"there are {', '.join(LINTS)}")
    level = lint.level.value
    told = "\n".join([f"{code} ({level})", "", *wrapped(lint.text, width, others="")])
    return {"code": code, "level": level, "text": lint.text}, told


def _document(answer: CheckAnswer, shown: Iterable[Diagnostic]) -> dict[str, Any]:
    from polpkg.cli.render import diagnostic_document

    return {
        "package": {"name": answer.manifest.name, "version": answer.manifest.version},
        "xen": [list(abi.versions) for abi in answer.abis],
        "warnings": [diagnostic_document(found) | {"level": found.severity.value} for found in shown],
    }


def _text(answer: CheckAnswer) -> str:
    spans = [a.versions[0] if len(a.versions) == 1 else f"{a.versions[0]} to {a.versions[-1]}" for a in answer.abis]
    return f"{answer.manifest.name} {answer.manifest.version} is in order for Xen {', '.join(spans)}"
