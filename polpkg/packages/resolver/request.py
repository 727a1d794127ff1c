"""What a resolution is asked for, and what it answers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from polpkg.packages.order import requirement_order

if TYPE_CHECKING:
    from collections.abc import Mapping

    from polpkg.packages.index.release import Release
    from polpkg.packages.requirement import Requirement


@dataclass(frozen=True, slots=True)
class ResolutionRequest:
    """What to resolve; the order of nothing in it matters.

    `options`: package to the options that are on.  `xen`: the hypervisor release, empty when it is not known.
    `prefer`: versions to keep where they fit, as a lock has them; these may be yanked or pre-releases.  `prereleases`:
    packages whose pre-releases may be chosen besides those that a requirement, here or of a version that is chosen,
    asks for by naming one, and those of packages that have nothing else.
    `overrides`: package to the specifier that counts instead of all that is asked of it, here and by packages.
    `minimal`: choose the lowest versions that fit instead of the highest.
    """

    requirements: tuple[Requirement, ...]
    options: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, "tuple[str, ...]"])
    xen: str = ""
    prefer: Mapping[str, str] = field(default_factory=dict[str, str])
    prereleases: frozenset[str] = frozenset()
    overrides: Mapping[str, str] = field(default_factory=dict[str, str])
    minimal: bool = False


@dataclass(frozen=True, slots=True)
class ResolvedPackage:
    """One chosen release with the options that are on, and what it requires with them: name to specifiers."""

    release: Release
    options: tuple[str, ...]
    requires: Mapping[str, tuple[str, ...]]

    @property
    def name(self) -> str:
        """The name of the package."""
        return self.release.name

    @property
    def version(self) -> str:
        """The chosen version."""
        return self.release.version


@dataclass(frozen=True, slots=True)
class Resolution:
    """One version of every package needed, by name, and what was asked for."""

    requirements: tuple[Requirement, ...]
    packages: tuple[ResolvedPackage, ...]

    def __getitem__(self, name: str) -> ResolvedPackage:
        return next(package for package in self.packages if package.name == name)

    def in_order(self) -> tuple[ResolvedPackage, ...]:
        """The packages, each after those that it requires, ties by name.

        Raises `PolicyError` (`requirement-cycle`) when packages require each other.
        """
        packages = {package.name: package for package in self.packages}
        return tuple(packages[name] for name in requirement_order({p.name: p.requires for p in self.packages}))
