"""`polpkg list`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from polpkg.cli.console import Console
from polpkg.cli.options import PlaceOptions

if TYPE_CHECKING:
    from polpkg.ops.listing import ListedPackage


def command(console: Console, place: PlaceOptions) -> None:
    """List the packages of a target.

    For example:
      polpkg list --root build/demo
    """
    from polpkg.cli.session import make_context, open_target
    from polpkg.ops.listing import list_packages

    target = open_target(make_context(console), place.target)
    generation, packages = list_packages(target)
    document = {"generation": generation or None, "packages": [_values(each) for each in packages]}
    rows = [(each.package.name, each.package.version, each.package.index, _reason(each)) for each in packages]
    table = console.table(("package", "version", "index", "why"), rows) if rows else "nothing is installed"
    console.answer(document, table)


def _values(listed: ListedPackage) -> dict[str, Any]:
    package = listed.package
    return {
        "name": package.name,
        "version": package.version,
        "index": package.index,
        "sha256": package.sha256,
        "requested": listed.is_asked,
        "base": listed.is_base,
        "required_by": list(listed.required_by),
        "options": list(package.options),
        "functions": list(package.functions),
    }


def _reason(listed: ListedPackage) -> str:
    reasons = ["asked for"] if listed.is_asked else ["on every target"] if listed.is_base else []
    if listed.required_by:
        reasons.append(f"required by {', '.join(listed.required_by)}")
    return "; ".join(reasons)
