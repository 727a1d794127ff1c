"""`polpkg lock`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from polpkg.cli.console import Console
from polpkg.cli.options import IndexOptions, InstanceOptions, Option, Project, TargetOptions, Xen
from polpkg.cli.render import override_lines
from polpkg.cli.requirements import known_project
from polpkg.cli.session import make_context, parse_requirements
from polpkg.errors import ExitCode, UsageError
from polpkg.ops.lock import check_lock, lock_project, lock_requirements
from polpkg.packages.lock import LOCK_FILE
from polpkg.packages.project import PROJECT_FILE

if TYPE_CHECKING:
    from polpkg.ops.lock import LockAnswer
    from polpkg.packages.lock import LockedPackage, Lockfile


def command(
    console: Console,
    indexes: IndexOptions,
    requirements: Annotated[
        list[str] | None, typer.Argument(metavar="[REQ...]", help="Resolve these instead of policy.toml.")
    ] = None,
    option: Option = None,
    xen: Xen = None,
    project: Project = None,
    output: Annotated[Path | None, typer.Option("-o", "--output", metavar="FILE", help="The lock to write.")] = None,
    check: Annotated[bool, typer.Option("--check", help="Write nothing; exit 10 if policy.lock is stale.")] = False,
    minimal: Annotated[bool, typer.Option("--minimal-versions", help="Choose the lowest that fit.")] = False,
) -> ExitCode | None:
    """Resolve requirements and write policy.lock.

    Without REQ those of policy.toml, in the working directory or in --project; policy.lock is written beside it, and
    versions that are locked stay where they fit.  With REQ nothing is added to them, and nothing is written without -o.

    A lock is made from what indexes say, without the packages: its functions are those that packages claim for every
    client.  Who owns what once instances name their clients is told by `install` and `functions`.

    For example:
      polpkg lock vmv netdom
      polpkg lock vmv -o policy.lock
      polpkg lock vmv --minimal-versions
      polpkg lock --check --project build/demo/etc/polpkg
    """
    if check:
        _refuse_beside_check(requirements, option, xen, output, minimal)
        return _check(console, indexes, project or Path())
    if not requirements and option:
        raise UsageError("usage", "--option needs REQ: options of a project are in its policy.toml")
    context = make_context(console, indexes)
    if requirements:
        answer = lock_requirements(
            context,
            parse_requirements(requirements),
            project=known_project(context, TargetOptions(project=project)),
            options=InstanceOptions(option=option).options,
            xen=xen or "",
            output=output,
            minimal=minimal,
        )
    else:
        answer = lock_project(context, project or Path(), xen=xen or "", output=output, minimal=minimal)
    console.answer(_document(answer.lock, answer.path), _text(console, answer))
    return ExitCode.OK


def _refuse_beside_check(*given: object) -> None:
    if any(given):
        raise UsageError("usage", "--check looks at policy.toml and policy.lock as they are: give it --project alone")


def _check(console: Console, indexes: IndexOptions, folder: Path) -> ExitCode:
    lock = check_lock(make_context(console, indexes), folder)
    path = folder / LOCK_FILE
    console.answer(_document(lock, path), f"{path} answers {folder / PROJECT_FILE}")
    return ExitCode.OK


def _document(lock: Lockfile, path: Path | None) -> dict[str, Any]:
    return {
        "packages": [_package_values(package) for package in lock.packages],
        "functions": dict(lock.functions),
        "overrides": dict(lock.overrides),
        "path": str(path) if path else None,
    }


def _package_values(package: LockedPackage) -> dict[str, Any]:
    return {
        "name": package.name,
        "version": package.version,
        "index": package.index,
        "sha256": package.sha256,
        "requires": [str(requirement) for requirement in package.requires],
        "options": list(package.options),
    }


def _text(console: Console, answer: LockAnswer) -> str:
    rows = [(package.name, package.version, package.index, package.sha256[:12]) for package in answer.lock.packages]
    table = console.table(("package", "version", "index", "sha256"), rows) if rows else "no packages"
    table = "\n".join([table, *override_lines(answer.lock.overrides)])
    if answer.path is None:
        return table
    return f"{table}\n{answer.path} {'was written' if answer.changed else 'is up to date'}"
