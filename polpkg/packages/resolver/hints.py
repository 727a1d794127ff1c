"""What one can do about a failed resolution, by the facts that it rests on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from polpkg.packages.names import did_you_mean
from polpkg.packages.resolver.solver.cause import Conflicting, Contested, Missing, Requested, Unavailable

if TYPE_CHECKING:
    from collections.abc import Iterable

    from polpkg.packages.resolver.provider import ReleaseSource
    from polpkg.packages.resolver.solver.core import Core
    from polpkg.packages.resolver.solver.incompatibility import Incompatibility


def hint_for(core: Core, source: ReleaseSource) -> str:
    """The first remedy that the facts of `core` suggest; empty when none does.  `source` knows what packages exist."""
    asked = {fact.cause.package for fact in core.facts if isinstance(fact.cause, Requested)}
    hints = (_hint(fact, asked, source) for fact in core.facts)
    return next(filter(None, hints), "")


def hint_for_unknown(package: str, source: ReleaseSource) -> str:
    """What one can do about a package that the index it belongs to does not have; empty when nothing comes to mind."""
    others = source.elsewhere(package)
    if others:
        listed = " and ".join(f"`{name}`" for name in others)
        return f'{listed} has it, but [index-map] gives `{package}` to another index: {package} = "{others[0]}"'
    known: Iterable[str] = source.names()
    return "" if package in known else did_you_mean(package, known)


def _hint(fact: Incompatibility, asked: set[str], source: ReleaseSource) -> str:
    match fact.cause:
        case Contested(package, other, function):
            return f"only one package can hold {function}: {_without(package, other, asked)}"
        case Conflicting(package, other):
            return _without(package, other, asked)
        case Unavailable(_, _, remedy):
            return remedy
        case Missing(_, dependency, _, _, _):
            return hint_for_unknown(dependency, source)
        case _:
            return ""


def _without(package: str, other: str, asked: set[str]) -> str:
    if {package, other} <= asked:
        return f"remove `{min(package, other)}` or `{max(package, other)}`"
    ways = [f"remove `{name}`" if name in asked else f"do without what requires `{name}`" for name in (package, other)]
    return " or ".join(ways)
