"""`polpkg cache`: what is kept on this machine, whether it is intact, and what of it can go."""

from __future__ import annotations

from typing import TYPE_CHECKING

from polpkg.packages.lock import read_lock
from polpkg.packages.store import cache_directory

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from polpkg.packages.housekeeping import CacheSection, Damaged, Pruned
    from polpkg.packages.lock import Lockfile
    from polpkg.targets.target import Target


def describe_cache() -> tuple[Path, tuple[CacheSection, ...]]:
    """Where the cache is, and what is in it."""
    from polpkg.packages.housekeeping import cache_info

    folder = cache_directory()
    return folder, cache_info(folder)


def prune(locks: Iterable[Lockfile], *, unused_for: float, now: float, dry_run: bool = False) -> Pruned:
    """Removes what was not used for `unused_for` seconds before `now`, but no archive that one of `locks` names."""
    from polpkg.packages.housekeeping import prune_cache

    keep = frozenset(package.sha256 for lock in locks for package in lock.packages)
    return prune_cache(cache_directory(), now=now, keep=keep, unused_for=unused_for, dry_run=dry_run)


def find_damage(*, remove: bool = False) -> tuple[Damaged, ...]:
    """The entries that are not what they must be; with `remove` they are gone after, to be fetched again."""
    from polpkg.packages.housekeeping import verify_cache

    return verify_cache(cache_directory(), remove=remove)


def locks_of_target(target: Target) -> tuple[Lockfile, ...]:
    """The locks of all generations of `target`, so that going back stays possible.

    Raises TargetError, and PolicyError for a lock that does not parse.
    """
    from polpkg.targets.layout import GENERATIONS, LOCK_FILE

    paths = [f"{GENERATIONS}/{name}/{LOCK_FILE}" for name in target.list(GENERATIONS) if name.isdigit()]
    return tuple(read_lock(target.read(path).decode(), path) for path in paths if target.stat(path))
