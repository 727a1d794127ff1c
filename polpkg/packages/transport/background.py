"""One event loop in a thread of its own, so that everything else stays synchronous.

HTTP/2 makes the reason: httpx's synchronous client corrupts an HTTP/2 connection that several threads share, its
asynchronous one on one loop does not; and a hundred requests under way need no hundred threads.
"""

from __future__ import annotations

import asyncio
import atexit
import threading
from functools import lru_cache
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from concurrent.futures import Future

_Result = TypeVar("_Result")


class Background:
    """A running event loop."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="polpkg-network", daemon=True)
        self._begun = set[asyncio.Task[object]]()
        self._thread.start()

    def start(self, work: Coroutine[object, object, _Result]) -> Future[_Result]:
        """Begin `work`; its result can be waited for from any other thread."""
        return asyncio.run_coroutine_threadsafe(self._run(work), self._loop)

    def stop(self) -> None:
        """Give up what is under way and end the thread."""
        asyncio.run_coroutine_threadsafe(self._cancel_all(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _run(self, work: Coroutine[object, object, _Result]) -> _Result:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - this is a coroutine
        self._begun.add(task)
        try:
            return await work
        finally:
            self._begun.discard(task)

    async def _cancel_all(self) -> None:
        """Cancel what was begun with `start`, and nothing else: the tasks that these made are theirs to end.

        One of those that has not begun yet would otherwise leave a coroutine behind that nobody ever awaited.
        """
        begun = tuple(self._begun)
        for task in begun:
            task.cancel()
        await asyncio.gather(*begun, return_exceptions=True)


@lru_cache(maxsize=1)
def background() -> Background:
    """The loop of this process, started when it is first needed and stopped when the process ends."""
    loop = Background()
    atexit.register(loop.stop)
    return loop
