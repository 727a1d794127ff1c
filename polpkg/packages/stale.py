"""Whether a lock still answers policy.toml, and if not, why and where."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from polpkg.packages.index.index import PATH
from polpkg.packages.requirement import Requirement

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from polpkg.packages.lock import LockedPackage, Lockfile


class StaleReason(NamedTuple):
    """One reason, as a sentence.

    It is about `package`, in the table `table` of policy.toml (a field of `Project`), or in the lock when it is empty.
    """

    text: str
    package: str
    table: str = ""

    def __str__(self) -> str:
        return self.text


def why_stale(
    lock: Lockfile,
    requirements: Iterable[Requirement],
    options: Mapping[str, tuple[str, ...]],
    overrides: Mapping[str, str] | None = None,
    index_map: Mapping[str, str] | None = None,
) -> tuple[StaleReason, ...]:
    """Why `lock` is not an answer to what is asked for; nothing when it is one."""
    roots = sorted(set(requirements))
    return (
        *(StaleReason(text, name, "packages") for name, text in _unmet(lock, roots, "policy.toml")),
        *_unmet_between(lock),
        *_other_options(lock, options),
        *_options_of_absent(lock, options),
        *_other_overrides(lock, overrides or {}),
        *_other_indexes(lock, index_map or {}),
        *(StaleReason(f"nothing requires {package}", package.name) for package in _unneeded(lock, roots)),
    )


def _unmet(lock: Lockfile, requirements: Iterable[Requirement], by: str) -> Iterator[tuple[str, str]]:
    """The name and the reason for each requirement that the lock does not meet, with its own overrides in force."""
    for asked in requirements:
        name = asked.name
        overridden = name in lock.overrides and not asked.is_path
        requirement = Requirement(name, lock.overrides[name]) if overridden else asked
        package = lock.get(name)
        if package is None:
            yield name, f"{by} requires {name}, which is not locked"
        elif not requirement.accepts(package.version):
            says = "[overrides] says" if overridden else f"{by} requires"
            yield name, f"{says} {requirement}, and {package.version} is locked"
        elif requirement.is_path and package.index != PATH:
            yield name, f"{by} requires {requirement}, and a package of the index {package.index} is locked"


def _unmet_between(lock: Lockfile) -> Iterator[StaleReason]:
    for package in lock.packages:
        for _, text in _unmet(lock, package.requires, str(package)):
            yield StaleReason(text, package.name)


def _other_options(lock: Lockfile, options: Mapping[str, tuple[str, ...]]) -> Iterator[StaleReason]:
    for package in lock.packages:
        wanted = tuple(sorted(set(options.get(package.name, ()))))
        if wanted != package.options:
            texts = (", ".join(these) or "none" for these in (wanted, package.options))
            text = "options of {}: {} wanted, {} locked".format(package.name, *texts)
            yield StaleReason(text, package.name, "options" if wanted else "")


def _options_of_absent(lock: Lockfile, options: Mapping[str, tuple[str, ...]]) -> Iterator[StaleReason]:
    for name, on in options.items():
        if on and lock.get(name) is None:
            wanted = ", ".join(sorted(on))
            yield StaleReason(f"options of {name}: {wanted} wanted, and {name} is not locked", name, "options")


def _other_overrides(lock: Lockfile, overrides: Mapping[str, str]) -> Iterator[StaleReason]:
    for package in lock.packages:
        wanted, locked = overrides.get(package.name), lock.overrides.get(package.name)
        if wanted != locked:
            text = f"override of {package.name}: {wanted or 'none'} wanted, {locked or 'none'} locked"
            yield StaleReason(text, package.name, "overrides" if wanted else "")


def _other_indexes(lock: Lockfile, index_map: Mapping[str, str]) -> Iterator[StaleReason]:
    for package in lock.packages:
        mapped = index_map.get(package.name, package.index)
        if package.index not in (mapped, PATH):
            text = f"{package.name} belongs to the index {mapped}, and is locked from {package.index}"
            yield StaleReason(text, package.name, "index_map")


def _unneeded(lock: Lockfile, roots: Iterable[Requirement]) -> Iterator[LockedPackage]:
    reached: set[str] = set()
    pending = [requirement.name for requirement in roots]
    while pending:
        name = pending.pop()
        package = lock.get(name)
        if name not in reached and package is not None:
            reached.add(name)
            pending += (requirement.name for requirement in package.requires)
    return (package for package in lock.packages if package.name not in reached)
