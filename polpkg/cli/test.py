"""`polpkg test`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from polpkg.cli.console import Console
from polpkg.cli.options import IndexOptions, Xen
from polpkg.errors import ExitCode

if TYPE_CHECKING:
    from collections.abc import Iterator

    from polpkg.ops.test import Failure, TestAnswer


def command(
    console: Console,
    indexes: IndexOptions,
    directory: Annotated[
        str, typer.Argument(metavar="[DIR]", help="The package or its archive; default the working directory.")
    ] = ".",
    xen: Xen = None,
    coverage: Annotated[
        bool, typer.Option("--coverage", help="List the lines that grant nothing of what an `allow` expects.")
    ] = False,
) -> ExitCode | None:
    """Run the policy tests of a package.

    The files tests/*.toml say what the policy must allow and deny, where no information may flow, and who owns which
    function.  They are judged on the policy that the package links to, with what it requires, for every ABI of the
    releases of Xen that it is for, or for the one given.  Exit code 5 if an expectation fails.

    For example:
      polpkg test packages/vmv
      polpkg test packages/vmv --xen 4.17 --coverage
    """
    from polpkg.cli.session import make_context
    from polpkg.ops.test import run_tests

    answer = run_tests(make_context(console, indexes), directory, xen=xen or "")
    if not console.json:
        console.warn(_findings(answer))
    console.answer(_document(answer), "\n".join(_lines(answer, coverage=coverage)))
    return ExitCode.POLICY if answer.failures else ExitCode.OK


def _findings(answer: TestAnswer) -> Iterator[Any]:
    from dataclasses import replace

    everywhere = sum(map(len, answer.versions))
    for failure in answer.failures:
        where = "" if len(failure.versions) == everywhere else f" (Xen {_spans(failure.versions)})"
        yield replace(failure.finding, message=f"{failure.finding.message}{where}")


def _spans(versions: tuple[str, ...]) -> str:
    from polpkg.policy.abi import known_versions, render_versions

    return render_versions(versions) if set(versions) <= set(known_versions()) else ", ".join(versions)


def _document(answer: TestAnswer) -> dict[str, Any]:
    lines = answer.coverage.lines
    untouched = answer.coverage.untouched
    document: dict[str, Any] = {
        "package": {"name": answer.manifest.name, "version": answer.manifest.version},
        "xen": [list(versions) for versions in answer.versions],
        "files": list(answer.files),
        "expectations": answer.expectations,
        "failed": answer.failed,
        "judged": answer.judged,
        "skipped": answer.skipped,
        "lacking": [{"what": what, "times": times} for what, times in answer.lacking],
        "failures": [_failure(failure) for failure in answer.failures],
        "coverage": {
            "percent": round(answer.coverage.percent, 1),
            "lines": len(lines),
            "touched": len(lines) - len(untouched),
            "untouched": [line._asdict() for line in untouched],
            "untested_options": list(answer.coverage.untested_options),
        },
    }
    return document | (_error(answer) if answer.failures else {})


def _failure(failure: Failure) -> dict[str, Any]:
    from polpkg.cli.render import diagnostic_document

    return {"kind": failure.kind, "xen": list(failure.versions), **diagnostic_document(failure.finding)}


def _error(answer: TestAnswer) -> dict[str, Any]:
    from polpkg.cli.render import error_document
    from polpkg.errors import PolicyError

    return error_document(PolicyError.of(failure.finding for failure in answer.failures), ExitCode.POLICY)


def _lines(answer: TestAnswer, *, coverage: bool) -> Iterator[str]:
    found = answer.coverage
    if coverage:
        yield from (f"{line.file}:{line.line}: {line.rules} {_plural('rule', line.rules)}" for line in found.untouched)
        yield from (f"option {name}: turned on by no test" for name in found.untested_options)
    name = f"{answer.manifest.name} {answer.manifest.version}"
    count = f"{answer.expectations} {_plural('expectation', answer.expectations)}"
    tables = f"on {len(answer.versions)} {_plural('ABI', len(answer.versions))} of Xen"
    yield f"{name}: {answer.failed} of {count} failed {tables}" if answer.failed else f"{name}: {count} held {tables}"
    if answer.skipped:
        yield f"skipped {answer.skipped} of {answer.judged + answer.skipped}, since a hypervisor lacks what they name:"
        yield from (f"  {what} ({times})" for what, times in answer.lacking)
    covered = len(found.lines) - len(found.untouched)
    hint = "" if coverage or not found.untouched else "; --coverage lists the others"
    yield f"coverage: {covered} of {len(found.lines)} lines that grant something ({found.percent:.0f}%){hint}"


def _plural(word: str, count: int) -> str:
    return word if count == 1 else f"{word}s"
