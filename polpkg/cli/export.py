"""`polpkg export`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from polpkg.cli.console import Console
from polpkg.cli.options import IndexOptions, Option, TargetOptions

if TYPE_CHECKING:
    from collections.abc import Iterator

    from polpkg.ops.context import Context
    from polpkg.packages.index.catalog import Catalog
    from polpkg.packages.lock import Lockfile


def command(
    console: Console,
    target: TargetOptions,
    indexes: IndexOptions,
    requirements: Annotated[
        list[str] | None, typer.Argument(metavar="[REQ...]", help="What these resolve to, instead of a lock.")
    ] = None,
    option: Option = None,
    bundle: Annotated[
        Path | None, typer.Option("--bundle", metavar="DIR|FILE.tar", help="Write an index of them here.")
    ] = None,
    vendor: Annotated[Path | None, typer.Option("--vendor", metavar="DIR", help="Write their archives here.")] = None,
) -> None:
    """Write all locked packages out, for a site without network.

    That is what policy.lock names, of a target or of the project folder; or what REQ resolves to, with the base
    packages that every target has.  Either form is an index that `--index NAME=DIR` uses.

    For example:
      polpkg export vmv --bundle site.tar
      polpkg install vmv --offline --index site=site.tar --root new --xen 4.17
    """
    from polpkg.errors import UsageError
    from polpkg.ops.export import export_packages

    if bundle is None and vendor is None:
        raise UsageError("usage", "say where to: --bundle DIR|FILE.tar, or --vendor DIR")
    if option and not requirements:
        raise UsageError("usage", "--option needs REQ: options of a project are in its policy.toml")
    context, lock, catalog = _what(console, requirements, option, target, indexes)
    export_packages(context, lock, catalog, bundle=bundle, vendored=vendor)
    document = {
        "bundle": str(bundle) if bundle else None,
        "vendor": str(vendor) if vendor else None,
        "packages": [
            {"name": p.name, "version": p.version, "index": p.index, "sha256": p.sha256} for p in lock.packages
        ],
    }
    console.answer(document, "\n".join(_lines(lock, bundle, vendor)))


def _what(
    console: Console,
    texts: list[str] | None,
    option: list[str] | None,
    target: TargetOptions,
    indexes: IndexOptions,
) -> tuple[Context, Lockfile, Catalog]:
    """The lock to export, and the catalog to take its packages from."""
    from polpkg.cli.requirements import find_wanted, known_project
    from polpkg.cli.session import make_context, parse_requirements
    from polpkg.ops.export import resolve_for_export

    if texts:
        from polpkg.cli.options import InstanceOptions

        context = make_context(console, indexes)
        options = InstanceOptions(option=option).options
        known = known_project(context, target)
        return (context, *resolve_for_export(context, parse_requirements(texts), known, options, target.xen or ""))
    from polpkg.ops.resolution import use_lock

    wanted = find_wanted(console, target, indexes)
    return (wanted.context, *use_lock(wanted.context, wanted.project, wanted.lock))


def _lines(lock: Lockfile, bundle: Path | None, vendor: Path | None) -> Iterator[str]:
    from polpkg.packages.index.index import BUNDLED, PATH

    yield from (f"{package} ({package.index})" for package in lock.packages)
    names = sorted({package.index for package in lock.packages} - {BUNDLED, PATH}) or ["NAME"]
    for place in filter(None, (bundle, vendor)):
        options = " ".join(f"--index {name}={place}" for name in names)
        yield f"{place} has them: use it with {options} --offline"
