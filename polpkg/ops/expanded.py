"""Where expanded packages are kept between calls; see `polpkg.policy.kept`."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from polpkg.errors import PolpkgError
from polpkg.packages.store import DerivedStore, cache_directory

if TYPE_CHECKING:
    from pathlib import Path


class ExpandedStore:
    """The entries of this user, in the cache.  Not being able to keep one costs time and nothing else."""

    def __init__(self, cache: Path) -> None:
        self._store = DerivedStore(cache, "expanded", "1")

    def get(self, key: str) -> bytes | None:
        """The entry for `key`; None when there is none, or it is damaged, or another user could have written it."""
        return self._store.get_own(key)

    def put(self, key: str, data: bytes) -> None:
        """Keeps an entry where that is possible."""
        with suppress(PolpkgError):
            self._store.put(key, data)


def expanded_store() -> ExpandedStore | None:
    """The store in the cache of this user; None for one who has no place for it."""
    try:
        return ExpandedStore(cache_directory())
    except PolpkgError:
        return None
