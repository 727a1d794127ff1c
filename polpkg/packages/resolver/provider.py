"""Answers the solver's questions from a catalog of indexes and a request."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

from polpkg.packages.functions import is_exclusive
from polpkg.packages.requirement import canonical_specifier
from polpkg.packages.resolver.known_versions import KnownVersions
from polpkg.packages.resolver.solver.cause import (
    Conflicting,
    Contested,
    Missing,
    Requested,
    Required,
    Unavailable,
)
from polpkg.packages.resolver.solver.incompatibility import Incompatibility, incompatibility
from polpkg.packages.resolver.solver.term import Term
from polpkg.packages.versions import asks_for_prereleases, exact_version, is_prerelease, same_version, satisfies

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from polpkg.packages.index.release import Release
    from polpkg.packages.resolver.request import ResolutionRequest


class ReleaseSource(Protocol):
    """What a resolution needs of indexes; a `Catalog` is one."""

    def releases(self, package: str) -> tuple[Release, ...]:
        """The releases of `package` in the one index that it belongs to."""
        ...

    def prefetch(self, packages: Iterable[str]) -> None:
        """`packages` will be asked for soon; returns at once."""
        ...

    def names(self) -> tuple[str, ...]:
        """The package names that are known, for hints."""
        ...

    def elsewhere(self, package: str) -> tuple[str, ...]:
        """The names of indexes that have `package`, though it does not belong to them, for hints."""
        ...


class _Conflict(NamedTuple):
    """Versions of `package` conflict with what lies in `specifier`."""

    package: str
    versions: int
    specifier: str


class CatalogProvider:
    """A view of a catalog under one request: which versions there are, may be chosen, and bring what with them.

    `prereleases`: packages whose pre-releases may be chosen besides those that the request names.  `withheld`: packages
    whose pre-releases may not be, whatever packages ask for.  `asked_late`: packages whose pre-releases a requirement
    turned out to ask for when they had been ruled out already.
    """

    def __init__(
        self,
        request: ResolutionRequest,
        source: ReleaseSource,
        prereleases: frozenset[str] = frozenset(),
        withheld: frozenset[str] = frozenset(),
    ) -> None:
        self.asked_late: set[str] = set()
        self._withheld = withheld
        self._unlocked = set(prereleases - withheld)
        self._request = request
        self._source = source
        self._loaded: dict[str, KnownVersions] = {}
        self._claims: dict[str, dict[str, int]] = {}
        self._conflicts: dict[str, list[_Conflict]] = {}
        self._constrained: set[str] = set()

    def versions(self, package: str) -> KnownVersions:
        """The releases of `package`, which may be none."""
        if package not in self._loaded:
            known = self._loaded[package] = KnownVersions(package, self._source.releases(package))
            if known.releases:
                self._source.prefetch(known.releases[0 if self._request.minimal else -1].requires)
        return self._loaded[package]

    def describe(self, package: str, versions: int) -> str:
        """A version set of `package` in words."""
        return self.versions(package).describe(versions)

    def requested(self) -> Iterator[Incompatibility]:
        """What the request asks for."""
        self._source.prefetch(sorted({requirement.name for requirement in self._request.requirements}))
        for requirement in sorted(self._request.requirements):
            name = requirement.name
            specifier, text = ("", "") if requirement.is_path else self._in_force(name, requirement.specifier)
            fitting = self.versions(name).matching(specifier)
            because = "" if fitting else self._why_none_fits(name)
            cause = Missing("", name, text, because) if because else Requested(name, text)
            yield incompatibility((Term(name, ~fitting),), cause)

    def _in_force(self, package: str, specifier: str) -> tuple[str, str]:
        """The specifier that counts where `specifier` is asked of `package`, and how proofs put it."""
        if package not in self._request.overrides:
            return specifier, canonical_specifier(specifier)
        override = self._request.overrides[package]
        return override, f"{canonical_specifier(override)} (override)"

    def _why_none_fits(self, package: str) -> str:
        known = self.versions(package)
        if not known.releases and self._source.elsewhere(package):
            return "the index that [index-map] gives it to has no package of that name"
        if not known.releases:
            return "no index has a package of that name"
        return f"no such version exists (there is {known.listed(known.all)})"

    def choose(self, package: str, allowed: int, favourite: int = 0) -> int:
        """The preferred version where it is allowed, else `favourite`, else the highest, or the lowest if wanted."""
        choice = allowed & self._preferred(package) or allowed & favourite or allowed
        return ((choice & -choice) if self._request.minimal else choice).bit_length() - 1

    def _preferred(self, package: str) -> int:
        version = self._request.prefer.get(package)
        if version is None:
            return 0
        return self.versions(package).where(lambda release: same_version(release.version, version))

    def dependencies(self, package: str, version: int) -> Iterator[Incompatibility]:
        """The requirements of `version`, each stated for every version that has the same one."""
        return self._requirements(package, 1 << version)

    def all_dependencies(self, package: str) -> Iterator[Incompatibility]:
        """The requirements of all versions."""
        return self._requirements(package, self.versions(package).all)

    def _requirements(self, package: str, of_versions: int) -> Iterator[Incompatibility]:
        on = {"", *self._request.options.get(package, ())}
        requiring = [
            (key, versions)
            for key, versions in self.versions(package).requiring.items()
            if key[0] in on and versions & of_versions
        ]
        self._source.prefetch([name for (_, name, _), _ in requiring])
        for (option, name, specifier), versions in requiring:
            in_force, text = self._in_force(name, specifier)
            fitting = self.versions(name).matching(in_force)
            if asks_for_prereleases(in_force):
                self._allow_prereleases(name)
            terms = (Term(package, versions), Term(name, ~fitting))
            if fitting:
                yield incompatibility(terms, Required(package, name, text, option))
            else:
                yield incompatibility(terms, Missing(package, name, text, self._why_none_fits(name), option))

    def _allow_prereleases(self, package: str) -> None:
        if package not in self._withheld:
            if package in self._constrained and not self._wants_prereleases(package):
                self.asked_late.add(package)
            self._unlocked.add(package)

    def unasked(self, answer: Mapping[str, int]) -> frozenset[str]:
        """Packages of which `answer` has a pre-release that only versions which are not in it ask for."""
        suspects = {
            package for package in self._unlocked & answer.keys() if self._needs_asking(package, answer[package])
        }
        if suspects:
            suspects -= {name for package, version in answer.items() for name in self._asked_by(package, version)}
        return frozenset(suspects)

    def _needs_asking(self, package: str, version: int) -> bool:
        known = self.versions(package)
        if (self._preferred(package) | self._pinned(package)) >> version & 1 or self._is_asked_for(package):
            return False
        is_usual = all(is_prerelease(release.version) for release in known.releases)
        return is_prerelease(known.releases[version].version) and not is_usual

    def _asked_by(self, package: str, version: int) -> Iterator[str]:
        """The packages whose pre-releases a version of `package` asks for."""
        on = {"", *self._request.options.get(package, ())}
        for (option, name, specifier), versions in self.versions(package).requiring.items():
            if option in on and versions >> version & 1 and asks_for_prereleases(self._in_force(name, specifier)[0]):
                yield name

    def constraints(self, package: str) -> Iterator[Incompatibility]:
        """Versions that must not be chosen, and what the package excludes among those asked about before."""
        self._constrained.add(package)
        for because, versions, remedy in self._unavailable(package):
            if versions:
                yield incompatibility((Term(package, versions),), Unavailable(package, because, remedy))
        yield from self._contests(package)
        yield from self._collisions(package)

    def _unavailable(self, package: str) -> Iterator[tuple[str, int, str]]:
        """Versions that must not be chosen: why, which, and what to do about it."""
        known = self.versions(package)
        wanted = self._preferred(package) | self._pinned(package)
        for reason, versions in known.grouped(lambda r: [r.yanked] if r.yanked else []).items():
            remedy = (
                f"a yanked version is taken only when it is named exactly, as in `{package}=={known.last(versions)}`"
            )
            yield f"is yanked ({reason})", versions & ~wanted, remedy
        if not self._wants_prereleases(package):
            prereleases = known.where(lambda release: is_prerelease(release.version))
            remedy = f"to allow pre-releases, name one, as in `{package}>={known.last(prereleases)}`"
            if prereleases != known.all:
                yield "is a pre-release, which nobody asked for", prereleases & ~wanted, remedy
        options = self._request.options.get(package, ())
        for option, versions in known.grouped(lambda r: [o for o in options if o not in r.options]).items():
            yield f"has no option {option}", versions, f"turn the option {option} of `{package}` off"
        xen = self._request.xen
        for specifier, versions in known.grouped(lambda r: [r.xen] if not _is_meant_for(r, xen) else []).items():
            remedy = f"`{package}` needs a hypervisor of Xen {specifier}"
            yield f"is meant for Xen {specifier}, and this is Xen {xen}", versions, remedy

    def _specifiers(self, package: str) -> list[str]:
        if package in self._request.overrides:
            return [self._request.overrides[package]]
        return [r.specifier for r in self._request.requirements if r.name == package]

    def _pinned(self, package: str) -> int:
        """The versions that a requirement of the request names exactly."""
        exact = [version for specifier in self._specifiers(package) if (version := exact_version(specifier))]
        return self.versions(package).where(lambda r: any(same_version(r.version, version) for version in exact))

    def _wants_prereleases(self, package: str) -> bool:
        return package in self._unlocked or self._is_asked_for(package)

    def _is_asked_for(self, package: str) -> bool:
        """Whether the request asks for pre-releases of the package."""
        by_path = any(r.is_path for r in self._request.requirements if r.name == package)
        asked = any(asks_for_prereleases(specifier) for specifier in self._specifiers(package))
        return by_path or asked or package in self._request.prereleases

    def _contests(self, package: str) -> Iterator[Incompatibility]:
        """Two packages cannot both hold an exclusive function for every client."""
        for function, versions in self.versions(package).grouped(_exclusive_claims).items():
            rivals = self._claims.setdefault(function, {})
            for rival, rival_versions in rivals.items():
                terms = (Term(package, versions), Term(rival, rival_versions))
                yield incompatibility(terms, Contested(min(package, rival), max(package, rival), function))
            rivals[package] = versions

    def _collisions(self, package: str) -> Iterator[Incompatibility]:
        """Conflicts that versions of the package declare, and those that others declare with it."""
        for (other, specifier), versions in self.versions(package).grouped(lambda r: r.conflicts.items()).items():
            self._conflicts.setdefault(other, []).append(_Conflict(package, versions, specifier))
            if other in self._constrained:
                yield from self._collision(self._conflicts[other][-1], other)
        for conflict in self._conflicts.get(package, ()):
            yield from self._collision(conflict, package)

    def _collision(self, conflict: _Conflict, other: str) -> Iterator[Incompatibility]:
        excluded = self.versions(other).matching(conflict.specifier)
        if excluded and other != conflict.package:
            terms = (Term(conflict.package, conflict.versions), Term(other, excluded))
            yield incompatibility(terms, Conflicting(conflict.package, other))


def _is_meant_for(release: Release, xen: str) -> bool:
    return not xen or satisfies(xen, release.xen)


def _exclusive_claims(release: Release) -> list[str]:
    return [function for function in release.functions if release.clients == "*" and is_exclusive(function)]
