"""Whether an archive is what an index and a lock say of it: versions were chosen by their words alone.

An index that keeps silent about the releases of Xen, which are a hint, or about the clients of functions, a key that
DESIGN.md 4 does not have, contradicts nothing: the exact ABI and the claims are compared when a policy is linked.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from polpkg.diagnostics import Diagnostic
from polpkg.errors import TrustError
from polpkg.packages.index.release import release_of, specifier_texts
from polpkg.packages.requirement import canonical_specifier
from polpkg.packages.versions import same_version

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from polpkg.packages.index.release import Release
    from polpkg.packages.lock import LockedPackage
    from polpkg.packages.manifest import Manifest

_HINT = "do not use it before whoever runs the index has said which of the two is right"


def check_against_release(manifest: Manifest, release: Release) -> None:
    """Raises `TrustError` (`wrong-archive`) with every way in which the index entry `release` differs from the manifest
    of its archive.
    """
    inside = release_of(manifest, release.index)
    said = _values(release)
    found = _values(inside) | {key: "" for key in ("xen", "clients") if not said[key]}
    _refuse(f"the index {release.index}", release, inside, found, said)


def check_against_lock(manifest: Manifest, locked: LockedPackage) -> None:
    """Raises `TrustError` (`wrong-archive`) with every way in which a lock differs from the manifest of the archive."""
    inside = release_of(manifest, locked.index)
    found = {
        "requires": ", ".join(map(str, inside.requirements_with(locked.options))),
        "functions": ", ".join(sorted(inside.functions)),
        "clients": inside.clients if locked.clients else "",
        "options": ", ".join(option for option in locked.options if option in inside.options),
    }
    said = {
        "requires": ", ".join(map(str, sorted(locked.requires))),
        "functions": ", ".join(sorted(locked.functions)),
        "clients": locked.clients,
        "options": ", ".join(locked.options),
    }
    _refuse("the lock", locked, inside, found, said)


def _values(release: Release) -> dict[str, str]:
    """What a release says, by key of its entry, in words that are equal when the meaning is."""
    options = (f"{name} ({specifier_texts(requires)})" for name, requires in sorted(release.options.items()))
    return {
        "requires": specifier_texts(release.requires),
        "functions": ", ".join(sorted(release.functions)),
        "clients": release.clients,
        "conflicts": specifier_texts(release.conflicts),
        "options": ", ".join(options).replace(" ()", ""),
        "xen": canonical_specifier(release.xen),
    }


def _refuse(
    who: str, package: Release | LockedPackage, inside: Release, found: Mapping[str, str], said: Mapping[str, str]
) -> None:
    if package.name != inside.name or not same_version(package.version, inside.version):
        raise TrustError("wrong-archive", f"what {who} calls {package} is an archive of {inside}", hint=_HINT)
    problems = tuple(_differences(who, package, found, said))
    if problems:
        raise TrustError.of(problems)


def _differences(
    who: str, package: Release | LockedPackage, found: Mapping[str, str], said: Mapping[str, str]
) -> Iterator[Diagnostic]:
    for key, text in said.items():
        if text != found[key]:
            message = f"`{key}` of {package}: {text or 'nothing'} by {who}, {found[key] or 'nothing'} in its archive"
            yield Diagnostic("wrong-archive", message, hint=_HINT)
