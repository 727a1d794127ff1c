"""`polpkg info`: all about a package, from the index that has it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from polpkg.errors import PolpkgError, ResolutionError
from polpkg.ops.releases import best_release, newest_first
from polpkg.packages.lock import locked_release
from polpkg.packages.names import did_you_mean
from polpkg.packages.project import Project
from polpkg.packages.versions import satisfies

if TYPE_CHECKING:
    from collections.abc import Sequence

    from polpkg.ops.context import Context
    from polpkg.packages.index.release import Release
    from polpkg.packages.manifest import Manifest
    from polpkg.packages.requirement import Requirement
    from polpkg.packages.source import PackageFiles


@dataclass(frozen=True, slots=True)
class PackageInfo:
    """A release with its manifest, the other releases of the package, and how its README begins."""

    release: Release
    manifest: Manifest
    releases: tuple[Release, ...]
    readme: str


def describe_package(context: Context, requirement: Requirement, project: Project | None = None) -> PackageInfo:
    """The newest release that `requirement` lets through, from the indexes of the command line and of `project`.

    Releases that are yanked or pre-releases come last.  Raises ResolutionError `unknown-package` and `no-such-release`,
    and what the indexes raise.
    """
    named = context.named(requirement)
    catalog = context.catalog(project or Project(), (named,))
    releases = newest_first(catalog.releases(named.name))
    if not releases:
        hint = did_you_mean(named.name, catalog.names())
        raise ResolutionError("unknown-package", f"no index has a package named `{named.name}`", hint=hint)
    release = catalog.sealed(_choose(named, releases))
    package = context.fetch(locked_release(release), catalog)
    return PackageInfo(release, package.manifest, releases, first_paragraph(_readme(package)))


def _choose(requirement: Requirement, releases: Sequence[Release]) -> Release:
    fitting = [release for release in releases if satisfies(release.version, requirement.specifier)]
    if not fitting:
        hint = f"there is {', '.join(release.version for release in releases)}"
        raise ResolutionError("no-such-release", f"no release of `{requirement.name}` fits {requirement}", hint=hint)
    return best_release(fitting)


def _readme(package: PackageFiles) -> str:
    name = next((path for path in sorted(package.files) if path.startswith("README")), "")
    if not name:
        return ""
    try:
        return package.text(name)
    except PolpkgError:  # a README in another encoding is no reason not to tell the rest
        return ""


def first_paragraph(text: str) -> str:
    r"""The first paragraph of a Markdown text that is no heading, on one line.

    >>> first_paragraph("# vmv\n\nCreates its\nown guests.\n\nMore.")
    'Creates its own guests.'
    """
    lines: list[str] = []
    for line in map(str.strip, text.splitlines()):
        if line and not line.startswith("#"):
            lines.append(line)
        elif lines:
            break
    return " ".join(lines)
