"""What is worth trying again, how often, and how long to wait: exponential backoff with jitter, and `Retry-After`.

RFC 9110 15 (status codes) and 10.2.3 (`Retry-After`, in seconds or as a date).
"""

from __future__ import annotations

import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass


class PassingFailure(Exception):  # noqa: N818 - never leaves this package: `RetryPolicy` makes an error of the last one
    """An attempt failed in a way that may pass.

    `retry_after` is how long the server asks to wait, None if it does not; `unanswered`: there was no connection.
    """

    def __init__(self, because: str, *, retry_after: float | None = None, unanswered: bool = False) -> None:
        super().__init__(because)
        self.because = because
        self.retry_after = retry_after
        self.unanswered = unanswered


def may_pass(status: int) -> bool:
    """Whether a response with this status says "later" rather than "no"."""
    return status == 429 or 500 <= status <= 504


async def _sleep(seconds: float) -> None:
    import asyncio

    await asyncio.sleep(seconds)


@dataclass(frozen=True, slots=True)
class Clock:
    """Time and chance; tests bring their own.  `random` is at least 0 and less than 1."""

    now: Callable[[], float] = time.time
    sleep: Callable[[float], Awaitable[None]] = _sleep
    random: Callable[[], float] = random.random


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often something is tried, and the seconds between.

    Before the n-th repetition the wait is drawn between half of `first * 2**(n - 1)` and all of it, at most `longest`.
    A server's `Retry-After` is kept to; one beyond `longest_asked` ends the attempts at once: coming back earlier
    would be of no use, and nobody waits that long for a command.
    """

    attempts: int = 4
    first: float = 0.25
    longest: float = 4.0
    longest_asked: float = 30.0

    def wait(self, failed: int, retry_after: float | None, chance: float) -> float | None:
        """The seconds to wait after `failed` attempts; None to give up.  `chance` is at least 0 and less than 1."""
        if failed >= self.attempts:
            return None
        if retry_after is not None and retry_after > self.longest_asked:
            return None
        backoff = min(self.longest, self.first * 2 ** (failed - 1)) * (1 + chance) / 2
        return max(backoff, retry_after or 0.0)


def read_retry_after(value: str, now: float) -> float | None:
    """The seconds that a `Retry-After` header asks for, given the time `now`; None when it says nothing usable."""
    text = value.strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    from email.utils import parsedate_to_datetime

    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - now)
    except (ValueError, OverflowError):
        return None
