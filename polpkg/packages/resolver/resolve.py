"""From a request and a catalog of indexes to a resolution, or to an error that explains."""

from __future__ import annotations

from typing import TYPE_CHECKING

from polpkg.errors import ResolutionError, UsageError
from polpkg.packages.resolver.provider import CatalogProvider, ReleaseSource
from polpkg.packages.resolver.request import Resolution, ResolutionRequest, ResolvedPackage
from polpkg.packages.resolver.solver.engine import solve
from polpkg.packages.resolver.solver.incompatibility import Incompatibility

if TYPE_CHECKING:
    from collections.abc import Mapping

    from polpkg.packages.index.release import Release

    _Answer = Mapping[str, int] | Incompatibility

_NAMED = 12


def resolve(request: ResolutionRequest, source: ReleaseSource) -> Resolution:
    """One version of every package that `request` needs, the highest where there is a choice.

    `source` is a `Catalog`, or anything that lists releases.  Raises `ResolutionError` (`unknown-package`,
    `no-solution`) with the proof, `UsageError` for an option of a package that is not needed, and what the indexes
    raise.
    """
    provider, answer = _solve(request, source)
    if isinstance(answer, Incompatibility):
        raise _failure(request, provider, source, answer)
    _check_options(request, answer)
    packages = (
        _resolved(provider.versions(name).releases[number], request.options.get(name, ()))
        for name, number in answer.items()
    )
    return Resolution(tuple(sorted(request.requirements)), tuple(packages))


def _solve(request: ResolutionRequest, source: ReleaseSource) -> tuple[CatalogProvider, _Answer]:
    """Solve it; again, where pre-releases were asked for late, or only by versions that were not chosen in the end."""
    prereleases: frozenset[str] = frozenset()
    withheld: frozenset[str] = frozenset()
    found: tuple[CatalogProvider, _Answer] | None = None
    while True:
        provider = CatalogProvider(request, source, prereleases, withheld)
        answer = solve(provider, provider.requested())
        if not isinstance(answer, Incompatibility):
            found = provider, answer
            unasked = provider.unasked(answer)
            if not unasked:
                return found
            withheld |= unasked
        elif provider.asked_late <= prereleases:
            return found or (provider, answer)
        else:
            prereleases |= provider.asked_late


def _resolved(release: Release, options: tuple[str, ...]) -> ResolvedPackage:
    on = tuple(sorted(set(options)))
    return ResolvedPackage(release, on, release.requires_with(on))


def _check_options(request: ResolutionRequest, answer: Mapping[str, int]) -> None:
    for package, options in sorted(request.options.items()):
        if options and package not in answer:
            raise UsageError(
                "option-of-absent-package",
                f"the option {options[0]} is on for `{package}`, which is not among the packages needed",
                hint=f"install `{package}` as well, or take it out of [options] in policy.toml",
            )


def _failure(
    request: ResolutionRequest, provider: CatalogProvider, source: ReleaseSource, proof: Incompatibility
) -> ResolutionError:
    from polpkg.packages.resolver.hints import hint_for, hint_for_unknown
    from polpkg.packages.resolver.solver.core import core_of
    from polpkg.packages.resolver.solver.report import report

    core = core_of(proof)
    lines = report(core, provider.describe)
    asked = sorted({requirement.name for requirement in request.requirements})
    unknown = next((name for name in asked if not provider.versions(name).releases), None)
    if unknown is not None:
        code, message = "unknown-package", f"no index has a package named `{unknown}`"
        hint = hint_for_unknown(unknown, source)
    else:
        code, message = "no-solution", f"no set of versions fits {_wanted(request)}"
        hint = hint_for(core, source)
    return ResolutionError(code, message, hint=hint, derivation=lines.short, derivation_full=lines.whole)


def _wanted(request: ResolutionRequest) -> str:
    texts = [str(requirement) for requirement in sorted(request.requirements)]
    if len(texts) > _NAMED:
        return f"{', '.join(texts[:_NAMED])} and {len(texts) - _NAMED} more"
    return ", ".join(texts)
