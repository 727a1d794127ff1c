"""What one can do about a failed resolution, by the facts that it rests on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from polpkg.packages.names import did_you_mean
from polpkg.packages.resolver.solver.cause import Conflicting, Contested, Missing, Requested, Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from polpkg.packages.resolver.solver.core import Core
    from polpkg.packages.resolver.solver.incompatibility import Incompatibility


def hint_for(core: Core, names: Callable[[], Iterable[str]]) -> str:
    """The first remedy that the facts of `core` suggest; empty when none does.  `names` lists the known packages."""
    asked = {fact.cause.package for fact in core.facts if isinstance(fact.cause, Requested)}
    hints = (_hint(fact, asked, names) for fact in core.facts)
    return next(filter(None, hints), "")


def _hint(fact: Incompatibility, asked: set[str], names: Callable[[], Iterable[str]]) -> str:
    match fact.cause:
        case Contested(package, other, function):
            return f"only one package can hold {function}: {_without(package, other, asked)}"
        case Conflicting(package, other):
            return _without(package, other, asked)
        case Unavailable(_, _, remedy):
            return remedy
        case Missing(_, dependency, _, _, _):
            known = tuple(names())
            return "" if dependency in known else did_you_mean(dependency, known)
        case _:
            return ""


def _without(package: str, other: str, asked: set[str]) -> str:
    if {package, other} <= asked:
        return f"remove `{min(package, other)}` or `{max(package, other)}`"
    ways = [f"remove `{name}`" if name in asked else f"do without what requires `{name}`" for name in (package, other)]
    return " or ".join(ways)
