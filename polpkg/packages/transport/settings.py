"""How a command may use the network."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from polpkg.packages.transport.retry import Clock, RetryPolicy

Progress = Callable[[str, int, int], None]
"""Is told what is being fetched, how many bytes of it there are by now, and how many there will be (0: not known)."""


class Timeouts(NamedTuple):
    """Seconds: for connecting, for any single read or write, and for the body of one index file as a whole.

    An archive, which may be large, must come at `slowest` bytes a second or faster, or the attempt counts as failed.
    """

    connect: float = 10.0
    read: float = 20.0
    body: float = 60.0
    slowest: float = 4096.0


@dataclass(frozen=True, slots=True)
class NetworkSettings:
    """One for all indexes of a command.

    `offline`: nothing is asked of the network, the cache alone answers.  `cache`: where files are kept, None for the
    user's cache directory.  The rest is for tests.
    """

    offline: bool = False
    cache: Path | None = None
    progress: Progress | None = None
    timeouts: Timeouts = field(default_factory=Timeouts)
    retries: RetryPolicy = field(default_factory=RetryPolicy)
    clock: Clock = field(default_factory=Clock)

    @property
    def cache_folder(self) -> Path:
        """Where files are kept."""
        from polpkg.packages.store import cache_directory

        return self.cache or cache_directory()
