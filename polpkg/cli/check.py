"""`polpkg check`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from polpkg.cli.console import Console
from polpkg.cli.options import IndexOptions, Xen
from polpkg.errors import ExitCode

if TYPE_CHECKING:
    from polpkg.ops.link import CheckAnswer


def command(
    console: Console,
    indexes: IndexOptions,
    directory: Annotated[
        str, typer.Argument(metavar="[DIR]", help="The package; default the working directory.")
    ] = ".",
    xen: Xen = None,
    all_xen: Annotated[bool, typer.Option("--all-xen", help="For every ABI that the package says it is for.")] = False,  # noqa: FBT002
) -> ExitCode | None:
    """See whether a package parses, links and keeps its assertions.

    It is linked as it would be on a target, for the newest release of Xen that it is for, or for the one given.

    For example:
      polpkg check packages/vmv --xen 4.17
      polpkg check packages/vmv --all-xen
    """
    from polpkg.cli.session import make_context
    from polpkg.errors import PolicyError
    from polpkg.ops.link import check_package

    path = directory if directory.startswith(("/", "./", "../")) or directory in (".", "..") else f"./{directory}"
    answer = check_package(make_context(console, indexes), path, xen=xen or "", all_xen=all_xen)
    console.warn([*answer.findings, *dict.fromkeys(w for abi in answer.abis for w in abi.warnings)])
    if answer.errors:
        raise PolicyError.of(answer.errors)
    console.answer(_document(answer), _text(answer))
    return None


def _document(answer: CheckAnswer) -> dict[str, Any]:
    from polpkg.cli.render import diagnostic_document

    warnings = [*answer.findings, *dict.fromkeys(w for abi in answer.abis for w in abi.warnings)]
    return {
        "package": {"name": answer.manifest.name, "version": answer.manifest.version},
        "xen": [list(abi.versions) for abi in answer.abis],
        "warnings": [diagnostic_document(w) for w in warnings],
    }


def _text(answer: CheckAnswer) -> str:
    spans = [a.versions[0] if len(a.versions) == 1 else f"{a.versions[0]} to {a.versions[-1]}" for a in answer.abis]
    return f"{answer.manifest.name} {answer.manifest.version} is in order for Xen {', '.join(spans)}"
