"""Several things at a time, without keeping anybody who wants to leave.

The threads of `concurrent.futures` hold up the end of a process until they are done, so that Ctrl-C during a long
download would seem to do nothing; these end with the process.
"""

from __future__ import annotations

from queue import Empty, SimpleQueue
from threading import Thread
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_Item = TypeVar("_Item")


def do_at_once(work: Callable[[_Item], object], items: Sequence[_Item], *, threads: int) -> None:
    """Calls `work` with each of `items`, up to `threads` at a time, and returns when all is done.

    Raises what the first call to fail raised; calls that are under way go on until the process ends.
    """
    pending: SimpleQueue[_Item] = SimpleQueue()
    outcomes: SimpleQueue[BaseException | None] = SimpleQueue()
    for item in items:
        pending.put(item)

    def run() -> None:
        while True:
            try:
                item = pending.get_nowait()
            except Empty:
                return
            outcomes.put(_failure(work, item))

    for _ in range(min(threads, len(items))):
        Thread(target=run, name="polpkg-fetch", daemon=True).start()
    for _ in items:
        failure = outcomes.get()
        if failure is not None:
            raise failure


def _failure(work: Callable[[_Item], object], item: _Item) -> BaseException | None:
    try:
        work(item)
    except BaseException as error:  # noqa: BLE001 - it is raised again in the thread that asked
        return error
    return None
