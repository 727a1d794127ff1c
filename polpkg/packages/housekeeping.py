"""What the cache holds, what of it is damaged, and what can go.

Everything in the cache can be had again, so removing too much costs time and nothing else; archives that a lock names
are kept all the same, since the place they came from may be out of reach when they are needed.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

from polpkg.errors import PolpkgError
from polpkg.packages.source import sha256_of
from polpkg.packages.store import STORE_VERSION, TEMPORARY_SUFFIX, read_derived
from polpkg.packages.transport.cache import CACHE_VERSION, read_cached

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator
    from pathlib import Path

_ABANDONED_SECONDS = 3600.0


class CacheSection(NamedTuple):
    """One kind of thing in the cache: `name` is `archives`, `partial`, `indexes` or `derived`.

    `oldest` and `newest` are when its entries were last used or written, as Unix times; 0 when there are none.
    """

    name: str
    folder: Path
    entries: int
    size: int
    oldest: float
    newest: float


class Pruned(NamedTuple):
    """What was removed: how many files, and how many bytes they had."""

    files: int
    size: int


class Damaged(NamedTuple):
    """An entry whose bytes are not what they must be; `section` as in `CacheSection`."""

    section: str
    path: Path


class _Entry(NamedTuple):
    path: Path
    size: int
    used: float


def cache_info(cache: Path) -> tuple[CacheSection, ...]:
    """What is kept in `cache`, by kind."""
    return tuple(_section(name, folder) for name, folder in _folders(cache).items())


def _section(name: str, folder: Path) -> CacheSection:
    entries = list(_entries(folder))
    times = [entry.used for entry in entries] or [0.0]
    return CacheSection(name, folder, len(entries), sum(entry.size for entry in entries), min(times), max(times))


def prune_cache(
    cache: Path, *, now: float, keep: Collection[str] = (), unused_for: float = 0.0, dry_run: bool = False
) -> Pruned:
    """Remove what was neither used nor written for `unused_for` seconds before `now`.

    Archives whose digests are in `keep`, those of the locks that the caller knows, stay.  What another process is
    writing stays too, unless it has been at it for an hour: then it was killed.  `dry_run` only counts.
    """
    files, size = 0, 0
    for name, folder in _folders(cache).items():
        for entry in _entries(folder):
            being_written = name == "partial" or entry.path.name.endswith(TEMPORARY_SUFFIX)
            age = max(unused_for, _ABANDONED_SECONDS) if being_written else unused_for
            if now - entry.used < age or (name == "archives" and entry.path.name in keep):
                continue
            files, size = files + 1, size + entry.size
            if not dry_run:
                _remove(entry.path)
    return Pruned(files, size)


def verify_cache(cache: Path, *, remove: bool = False) -> tuple[Damaged, ...]:
    """Read every entry and name those that are damaged; with `remove` they are gone after, to be fetched again."""
    damaged: list[Damaged] = []
    for name, folder in _folders(cache).items():
        if name not in _INTACT:
            continue
        for entry in _entries(folder):
            if entry.path.name.endswith(TEMPORARY_SUFFIX) or _INTACT[name](entry.path):
                continue
            damaged.append(Damaged(name, entry.path))
            if remove:
                _remove(entry.path)
    return tuple(damaged)


def _folders(cache: Path) -> dict[str, Path]:
    return {
        "archives": cache / "store" / STORE_VERSION / "sha256",
        "partial": cache / "store" / STORE_VERSION / "partial",
        "indexes": cache / "index" / CACHE_VERSION,
        "derived": cache / "derived",
    }


def _entries(folder: Path) -> Iterator[_Entry]:
    """All files below `folder`, in the order of their paths; those that vanish meanwhile are left out."""
    for parent, folders, names in os.walk(folder):
        folders.sort()
        for name in sorted(names):
            path = folder / parent / name
            try:
                status = path.lstat()
            except FileNotFoundError:
                continue
            yield _Entry(path, status.st_size, max(status.st_atime, status.st_mtime))


def _is_intact(path: Path, fits: Callable[[bytes], bool]) -> bool:
    try:
        return fits(path.read_bytes())
    except FileNotFoundError:
        return True
    except OSError:
        return False


_INTACT: dict[str, Callable[[Path], bool]] = {
    "archives": lambda path: _is_intact(path, lambda stored: sha256_of(stored) == path.name),
    "indexes": lambda path: _is_intact(path, lambda stored: read_cached(stored) is not None),
    "derived": lambda path: _is_intact(path, lambda stored: read_derived(stored) is not None),
}


def _remove(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise PolpkgError("cannot-write", f"{path} cannot be removed: {error.strerror}") from error
