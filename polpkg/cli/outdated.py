"""`polpkg outdated`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from polpkg.cli.console import Console
from polpkg.cli.options import IndexOptions, TargetOptions

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from polpkg.errors import ResolutionError
    from polpkg.ops.outdated import PackageAge


def command(
    console: Console,
    target: TargetOptions,
    indexes: IndexOptions,
    all_: Annotated[bool, typer.Option("--all", help="Show packages that are up to date, too.")] = False,
) -> None:
    """Show which locked packages have newer versions.

    Beside the locked version stands the one that `polpkg upgrade` would choose, and the newest there is.  What is
    yanked, or gone from its index, is shown with the reason.

    For example:
      polpkg outdated --root build/demo
      polpkg outdated --all --json --root build/demo
    """
    from polpkg.cli.requirements import find_wanted, locked
    from polpkg.ops.outdated import find_ages

    wanted = find_wanted(console, target, indexes)
    ages = find_ages(wanted.context, wanted.project, locked(wanted), xen=wanted.xen)
    shown = [age for age in ages.packages if all_ or age.state != "current"]
    document = {"packages": [_values(age) for age in shown], "refusal": _refusal(ages.refusal)}
    console.answer(document, "\n".join(_lines(console, shown, ages.refusal)))


def _values(age: PackageAge) -> dict[str, Any]:
    return {
        "name": age.name,
        "index": age.index,
        "locked": age.locked,
        "allowed": age.allowed or None,
        "newest": age.newest or None,
        "yanked": age.yanked or False,
        "state": age.state,
        "held_by": list(age.held_by),
    }


def _refusal(refusal: ResolutionError | None) -> dict[str, Any] | None:
    if refusal is None:
        return None
    return {"code": refusal.code, "message": refusal.message, "derivation": list(refusal.derivation)}


def _lines(console: Console, ages: Sequence[PackageAge], refusal: ResolutionError | None) -> Iterator[str]:
    from polpkg.cli.render import derivation_lines, visible

    if ages:
        rows = [(a.name, a.locked, a.allowed or "-", a.newest or "-", a.index, _remark(a)) for a in ages]
        yield console.table(("package", "locked", "allowed", "newest", "index", ""), rows)
    else:
        yield "all packages are up to date"
    if refusal is not None:
        yield f"nothing is allowed any more: {visible(refusal.message)}"
        yield from derivation_lines(refusal, console.width, whole=console.verbose)


def _remark(age: PackageAge) -> str:
    match age.state:
        case "yanked":
            return f"yanked: {age.yanked}"
        case "gone":
            return f"{age.index} has {age.locked} no more" if age.newest else "no index at hand has it"
        case "held" if age.held_by:
            return f"held by {', '.join(age.held_by)}"
        case _:
            return ""
